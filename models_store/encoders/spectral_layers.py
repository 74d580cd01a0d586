"""The eight layers of the spectral encoder: 64 numbers each about one subject, before scaling."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d
from torchaudio.functional import create_dct

from models_store.encoders.spectral_views import MELS, SILENT_POWER, Views

DIM = 64
TEMPI = 20
SLOWEST_BPM, FASTEST_BPM = 40.0, 220.0
MODULATIONS_HZ = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0)
HARMONY_LAGS_SECONDS = (0.1, 0.4, 0.8, 1.6)

# Krumhansl and Kessler 1982: how well each pitch class fits a major and a minor key, from the tonic.
MAJOR_KEY = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_KEY = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def timbre(views: Views) -> Tensor:
    """The mean spectrum, without its level: [N, 64] dB."""
    mean = _weighted_mean(views.mel, _presence(views))
    return mean - mean.mean(dim=-1, keepdim=True)


def texture(views: Views) -> Tensor:
    """How the spectrum moves: spread in 32 bands, change in 16 bands within 23 ms and within 0.2 s: [N, 64] dB."""
    half, quarter = _bands(views.mel, 32), _bands(views.mel, 16)
    changes = [(quarter[:, lag:] - quarter[:, :-lag]).abs().mean(dim=1) for lag in (1, 8)]
    return torch.cat([half.std(dim=1), *changes], dim=-1)


def tone(views: Views) -> Tensor:
    """Cepstrum (mean and spread of 20), centroid, width, roll-off, flatness, and contrast in octaves: [N, 64]."""
    presence = _presence(views)
    cepstrum = views.mel @ _cosines(views.mel.device)[:, 1:21]  # [N, frames, 20]
    shape = _shape(views.mel)  # [N, frames, 4]
    octaves = views.mel.unflatten(-1, (8, 8))  # [N, frames, 8, 8]
    contrast = octaves.amax(dim=-1) - octaves.mean(dim=-1)
    features = torch.cat([cepstrum, shape, contrast], dim=-1)  # [N, frames, 32]
    mean = _weighted_mean(features, presence)
    spread = _weighted_mean((features - mean[:, None]).square(), presence).sqrt()
    return torch.cat([mean, spread], dim=-1)


def harmony(views: Views) -> Tensor:
    """Which notes: pitch classes, tonal space, and a profile that no transposition changes: [N, 64]."""
    mean = views.chroma.mean(dim=1)  # [N, 12]
    tonnetz = views.chroma @ _tonnetz(mean.device)  # [N, frames, 6]
    intervals = torch.fft.rfft(mean)[:, 1:].abs()  # [N, 6]
    chords = torch.fft.rfft(views.chroma)[..., 1:].abs().mean(dim=1)
    ranked = mean.sort(dim=-1, descending=True).values
    return torch.cat(
        [
            mean,
            views.chroma.std(dim=1),
            tonnetz.mean(dim=1),
            tonnetz.std(dim=1),
            intervals,
            chords,
            ranked,
            _key_clarity(mean),
        ],
        dim=-1,
    )


def movement(views: Views) -> Tensor:
    """How the harmony moves: intervals between now and 0.1 to 1.6 s later, bass notes, and change: [N, 64]."""
    spectrum = torch.fft.rfft(views.chroma)  # [N, frames, 7]
    steps, change = [], []
    for seconds in HARMONY_LAGS_SECONDS:
        lag = max(1, round(seconds * views.pitch_frames_per_second))
        if lag >= spectrum.shape[1]:
            steps.append(torch.zeros_like(views.chroma[:, 0]))
            change.append(torch.zeros_like(views.chroma[:, 0, 0]))
            continue
        now, later = spectrum[:, :-lag], spectrum[:, lag:]
        steps.append(torch.fft.irfft(now.conj() * later, n=12).mean(dim=1))  # [N, 12], by how many semitones
        change.append((views.chroma[:, lag:] - views.chroma[:, :-lag]).abs().sum(dim=-1).mean(dim=1))
    return torch.cat([*steps, views.bass.mean(dim=1), torch.stack(change, dim=-1)], dim=-1)


def rhythm(views: Views) -> Tensor:
    """Tempogram: self-similarity of the onsets in bass, middle and treble at 20 tempi; onset density: [N, 64]."""
    onsets = _onsets(views)  # [N, frames, 3]
    correlation = _autocorrelation(onsets, longest=_longest_lag(views.frames_per_second))  # [N, 3, lags]
    tempogram = correlation @ _tempo_bank(correlation.shape[-1], views.frames_per_second, onsets.device)
    density = (onsets > 4.0).float().mean(dim=1) * views.frames_per_second  # onsets per second [N, 3]
    strength = onsets.mean(dim=(1, 2))[:, None]
    return torch.cat([tempogram.flatten(1), density, strength], dim=-1)


def fluctuation(views: Views) -> Tensor:
    """Loudness modulation of 8 bands at 8 rates from 0.5 to 9 Hz (after Pampalk 2002): [N, 64] dB."""
    bands = _bands(views.mel, 8)
    longest = _longest_lag(views.frames_per_second)
    correlation = _autocorrelation(bands, longest=longest, normalised=False)  # [N, 8, lags]
    power = correlation @ _modulation_bank(correlation.shape[-1], views.frames_per_second, bands.device)
    return (10 * torch.log10(power.clamp_min(0) + 0.1)).flatten(1)


def loudness(views: Views) -> Tensor:
    """Levels over 23 ms, 0.2 s and 0.7 s, dynamics in 8 bands, rise and fall, histogram, crest, stereo: [N, 64]."""
    level = views.level  # [N, frames]
    overall = level.mean(dim=-1, keepdim=True) + SILENT_POWER
    relative = 10 * torch.log10(level / overall + 1e-6)  # [N, frames] dB
    marks = torch.tensor((0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95), device=level.device)
    parts = [_quantiles(relative, marks)]
    slow = {}
    for scale in (8, 32):
        slow[scale] = 10 * torch.log10(avg_pool1d((level / overall)[:, None], scale, max(1, scale // 2))[:, 0] + 1e-6)
        parts.append(_quantiles(slow[scale], marks))
        bands = avg_pool1d(_bands(views.mel, 8).transpose(1, 2), scale, max(1, scale // 2))  # [N, 8, slow frames]
        parts.append(bands.std(dim=-1) if bands.shape[-1] > 1 else torch.zeros_like(bands[..., 0]))
    ends = torch.tensor((0.05, 0.25, 0.5, 0.75, 0.95), device=level.device)
    parts.append(_quantiles(relative.diff(dim=-1), ends))
    parts.append(_quantiles(slow[8].diff(dim=-1), ends))
    steps = torch.linspace(-40, 5, 10, device=level.device)
    below = torch.sigmoid((steps - relative[..., None]) / 1.5).mean(dim=1)  # [N, 10] soft distribution of levels
    middle = relative - relative.mean(dim=-1, keepdim=True)
    skew = (middle / 10).pow(3).mean(dim=-1, keepdim=True)
    low_energy = (relative < -3).float().mean(dim=-1, keepdim=True)
    parts += [below, skew, low_energy, _stage(views.stereo), 10 * torch.log10(overall)]
    return torch.cat(parts, dim=-1)


LAYERS = (timbre, texture, tone, harmony, movement, rhythm, fluctuation, loudness)


def _presence(views: Views) -> Tensor:
    """How much each frame counts in a mean: louder ones more, [N, frames] summing to 1."""
    weight = views.level.sqrt() + 1e-6
    return weight / weight.sum(dim=-1, keepdim=True)


def _weighted_mean(features: Tensor, weight: Tensor) -> Tensor:
    """[N, features] of [N, frames, features] and [N, frames]."""
    return (weight[:, None, :] @ features)[:, 0]


def _bands(mel: Tensor, bands: int) -> Tensor:
    """[N, frames, bands]: neighbouring mel bands averaged."""
    grouped: Tensor = mel.unflatten(-1, (bands, MELS // bands))  # [N, frames, bands, mels of each]
    return grouped.mean(dim=-1)


def _shape(mel: Tensor) -> Tensor:
    """Centroid, width and roll-off in tenths of the mel scale, flatness in dB: [N, frames, 4]."""
    power = torch.pow(10.0, mel / 20)  # amplitude: the ear's middle way between power and loudness
    share = power / power.sum(dim=-1, keepdim=True)
    place = torch.linspace(0, 10, MELS, device=mel.device)
    centroid = share @ place
    width = ((share * (place - centroid[..., None]).square()).sum(dim=-1) + 1e-9).sqrt()
    rolloff = (torch.sigmoid((0.85 - share.cumsum(dim=-1)) * 40)).mean(dim=-1) * 10
    flatness = mel.mean(dim=-1) - 20 * torch.log10(power.mean(dim=-1))
    return torch.stack([centroid, width, rolloff, flatness], dim=-1)


def _key_clarity(chroma: Tensor) -> Tensor:
    """Best correlation with a major and with a minor key, their difference, and entropy: [N, 4]."""
    centred = chroma - chroma.mean(dim=-1, keepdim=True)
    unit = centred / (centred.norm(dim=-1, keepdim=True) + 1e-3)
    best = [(unit @ _keys(profile, chroma.device)).amax(dim=-1) for profile in (MAJOR_KEY, MINOR_KEY)]
    share = chroma / (chroma.sum(dim=-1, keepdim=True) + 1e-6) + 1e-6
    entropy = -(share * share.log()).sum(dim=-1)
    return torch.stack([best[0], best[1], 4 * (best[0] - best[1]), entropy], dim=-1)


def _onsets(views: Views) -> Tensor:
    """Mean rise in dB from frame to frame in bass, middle and treble: [N, frames - 1, 3]."""
    rise = views.mel.diff(dim=1).relu()
    cuts = (0, 10, 36, MELS)  # about 300 Hz and 3 kHz
    return torch.stack([rise[..., low:high].mean(dim=-1) for low, high in pairwise(cuts)], dim=-1)


def _longest_lag(frames_per_second: float) -> int:
    """Frames of the slowest tempo, with room for interpolation."""
    return math.ceil(60 / SLOWEST_BPM * frames_per_second) + 4


def _autocorrelation(signals: Tensor, *, longest: int, normalised: bool = True) -> Tensor:
    """[N, channels, longest] of signals [N, frames, channels], by lag in frames; lags beyond the sound fade out."""
    frames = signals.shape[1]
    centred = (signals - signals.mean(dim=1, keepdim=True)).transpose(1, 2)
    size = 1 << (frames + longest - 1).bit_length()
    spectrum = torch.fft.rfft(centred, n=size)
    products = torch.fft.irfft(spectrum.real.square() + spectrum.imag.square(), n=size)[..., :longest]
    overlap = (frames - torch.arange(longest, device=signals.device)).clamp_min(max(1, frames // 4))
    correlation: Tensor = products / overlap
    if not normalised:
        return correlation
    return correlation / (correlation[..., :1] + 0.01)


def _quantiles(values: Tensor, marks: Tensor) -> Tensor:
    """[N, marks] of [N, frames]."""
    if values.shape[-1] == 0:
        return values.new_zeros(values.shape[0], len(marks))
    return torch.quantile(values, marks, dim=-1).T


def _stage(stereo: Tensor) -> Tensor:
    """Crest and peak in dB, width (how much of the power is not in the middle) and balance: [N, 4]."""
    left, right, middle, crest, peak = stereo.unbind(dim=-1)
    both = (left + right) / 2 + SILENT_POWER
    return torch.stack([crest, peak, 10 * (1 - (middle / both).clamp(0, 1)), 10 * (left - right) / both / 2], dim=-1)


@lru_cache(maxsize=8)
def _cosines(device: torch.device) -> Tensor:
    """[MELS, 21], torchaudio's orthonormal DCT-II."""
    cosines: Tensor = create_dct(21, MELS, norm="ortho")
    return cosines.to(device)


