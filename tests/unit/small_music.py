"""Music made by sums of sines and bursts of noise: small, quick, and different for every seed."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models_store.audio import Audio

Wave = NDArray[np.float64]

CHORDS = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (-3, 0, 4))


def _add(to: Wave, sound: Wave, start: float, rate: int) -> None:
    first = round(start * rate)
    room = to[first : first + len(sound)]
    room += sound[: len(room)]


def _note(length: float, hertz: float, harmonics: int, rate: int) -> Wave:
    """A plucked tone: 8 ms of attack, exponential decay, 20 ms of release."""
    time = np.arange(round(length * rate)) / rate
    envelope = np.clip(time / 0.008, 0, 1) * np.exp(-1.5 * time / length) * np.clip((length - time) / 0.02, 0, 1)
    tone: Wave = np.zeros_like(time)
    for n in range(1, harmonics + 1):
        tone += np.sin(2 * math.pi * hertz * n * time) / n**1.5
    return tone * envelope


def _drum(decay: float, colour: float, rate: int, rng: np.random.Generator) -> Wave:
    """A struck skin (low colour) or metal (high): noise and a low tone, both dying away."""
    time = np.arange(round(8 * decay * rate)) / rate
    struck = np.clip(time / 0.002, 0, 1) * np.exp(-time / decay)
    noise = rng.uniform(-1, 1, len(time))
    thump = np.sin(2 * math.pi * 60 * time) * (1 - colour)
    return np.asarray((noise * colour + thump) * struck)


@lru_cache(maxsize=64)
def _made(seed: int, seconds: float, rate: int, beat: float, drums: bool) -> Wave:
    """[2, time]"""
    rng = np.random.default_rng(seed)
    root = 110 * 2 ** (rng.integers(12) / 12)
    harmonics = 2 + int(rng.integers(6))
    middle, side = np.zeros((2, round(seconds * rate)))
    for step in range(math.ceil(seconds / beat)):
        start, chord = step * beat, CHORDS[(step // 4 + seed) % 4]
        for semitones in chord:
            _add(side, 0.5 * _note(beat * 0.95, root * 2 ** (1 + semitones / 12), harmonics, rate), start, rate)
        low = root / 2 * 2 ** (chord[0] / 12)
        _add(middle, _note(beat * 0.95, low if low < 98 else low / 2, 3, rate), start, rate)
        if drums:
            _add(middle, 0.8 * _drum(0.06, 0.1 if step % 2 == 0 else 0.6, rate, rng), start, rate)
            _add(middle, 0.2 * _drum(0.02, 1.0, rate, rng), start + beat / 2, rate)
    both = np.stack([middle + 0.9 * side, middle + 0.7 * side])
    return both * 0.1 / np.sqrt(np.square(both).mean())


def piece(seed: int, *, seconds: float = 4.0, rate: int = 22_050, beat: float = 0.5, drums: bool = True) -> Tensor:
    """Chords, a bass of 41 to 98 Hz and drums: float32 [2, time], effective value 0.1."""
    return torch.from_numpy(_made(seed, seconds, rate, beat, drums).astype(np.float32))


def pieces(count: int, *, seconds: float = 4.0, rate: int = 22_050, drums: bool = True) -> Audio:
    """`count` unlike pieces, Audio [count, 2, time]."""
    made = [piece(s, seconds=seconds, rate=rate, beat=0.35 + 0.05 * (s % 5), drums=drums) for s in range(count)]
    return Audio(torch.stack(made), rate)


def sine(hertz: float, *, level: float = 0.3, seconds: float = 4.0, rate: int = 22_050) -> Tensor:
    """float32 [1, time]."""
    clock = np.arange(round(seconds * rate)) / rate
    return torch.from_numpy((level * np.sin(2 * math.pi * hertz * clock)).astype(np.float32))[None]


def white_noise(*, level: float = 0.1, seconds: float = 4.0, rate: int = 22_050, seed: int = 0) -> Tensor:
    """float32 [2, time]."""
    noise = np.random.default_rng(seed).normal(size=(2, round(seconds * rate)))
    return torch.from_numpy((level * noise).astype(np.float32))
