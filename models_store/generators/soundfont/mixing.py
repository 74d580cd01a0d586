"""Renders a piece: every note from the sampler, parts placed in the stereo picture and in a room."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from models_store.generators.soundfont import mastering
from models_store.generators.soundfont.arranger import Piece, PlayedPart
from models_store.generators.soundfont.instruments import INSTRUMENTS
from models_store.generators.soundfont.sampler import Sampler
from models_store.generators.soundfont.sf2 import DRUM_BANK

Stereo = NDArray[np.float32]  # [2, frames]

_ROOMS = 8
_CHOKED = {46: (42, 44)}
"""A hi-hat that is closed stops its open sound."""


def render(piece: Piece, sampler: Sampler) -> Stereo:
    """The finished sound, float32 [2, round(seconds * rate)], at equal loudness and below full scale."""
    rate = sampler.sample_rate
    frames = round(piece.seconds * rate)
    mix = np.zeros((2, frames), dtype=np.float32)
    wet = np.zeros(frames, dtype=np.float32)
    pumping = _pumping(frames, 60.0 / piece.bpm * rate, piece.pump) if piece.pump > 0.0 else None
    for part in piece.parts:
        bus = _play(part, sampler, frames)
        if part.echo > 0.0:
            _echo(bus, round(0.75 * 60.0 / piece.bpm * rate), part.echo)
        if pumping is not None and part.role != "drums":
            bus *= pumping
        if bus.shape[0] == 1:
            angle = (part.pan + 1.0) * math.pi / 4.0  # constant power
            left, right = math.sqrt(2.0) * math.cos(angle), math.sqrt(2.0) * math.sin(angle)
            mix[0] += np.float32(left) * bus[0]
            mix[1] += np.float32(right) * bus[0]
        else:
            mix += bus
        if part.send > 0.0:
            wet += np.float32(part.send) * (bus[0] if bus.shape[0] == 1 else 0.5 * (bus[0] + bus[1]))
    mix += np.float32(0.1 + 0.5 * piece.space) * _room(wet, piece.space, rate)
    mix = mastering.tilt(mix, brightness=piece.brightness, sample_rate=rate)
    mix = mastering.level(mix, sample_rate=rate)
    return mastering.fade(mix, seconds=piece.fade, sample_rate=rate)


def _play(part: PlayedPart, sampler: Sampler, frames: int) -> Stereo:
    """A part's notes summed: [1 or 2, frames]."""
    instrument = INSTRUMENTS[part.instrument]
    drums = instrument.roles == "d"
    bank = DRUM_BANK if drums else 0
    rate = sampler.sample_rate
    middle = 38 if drums else (min(instrument.low + 24, (instrument.low + instrument.high) // 2))
    level = part.gain * sampler.level(bank, instrument.program, middle)
    bus = np.zeros((2 if drums else 1, frames), dtype=np.float32)
    ends = _choked_ends(part) if drums else {}
    for number, event in enumerate(part.events):
        held = ends.get(number, event.length if not drums else 3.0)
        vibrato = instrument.vibrato and event.length > 0.35
        wave, release = sampler.note(bank, instrument.program, event.key, seconds=held, vibrato=vibrato)
        if wave.shape[0] > bus.shape[0]:
            bus = np.repeat(bus, 2, axis=0)
        _add(bus, wave, round(event.start * rate), round(held * rate), np.float32(level * event.gain), release, rate)
    return bus


def _echo(bus: Stereo, delay: int, gain: float) -> None:
    """Repeats the bus twice, a dotted eighth later each time."""
    dry = bus.copy()
    for times in (1, 2):
        at = times * delay
        if at < bus.shape[1]:
            bus[:, at:] += np.float32(gain**times) * dry[:, : bus.shape[1] - at]


def _pumping(frames: int, beat: float, depth: float) -> NDArray[np.float32]:
    """A gain that dips on every beat and comes back within half of it."""
    since = np.arange(frames, dtype=np.float32) % np.float32(beat)
    gain = 1.0 - depth * np.exp(since * np.float32(-8.0 / beat))
    result: NDArray[np.float32] = gain.astype(np.float32)
    return result


def _choked_ends(part: PlayedPart) -> dict[int, float]:
    """How long the open hi-hats sound: until the next closed one."""
    closing = sorted(e.start for e in part.events if e.key in _CHOKED[46])
    ends = {}
    for number, event in enumerate(part.events):
        if event.key in _CHOKED:
            after = next((start for start in closing if start > event.start + 0.03), event.start + 1.2)
            ends[number] = min(1.2, after - event.start)
    return ends


def _add(bus: Stereo, wave: Stereo, start: int, held: int, gain: np.float32, release: float, sample_rate: int) -> None:
    """Adds a note: its held part, then its release."""
    room = bus.shape[1] - start
    if room <= 0:
        return
    end = min(held, wave.shape[1], room)
    bus[:, start : start + end] += gain * wave[:, :end]
    tail = _release(round(release * sample_rate))
    last = min(end + len(tail), wave.shape[1], room)
    if last > end:
        bus[:, start + end : start + last] += wave[:, end:last] * (gain * tail[: last - end])


@lru_cache(maxsize=256)
def _release(frames: int) -> NDArray[np.float32]:
    """A fall of 60 dB, brought to zero."""
    curve = np.exp(np.linspace(0.0, -6.9, max(2, frames))) - 0.001
    result: NDArray[np.float32] = curve.astype(np.float32)
    return result


def _room(wet: NDArray[np.float32], space: float, sample_rate: int) -> Stereo:
    """Reverberation [2, frames] of a mono signal, computed at half the rate: a room swallows the highest tones."""
    frames = len(wet)
    padded = np.append(wet, np.float32(0.0)) if frames % 2 else wet
    half = 0.5 * (padded[0::2] + padded[1::2])
    reply = _reply(round(space * (_ROOMS - 1)), sample_rate // 2)
    size = scipy.fft.next_fast_len(len(half) + reply.shape[1], real=True)
    spectrum = scipy.fft.rfft(half, size)
    echo = scipy.fft.irfft(spectrum * _reply_spectrum(round(space * (_ROOMS - 1)), sample_rate // 2, size), size)
    out = np.empty((2, 2 * len(half)), dtype=np.float32)
    out[:, 0::2] = echo[:, : len(half)]
    out[:, 1:-1:2] = 0.5 * (echo[:, : len(half) - 1] + echo[:, 1 : len(half)])
    out[:, -1] = out[:, -2]
    return out[:, :frames]


@lru_cache(maxsize=32)
def _reply(room: int, sample_rate: int) -> Stereo:
    """A room's impulse response [2, frames]: noise that dies away, its high tones first, unit energy per channel."""
    seconds = 0.45 + 2.6 * room / (_ROOMS - 1)
    frames = int(seconds * sample_rate)
    noise = np.random.default_rng(1770 + room).standard_normal((2, frames))
    time = np.arange(frames) / sample_rate
    dark = np.copy(noise)
    for _ in range(2):
        dark[:, 1:] = 0.5 * (dark[:, 1:] + dark[:, :-1])
    tail = noise * np.exp(-13.0 * time / seconds) + 1.6 * dark * np.exp(-6.9 * time / seconds)
    tail *= np.clip(time / 0.012, 0.0, 1.0) ** 2
    tail /= np.sqrt((tail**2).sum(axis=1, keepdims=True))
    result: Stereo = tail.astype(np.float32)
    return result


@lru_cache(maxsize=64)
def _reply_spectrum(room: int, sample_rate: int, size: int) -> NDArray[np.complex64]:
    spectrum: NDArray[np.complex64] = scipy.fft.rfft(_reply(room, sample_rate), size, axis=1)
    return spectrum