@lru_cache(maxsize=8)
def _tonnetz(device: torch.device) -> Tensor:
    """[12, 6]: circles of fifths, minor thirds and major thirds (Harte, Sandler and Gasser 2006)."""
    note = torch.arange(12, dtype=torch.float32)
    columns = []
    for radius, angle in ((1.0, 7 / 6), (1.0, 3 / 2), (0.5, 2 / 3)):
        columns += [radius * torch.sin(note * angle * math.pi), radius * torch.cos(note * angle * math.pi)]
    return torch.stack(columns, dim=-1).to(device)


@lru_cache(maxsize=8)
def _keys(profile: tuple[float, ...], device: torch.device) -> Tensor:
    """[12, 12]: the profile from each tonic, centred, of length 1."""
    centred = torch.tensor(profile) - sum(profile) / 12
    unit = centred / centred.norm()
    return torch.stack([unit.roll(tonic) for tonic in range(12)], dim=-1).to(device)


@lru_cache(maxsize=16)
def _tempo_bank(lags: int, frames_per_second: float, device: torch.device) -> Tensor:
    """[lags, TEMPI]: soft weights around the beat of each tempo; tempi are spaced evenly in octaves."""
    bpm = torch.logspace(math.log10(SLOWEST_BPM), math.log10(FASTEST_BPM), TEMPI)
    beat = 60 / bpm * frames_per_second
    away = (torch.arange(lags)[:, None] - beat) / (0.045 * beat).clamp_min(0.6)
    weight = torch.exp(-0.5 * away.square())
    return (weight / weight.sum(dim=0)).to(device)


@lru_cache(maxsize=16)
def _modulation_bank(lags: int, frames_per_second: float, device: torch.device) -> Tensor:
    """[lags, 8]: from autocovariance to power at MODULATIONS_HZ (Blackman and Tukey), whatever the duration."""
    lag = torch.arange(lags, dtype=torch.float32)
    window = 0.5 + 0.5 * torch.cos(math.pi * lag / lags)
    twice = torch.where(lag == 0, 1.0, 2.0)
    waves = torch.cos(2 * math.pi * lag[:, None] * torch.tensor(MODULATIONS_HZ) / frames_per_second)
    return ((window * twice)[:, None] * waves / frames_per_second).to(device)
