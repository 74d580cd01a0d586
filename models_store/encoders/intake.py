"""What every neural ear does first: check a batch, mix it to one channel, bring it to the device and the rate."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor
from torchaudio.transforms import Resample

from models_store.audio import Audio

LOUDEST = 8.0
"""Full scale is 1; louder samples than this are cut, since their powers would overflow."""

LARGEST_RATIO = 1_000_000
FINEST_STEP = 640
"""The resampler's kernel grows with numerator times denominator of the ratio of rates. Above the first, the nearest
ratio with a denominator of at most the second is taken: for a rate above 1 kHz less than 0.2 % off. No rate that is in
use (8, 11.025, 16, 22.05, 24, 32, 44.1, 48, 96 kHz) comes near it."""


def check(who: str, audio: Audio, *, shortest_seconds: float) -> None:
    """Raises ValueError for no piece at all, no channel, or less than `shortest_seconds`."""
    pieces, channels, time = audio.samples.shape
    if pieces == 0 or channels == 0:
        raise ValueError(f"{who}: expected at least one piece and one channel, got {tuple(audio.samples.shape)}")
    if time < shortest_seconds * audio.sample_rate or time == 0:
        raise ValueError(f"{who}: expected at least {shortest_seconds:.4f} s, got {audio.seconds:.4f} s")


def mono(audio: Audio, *, sample_rate: int, device: torch.device) -> Tensor:
    """The mean of the channels at `sample_rate`, on `device`: float32 [N, time].

    Samples that are not finite are silent, those beyond LOUDEST are cut.
    """
    sound = torch.nan_to_num(audio.samples.float(), nan=0.0, posinf=0.0, neginf=0.0).clamp(-LOUDEST, LOUDEST)
    middle = sound.mean(dim=1).to(device)  # [N, time]
    if audio.sample_rate == sample_rate:
        return middle
    resampled: Tensor = _resampler(*_ratio(audio.sample_rate, sample_rate), device)(middle)
    return resampled


def _ratio(from_rate: int, to_rate: int) -> tuple[int, int]:
    """The two rates in lowest terms, or something near that a resampler can hold."""
    ratio = Fraction(from_rate, to_rate)
    if ratio.numerator * ratio.denominator > LARGEST_RATIO:
        ratio = ratio.limit_denominator(FINEST_STEP) or Fraction(1, FINEST_STEP)
    return ratio.numerator, ratio.denominator


@lru_cache(maxsize=16)
def _resampler(from_rate: int, to_rate: int, device: torch.device) -> Resample:
    """Windowed sinc; its kernel is made once for each pair of rates and device."""
    return Resample(from_rate, to_rate).to(device)
