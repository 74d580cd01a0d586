"""Pictures of sound, and the sound of a picture: mel, magnitude, Griffin-Lim.

The scale of the pictures is the one that the published model learned (Forsgren and Martiros 2022, riffusion.com; the
parameters are in github.com/riffusion/riffusion-hobby, riffusion/spectrogram_params.py, MIT licence): windows of 100 ms
every 10 ms, padded with zeros to 400 ms; 512 mel bands (HTK's scale, unnormalised triangles) of the magnitude from 0 to
10 kHz, the lowest in the lowest row; white is silence, black is loudest, and darkness is the fourth root of magnitude.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchaudio.functional import griffinlim, melscale_fbanks

SAMPLE_RATE = 44_100
HOP = 441
WINDOW = 4_410
TRANSFORM = 17_640
"""Samples: between two columns, in a window, and in the padded window."""

BANDS = 512
HIGHEST_HZ = 10_000.0
POWER = 0.25
"""Darkness is the magnitude to this power."""

MAX_VOLUME = 50.0
"""The fourth root of the magnitude that black stands for, in units of 16-bit samples (full scale is 2**15)."""

ITERATIONS = 32
MOMENTUM = 0.99
"""Of the fast Griffin-Lim algorithm (Perraudin, Balazs and Sondergaard 2013)."""

PEAK = 10 ** (-1 / 20)
"""Where a piece's peak is brought to: 1 dB below full scale."""

MOST_GAIN = 100.0
"""At most 40 dB: a tone that is 70 % black still reaches the peak, an almost white picture stays almost silent."""

_UNMIXING_STEPS = 4
_EVERY = 2
_FEWEST_COLUMNS = 2 * WINDOW // HOP + 1
_SMALLEST = 1e-8


def columns(samples: int) -> int:
    """Columns of the picture of so many samples."""
    return samples // HOP + 1


class Spectrograms:
    """Turns sound into pictures and back, in float32 on one device."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        bank: Tensor = melscale_fbanks(
            TRANSFORM // 2 + 1, 0.0, HIGHEST_HZ, BANDS, SAMPLE_RATE, norm=None, mel_scale="htk"
        )
        heard = int((bank.sum(dim=1) > 0).nonzero().max()) + 1  # nothing lies above HIGHEST_HZ
        self._bank: Tensor = bank[:heard].to(device)  # [bins, bands]
        self._window = torch.hann_window(WINDOW, device=device)

    def pictures(self, sound: Tensor) -> Tensor:
        """Darkness in [0, 1], float32 [N, 512, columns], of sound float32 [N, time] at 44.1 kHz; the loudest is 1.

        Raises ValueError for pieces of no more than 200 ms: shorter than half a padded window.
        """
        if sound.ndim != 2 or sound.shape[-1] <= TRANSFORM // 2:
            raise ValueError(f"pictures: expected [N, time > {TRANSFORM // 2}], got {tuple(sound.shape)}")
        bins = torch.stft(
            sound, TRANSFORM, HOP, WINDOW, self._window, center=True, pad_mode="reflect", return_complex=True
        )  # [N, 8821, columns]
        mel = self._bank.T @ bins[:, : len(self._bank)].abs()  # [N, bands, columns]
        loudest = mel.amax(dim=(1, 2), keepdim=True)
        darkness: Tensor = (mel / loudest.clamp_min(_SMALLEST)).pow(POWER).flip(1)
        return darkness

    def sound(self, pictures: Tensor, *, samples: int) -> Tensor:
        """What pictures sound like: float32 [N, samples], each with its peak at PEAK, or softer (see MOST_GAIN).

        pictures: darkness float [N, 512, columns(samples) or more]; what is outside of [0, 1] is cut, NaN is white.
        """
        if pictures.ndim != 3 or pictures.shape[1] != BANDS or pictures.shape[2] < columns(samples):
            raise ValueError(
                f"sound: expected pictures [N, {BANDS}, at least {columns(samples)} for {samples} samples], "
                f"got {tuple(pictures.shape)}"
            )
        # Griffin-Lim mirrors 100 ms at both ends: very short pieces are played longer and cut.
        used = max(columns(samples), _FEWEST_COLUMNS)
        darkness = torch.nan_to_num(pictures.float(), nan=0.0).clamp(0, 1)[..., :used]
        darkness = pad(darkness, (0, max(0, used - darkness.shape[-1])))
        magnitudes = (MAX_VOLUME * darkness.flip(1)).pow(1 / POWER) / 2**15  # [N, bands, columns]
        length = max(samples, (used - 1) * HOP)
        played = self._played(self._unmixed(magnitudes), length)[:, :samples]
        peak = played.abs().amax(dim=1, keepdim=True)
        return played * (PEAK / peak.clamp_min(_SMALLEST)).clamp_max(MOST_GAIN)

    def _unmixed(self, mel: Tensor) -> Tensor:
        """Non-negative magnitudes [N, bins, columns] whose mel bands are [N, 512, columns].

        Richardson-Lucy steps (the multiplicative updates of Lee and Seung 2001 for the Kullback-Leibler divergence)
        from the bands spread over their bins. On synthetic music four of them come closer to the true bins than least
        squares cut at zero, as torchaudio's InverseMelScale has it, and in less time; the bands are then about 0.4 %
        off (benchmarks/riffusion.py measures both).
        """
        bank = self._bank
        per_bin, per_band = bank.sum(dim=1)[:, None].clamp_min(_SMALLEST), bank.sum(dim=0)[:, None]
        bins = bank @ (mel / per_band)  # [N, bins, columns]
        for _ in range(_UNMIXING_STEPS):
            bins = bins * (bank @ (mel / (bank.T @ bins).clamp_min(_SMALLEST)) / per_bin)
        return bins

    def _played(self, bins: Tensor, samples: int) -> Tensor:
        """Sound [N, samples] of magnitudes [N, bins, columns] of the padded window.

        Every second bin says as much: a window of 100 ms, padded to 200 ms, is still sampled twice as densely as
        needed. The bands come back as well as from all bins in less than half of the time. All phases start at zero:
        that needs no random numbers, and is better than random ones on some music, on other worse, by little
        (benchmarks/riffusion.py).
        """
        transform = TRANSFORM // _EVERY
        magnitudes = bins.new_zeros(bins.shape[0], transform // 2 + 1, bins.shape[-1])
        kept = bins[:, ::_EVERY]
        magnitudes[:, : kept.shape[1]] = kept
        played: Tensor = griffinlim(
            magnitudes, self._window, transform, HOP, WINDOW, 1.0, ITERATIONS, MOMENTUM, samples, rand_init=False
        )
        return played
