"""Plays single notes of a SoundFont: resampled, looped, shaped by their envelope, and kept for the next piece."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from models_store.generators.soundfont import sf2

Wave = NDArray[np.float32]

REFERENCE_VELOCITY = 90
TARGET_RMS = 0.06
"""Every instrument's reference note is brought to this RMS: a mix does not depend on how a font was levelled."""

_SHORTEST_RELEASE, _LONGEST_RELEASE = 0.06, 1.6
_INAUDIBLE = 1e-4
_LEVEL_WINDOW = 0.15  # seconds
_KICK_AND_SNARE = (36, 38)
RELEASE_SHARE = 0.6
"""A font's release is the time of a fall of 100 dB; after 60 dB of it a note is cut."""

_VIBRATO_HZ, _VIBRATO_CENTS, _VIBRATO_DELAY = 5.2, 14.0, 0.28
_HIGHEST_CUTOFF = 7000.0
"""Hz; what a gentle low-pass takes away above it is not worth its time."""

_LENGTHS = (0.35, 0.75, 1.5, 3.0, 6.0, 12.0, 24.0)


class Sampler:
    """The notes of one font at one sample rate. Safe to share between threads: a note is a pure function of its name.

    memory_mb: how much of what was played is kept; the notes used longest ago go first.
    """

    def __init__(self, font: sf2.SoundFont, *, sample_rate: int, memory_mb: float = 192.0) -> None:
        self.font = font
        self.sample_rate = sample_rate
        self._room = int(memory_mb * 2**20)
        self._kept: OrderedDict[tuple[int, int, int, bool], tuple[Wave, float, float]] = OrderedDict()
        self._levels: dict[tuple[int, int, int], float] = {}
        self._size = 0
        self._lock = threading.Lock()

    def note(self, bank: int, program: int, key: int, *, seconds: float, vibrato: bool = False) -> tuple[Wave, float]:
        """A note held for `seconds` and its release: float32 [1 or 2, frames], and how long the release takes (s).

        The wave has at least as many frames as hold and release need, or all there are until it has died away.
        """
        name = (bank, program, key, vibrato)
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None:
                self._kept.move_to_end(name)
                if kept[2] >= seconds:
                    return kept[:2]
        zones = self.font.zones(bank, program, key, REFERENCE_VELOCITY)
        release = max((zone.release for zone in zones), default=0.0)
        release = RELEASE_SHARE * min(_LONGEST_RELEASE, max(_SHORTEST_RELEASE, release))
        held = 3.0 if bank == sf2.DRUM_BANK else next((known for known in _LENGTHS if known >= seconds), seconds)
        made = (self._play(zones, key, held + release, vibrato, stereo=bank == sf2.DRUM_BANK), release, held)
        self._keep(name, made)
        return made[:2]

    def level(self, bank: int, program: int, key: int) -> float:
        """The gain that brings a preset to the common level, judged by its note `key`; a kit by its kick and snare."""
        name = (bank, program, key)
        if name not in self._levels:
            loudest = [self._loudest(bank, program, k) for k in (_KICK_AND_SNARE if bank == sf2.DRUM_BANK else (key,))]
            rms = math.prod(loudest) ** (1.0 / len(loudest))
            self._levels[name] = TARGET_RMS / rms if rms > 1e-5 else 0.0
        return self._levels[name]

    def _loudest(self, bank: int, program: int, key: int) -> float:
        """RMS of a note's loudest window, be its attack slow or fast."""
        wave, _ = self.note(bank, program, key, seconds=1.5)
        window = min(wave.shape[1], int(_LEVEL_WINDOW * self.sample_rate))
        count = max(1, min(wave.shape[1], int(1.5 * self.sample_rate)) // window)
        heard = wave[:, : count * window].astype(np.float64).reshape(wave.shape[0], count, window)
        return math.sqrt(float((heard**2).mean(axis=(0, 2)).max()))

    def _keep(self, name: tuple[int, int, int, bool], made: tuple[Wave, float, float]) -> None:
        with self._lock:
            old = self._kept.pop(name, None)
            self._size += made[0].nbytes - (old[0].nbytes if old else 0)
            self._kept[name] = made
            while self._size > self._room and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                self._size -= gone[0].nbytes

    def _play(self, zones: tuple[sf2.Zone, ...], key: int, seconds: float, vibrato: bool, *, stereo: bool) -> Wave:
        """All zones of a note together, [1 or 2, frames]; without the end that nobody hears."""
        parts = [(self._voice(zone, key, seconds, vibrato), zone.pan) for zone in zones]
        stereo = stereo or len({pan for _, pan in parts}) > 1
        wave = np.zeros((2 if stereo else 1, max((len(part) for part, _ in parts), default=1)), dtype=np.float32)
        for part, pan in parts:
            angle = (pan + 1.0) * math.pi / 4.0  # constant power
            sides = (math.sqrt(2.0) * math.cos(angle), math.sqrt(2.0) * math.sin(angle)) if stereo else (1.0,)
            for channel, gain in zip(wave, sides, strict=True):
                channel[: len(part)] += part if gain == 1.0 else np.float32(gain) * part
        heard = np.flatnonzero(np.abs(wave[0, ::64]) + np.abs(wave[-1, ::64]) > _INAUDIBLE)
        end = 64 * (int(heard[-1]) + 2) if heard.size else 1
        return wave[:, :end].copy() if end < 0.8 * wave.shape[1] else wave

    def _voice(self, zone: sf2.Zone, key: int, seconds: float, vibrato: bool) -> Wave:
        """One zone's sound, float32 [frames]."""
        cents = zone.cents + zone.cents_per_key * (key - zone.root_key)
        speed = 2.0 ** (cents / 1200.0) * zone.sample_rate / self.sample_rate
        frames = math.ceil(seconds * self.sample_rate)
        recorded = self.font.samples[zone.start : zone.end]
        loop = zone.loop_end - zone.loop_start
        if zone.loops and loop > 2:
            recorded = _looped(recorded, zone.loop_start - zone.start, loop, math.ceil(frames * speed * 1.01) + 4)
        frames = min(frames, int((len(recorded) - 4) / (speed * (1.01 if vibrato else 1.0))))
        if frames <= 0:
            return np.zeros(1, dtype=np.float32)
        position = speed * np.arange(frames)
        if vibrato:
            time = np.arange(frames, dtype=np.float32) / np.float32(self.sample_rate)
            depth = np.clip((time - _VIBRATO_DELAY) / 0.4, 0.0, 1.0) * (_VIBRATO_CENTS * math.log(2.0) / 1200.0)
            position += speed * np.cumsum(depth * np.sin(np.float32(2.0 * math.pi * _VIBRATO_HZ) * time))
        wave = _interpolate(recorded, position)
        if zone.cutoff < _HIGHEST_CUTOFF and zone.cutoff < 0.4 * self.sample_rate:
            wave = sosfilt(_low_pass(round(zone.cutoff), self.sample_rate), wave)
        wave *= _envelope(zone, frames, self.sample_rate)
        wave *= np.float32(zone.gain)
        return wave


def _looped(recorded: Wave, start: int, length: int, frames: int) -> Wave:
    """What is recorded up to the loop's end, then the loop again and again: at least `frames` of it."""
    head = recorded[: start + length]
    missing = frames - len(head)
    if missing <= 0:
        return recorded
    return np.concatenate([head, np.tile(recorded[start : start + length], -(-missing // length))])


def _interpolate(samples: Wave, position: NDArray[np.float64]) -> Wave:
    """Catmull-Rom interpolation between four neighbours; positions at least 3 before the end."""
    whole = position.astype(np.intp)
    fraction = (position - whole).astype(np.float32)
    at = samples.take(whole)
    after = samples[1:].take(whole)
    slope = after - samples.take(np.maximum(whole - 1, 0))
    slope *= np.float32(0.5)
    cubic = samples[2:].take(whole)
    cubic -= at
    cubic *= np.float32(0.5)
    rise = after - at
    square = rise - slope
    cubic -= rise
    cubic -= square
    square -= cubic
    result: Wave = cubic
    for term in (square, slope, at):
        result *= fraction
        result += term
    return result


def _envelope(zone: sf2.Zone, frames: int, sample_rate: int) -> Wave:
    """Attack, hold and decay (linear in decibels, section 8.1.3) to the sustain level; never wholly silent."""
    flat = min(frames, round((zone.attack + zone.hold) * sample_rate))
    level = np.arange(-flat, frames - flat, dtype=np.float32)
    np.maximum(level, np.float32(0.0), out=level)
    # `decay` is the time that a fall of 100 dB takes.
    level *= np.float32(-5.0 * math.log(10.0) / (max(zone.decay, 0.001) * sample_rate))
    np.exp(level, out=level)
    np.maximum(level, np.float32(max(zone.sustain, 1e-5)), out=level)
    rising = min(frames, round(max(zone.attack, 0.001) * sample_rate))
    level[:rising] *= np.linspace(0.0, 1.0, rising, dtype=np.float32)
    return level


@lru_cache(maxsize=512)
def _low_pass(cutoff: int, sample_rate: int) -> Wave:
    """A second-order low-pass without resonance. Source: Bristow-Johnson, Audio EQ Cookbook."""
    angle = 2.0 * math.pi * max(40, cutoff) / sample_rate
    alpha, cosine = math.sin(angle) / math.sqrt(2.0), math.cos(angle)
    b = (1.0 - cosine) / 2.0
    row = np.array([[b, 2.0 * b, b, 1.0 + alpha, -2.0 * cosine, 1.0 - alpha]]) / (1.0 + alpha)
    return row.astype(np.float32)


def default_font() -> Path:
    """The General MIDI font that pretty_midi's package carries (TimGM6mb, 6 MB, GPL-2, by Tim Brechbill)."""
    from importlib.util import find_spec

    spec = find_spec("pretty_midi")
    if spec is None or spec.origin is None:
        raise ValueError("soundfont_path: expected a .sf2 file, as pretty_midi, whose font is the default, is missing")
    return Path(spec.origin).with_name("TimGM6mb.sf2")
