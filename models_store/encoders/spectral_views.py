"""What the spectral encoder looks at: mel spectrum, pitch classes and level over time, at any sample rate.

Windows are given in seconds and cut at the sound's own rate, so nothing has to be resampled (torchaudio's sinc
resampler alone would cost more than everything here) and two rates of the same sound give nearly the same views.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad
from torchaudio.functional import melscale_fbanks

MELS = 64
LOWEST_HZ, HIGHEST_HZ = 40.0, 10_000.0
FRAME_SECONDS = 2048 / 44_100
"""Window of the mel spectrum; the hop is half of it."""
PITCH_SECONDS = 8192 / 44_100
"""Window of the pitch classes, long enough to part semitones from 110 Hz on; the hop is half of it."""
PITCH_HZ = (100.0, 2_100.0)
BASS_HZ = (50.0, 220.0)
SHORTEST_VIEW_SECONDS = 0.8
"""Shorter sounds are padded with silence up to this, so that every view has some frames."""
DYNAMIC_RANGE = 1e-8
"""Power below the mean power of the piece that still counts (80 dB)."""
SILENT_POWER = 1e-10
"""Mean power below which a piece is silent (-100 dB re full scale)."""


@dataclass(frozen=True)
class Views:
    """One batch of sounds, seen in four ways.

    mel: decibels re the mean power of the piece [N, frames, MELS], -80 at the least.
    chroma: pitch classes from C, each frame summing to at most 1 [N, pitch frames, 12].
    bass: the same of the bass register [N, pitch frames, 12].
    level: mean power of each frame [N, frames].
    stereo: power of each channel and of the middle, crest in dB, peak in dB [N, 5].
    frames_per_second, pitch_frames_per_second: Hz.
    """

    mel: Tensor
    chroma: Tensor
    bass: Tensor
    level: Tensor
    stereo: Tensor
    frames_per_second: float
    pitch_frames_per_second: float


def look(samples: Tensor, sample_rate: int) -> Views:
    """All views of float [N, channels, time] without NaN or infinity."""
    left, right = samples[:, 0], samples[:, -1]
    middle = samples.mean(dim=1)  # [N, time]
    shortest = round(SHORTEST_VIEW_SECONDS * sample_rate)
    if middle.shape[-1] < shortest:
        middle = pad(middle, (0, shortest - middle.shape[-1]))
    window = fast_size(FRAME_SECONDS * sample_rate)
    frames = middle.unfold(-1, window, window // 2)  # [N, frames, window]
    mel = _power(frames, _highest_bin(window, sample_rate)) @ _mel_bank(window, sample_rate, samples.device)
    mean = mel.sum(dim=-1).mean(dim=-1).clamp_min(SILENT_POWER)[:, None, None]  # [N, 1, 1]
    decibels = 10 * torch.log10(mel / mean * MELS + DYNAMIC_RANGE)
    chroma, bass, pitch_rate = _pitch_classes(middle, sample_rate)
    return Views(
        mel=decibels,
        chroma=chroma,
        bass=bass,
        level=frames.square().mean(dim=-1),
        stereo=_stereo(left, right, middle),
        frames_per_second=sample_rate / (window // 2),
        pitch_frames_per_second=pitch_rate,
    )


def _stereo(left: Tensor, right: Tensor, middle: Tensor) -> Tensor:
    """[N, 5]: power of left, right and middle; crest factor and peak in dB."""
    powers = [signal.square().mean(dim=-1) for signal in (left, right, middle)]
    ends = [end for signal in (left, right) for end in (signal.amax(dim=-1), -signal.amin(dim=-1))]
    peak = torch.stack(ends).amax(dim=0).square()
    loudest = torch.maximum(powers[0], powers[1])
    crest = 10 * torch.log10((peak + SILENT_POWER) / (loudest + SILENT_POWER))
    return torch.stack([*powers, crest, 10 * torch.log10(peak + SILENT_POWER)], dim=-1)


def _power(frames: Tensor, bins: int) -> Tensor:
    """Power spectrum [..., bins] of frames [..., window]; a full-scale sine has a peak near 0.25."""
    weights = _hann(frames.shape[-1], frames.device)
    spectrum = torch.fft.rfft(frames * weights)[..., :bins]
    power: Tensor = spectrum.real.square() + spectrum.imag.square()
    return power


def _pitch_classes(middle: Tensor, sample_rate: int) -> tuple[Tensor, Tensor, float]:
    """Chroma and bass chroma [N, pitch frames, 12], and the frames per second.

    The sound is averaged over a few samples first: the first zero of that filter lies where the pitches that are
    looked at would fold from, so it is enough, and the transform is four times shorter.
    """
    fewer = max(1, round(sample_rate / 11_025))
    slow = middle[:, : middle.shape[-1] // fewer * fewer].unflatten(-1, (-1, fewer)).mean(dim=-1)
    rate = sample_rate / fewer
    window = fast_size(PITCH_SECONDS * rate)
    bins = min(window // 2 + 1, int(PITCH_HZ[1] * window / rate) + 2)
    magnitude = _power(slow.unfold(-1, window, window // 2), bins).sqrt()  # [N, frames, bins]
    around = avg_pool1d(magnitude, 15, stride=1, padding=7, count_include_pad=False)
    peaks = (magnitude - around).relu()  # drums and noise have none
    classes = []
    for low, high in (PITCH_HZ, BASS_HZ):
        energy = peaks @ _pitch_bank(window, rate, bins, low, high, middle.device)  # [N, frames, 12]
        total = energy.sum(dim=-1, keepdim=True)
        hush = 0.02 * total.mean(dim=1, keepdim=True) + 1e-7  # quiet frames say little
        classes.append(energy / (total + hush))
    return classes[0], classes[1], rate / (window // 2)


def fast_size(samples: float) -> int:
    """The even number nearest to `samples` that has no prime factor above 5: a quick Fourier transform."""
    nearest = round(samples)
    for distance in range(nearest):
        for size in (nearest + distance, nearest - distance):
            rest = size
            for prime in (2, 3, 5):
                while rest % prime == 0:
                    rest //= prime
            if rest == 1 and size % 2 == 0:
                return size
    raise ValueError(f"fast_size: expected at least 2 samples, got {samples}")


def _highest_bin(window: int, sample_rate: int) -> int:
    return min(window // 2 + 1, int(HIGHEST_HZ * window / sample_rate) + 2)


@lru_cache(maxsize=16)
def _hann(window: int, device: torch.device) -> Tensor:
    """A Hann window whose sum is 1."""
    weights = torch.hann_window(window, device=device)
    return weights / weights.sum()


@lru_cache(maxsize=16)
def _mel_bank(window: int, sample_rate: int, device: torch.device) -> Tensor:
    """[bins, MELS]; bands above half the sample rate stay empty."""
    wide = int(2 * HIGHEST_HZ * window / sample_rate) // 2 + 1  # bins up to HIGHEST_HZ at this bin width
    bins = max(_highest_bin(window, sample_rate), wide + 1)
    top = (bins - 1) * sample_rate / window
    bank: Tensor = melscale_fbanks(bins, LOWEST_HZ, HIGHEST_HZ, MELS, round(2 * top))
    return bank[: _highest_bin(window, sample_rate)].to(device)


@lru_cache(maxsize=16)
def _pitch_bank(window: int, rate: float, bins: int, low: float, high: float, device: torch.device) -> Tensor:
    """[bins, 12]: how much each bin belongs to each pitch class (A4 = 440 Hz), softly cut to `low`..`high` Hz."""
    hertz = torch.arange(bins, dtype=torch.float64) * rate / window
    pitch = 69 + 12 * torch.log2(hertz.clamp_min(1.0) / 440)  # MIDI note numbers
    away = (pitch[:, None] - torch.arange(12) + 6) % 12 - 6  # [bins, 12]
    edge = torch.sigmoid((hertz - low) / (0.05 * low)) * torch.sigmoid((high - hertz) / (0.05 * high))
    return (torch.exp(-0.5 * (away / 0.4) ** 2) * edge[:, None]).float().to(device)
