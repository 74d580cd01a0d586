"""Reads a SoundFont 2 file: which sample sounds for which key and velocity, and how.

Source: SoundFont Technical Specification 2.04 (Creative Technology, 2006), sections 5 to 8. What a preview renderer
does not need is left out: modulators, LFOs and effects sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DRUM_BANK = 128

# Generator numbers (section 8.1.2) and the values they have when a file does not say (section 8.1.3).
_START, _END, _LOOP_START, _LOOP_END = 0, 1, 2, 3
_START_COARSE, _END_COARSE, _LOOP_START_COARSE, _LOOP_END_COARSE = 4, 12, 45, 50
_ENVELOPE_TO_CUTOFF, _CUTOFF, _PAN, _FILTER_SUSTAIN = 11, 8, 17, 29
_ATTACK, _HOLD, _DECAY, _SUSTAIN, _RELEASE = 34, 35, 36, 37, 38
_INSTRUMENT, _KEYS, _VELOCITIES, _ATTENUATION = 41, 43, 44, 48
_COARSE_TUNE, _FINE_TUNE, _SAMPLE, _LOOPS, _SCALE, _ROOT = 51, 52, 53, 54, 56, 58
_DEFAULTS = {_CUTOFF: 13500, _ATTACK: -12000, _HOLD: -12000, _DECAY: -12000, _RELEASE: -12000, _SCALE: 100, _ROOT: -1}
_UNSIGNED = {_KEYS, _VELOCITIES, _INSTRUMENT, _SAMPLE, _LOOPS}
_NOT_ADDED = {_KEYS, _VELOCITIES, _INSTRUMENT, _SAMPLE, _LOOPS, _ROOT, *range(5), 12, 45, 50}

_Generators = dict[int, int]


@dataclass(frozen=True)
class Zone:
    """One sample of a preset: where it sounds and how.

    start, end, loop_start, loop_end: positions in the font's samples. loops: the loop repeats while the key is held.
    Times in seconds, `sustain` and `gain` as amplitude factors, `cutoff` in Hz, `pan` in [-1, 1].
    """

    low_key: int
    high_key: int
    low_velocity: int
    high_velocity: int
    start: int
    end: int
    loop_start: int
    loop_end: int
    loops: bool
    sample_rate: int
    root_key: int
    cents: float
    cents_per_key: float
    attack: float
    hold: float
    decay: float
    sustain: float
    release: float
    cutoff: float
    gain: float
    pan: float


@dataclass(frozen=True)
class SoundFont:
    """Every sample of a font (float32 [frames], full scale 1) and the zones of every (bank, program)."""

    samples: NDArray[np.float32]
    presets: dict[tuple[int, int], tuple[Zone, ...]]

    def zones(self, bank: int, program: int, key: int, velocity: int) -> tuple[Zone, ...]:
        """The zones that sound. A missing preset is played by its family's first, then by the piano or first kit."""
        for candidate in ((bank, program), (bank, program // 8 * 8), (bank, 0)):
            found = self.presets.get(candidate)
            if found:
                return tuple(
                    z for z in found if z.low_key <= key <= z.high_key and z.low_velocity <= velocity <= z.high_velocity
                )
        return ()


def read(path: Path) -> SoundFont:
    """The font of a `.sf2` file. Raises ValueError for a file that is none."""
    content = path.read_bytes()
    if content[:4] != b"RIFF" or content[8:12] != b"sfbk":
        raise ValueError(f"{path}: expected a SoundFont 2 file (RIFF sfbk), got {content[:12]!r}")
    chunks = {name: content[at : at + size] for name, at, size in _chunks(content, 12, len(content))}
    samples = np.frombuffer(chunks[b"smpl"], dtype="<i2").astype(np.float32) / 32768.0
    headers = _sample_headers(chunks[b"shdr"])
    instruments = _zone_lists(chunks[b"inst"], 22, chunks[b"ibag"], chunks[b"igen"], _SAMPLE)
    programs = _zone_lists(chunks[b"phdr"], 38, chunks[b"pbag"], chunks[b"pgen"], _INSTRUMENT)
    presets = {}
    for index, zones in enumerate(programs):
        at = index * 38
        program, bank = np.frombuffer(chunks[b"phdr"][at + 20 : at + 24], dtype="<u2").tolist()
        presets[bank, program] = tuple(
            _zone(outer, inner, headers[inner[_SAMPLE]])
            for outer in zones
            for inner in instruments[outer[_INSTRUMENT]]
            if _overlap(outer, inner)
        )
    return SoundFont(samples=samples, presets=presets)


def _chunks(content: bytes, at: int, end: int) -> list[tuple[bytes, int, int]]:
    found = []
    while at + 8 <= end:
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        if name == b"LIST":
            found += _chunks(content, at + 12, at + 8 + size)
        else:
            found.append((name, at + 8, size))
        at += 8 + size + size % 2
    return found


def _sample_headers(chunk: bytes) -> list[tuple[int, int, int, int, int, int, int]]:
    """(start, end, loop start, loop end, rate, root key, cents) of every sample."""
    kind = np.dtype([("name", "S20"), ("at", "<u4", 5), ("root", "u1"), ("cents", "i1"), ("link", "<u2", 2)])
    records = np.frombuffer(chunk, dtype=kind)
    return [(*map(int, r["at"]), int(r["root"]), int(r["cents"])) for r in records]  # type: ignore[misc]


def _zone_lists(headers: bytes, size: int, bags: bytes, generators: bytes, link: int) -> list[list[_Generators]]:
    """The zones of every preset or instrument, global zones merged into the others. The last record ends the list."""
    bag_column = 24 if size == 38 else 20
    firsts = [
        int.from_bytes(headers[i + bag_column : i + bag_column + 2], "little") for i in range(0, len(headers), size)
    ]
    bag = np.frombuffer(bags, dtype="<u2").reshape(-1, 2)[:, 0].tolist()
    table = np.frombuffer(generators, dtype="<u2").reshape(-1, 2).tolist()
    lists = []
    for first, last in pairwise(firsts):
        common: _Generators = {}
        zones = []
        for index in range(first, last):
            own = {g: v if g in _UNSIGNED or v < 32768 else v - 65536 for g, v in table[bag[index] : bag[index + 1]]}
            if link in own:
                zones.append({**common, **own})
            elif index == first:
                common = own
        lists.append(zones)
    return lists


def _range(zone: _Generators, which: int) -> tuple[int, int]:
    value = zone.get(which, 127 << 8)
    return value & 255, value >> 8


def _overlap(outer: _Generators, inner: _Generators) -> bool:
    pairs = ((_range(outer, which), _range(inner, which)) for which in (_KEYS, _VELOCITIES))
    return all(max(a[0], b[0]) <= min(a[1], b[1]) for a, b in pairs)


def _zone(outer: _Generators, inner: _Generators, header: tuple[int, int, int, int, int, int, int]) -> Zone:
    """An instrument's zone with what the preset adds to it (section 9.4: preset generators are offsets)."""
    start, end, loop_start, loop_end, rate, root, cents = header

    def value(which: int) -> int:
        own = inner.get(which, _DEFAULTS.get(which, 0))
        return own if which in _NOT_ADDED else own + outer.get(which, 0)

    keys = _range(outer, _KEYS), _range(inner, _KEYS)
    velocities = _range(outer, _VELOCITIES), _range(inner, _VELOCITIES)
    return Zone(
        low_key=max(keys[0][0], keys[1][0]),
        high_key=min(keys[0][1], keys[1][1]),
        low_velocity=max(velocities[0][0], velocities[1][0]),
        high_velocity=min(velocities[0][1], velocities[1][1]),
        start=start + value(_START) + 32768 * value(_START_COARSE),
        end=end + value(_END) + 32768 * value(_END_COARSE),
        loop_start=loop_start + value(_LOOP_START) + 32768 * value(_LOOP_START_COARSE),
        loop_end=loop_end + value(_LOOP_END) + 32768 * value(_LOOP_END_COARSE),
        loops=value(_LOOPS) in (1, 3),
        sample_rate=rate,
        root_key=value(_ROOT) if 0 <= value(_ROOT) <= 127 else root,
        cents=cents + 100.0 * value(_COARSE_TUNE) + value(_FINE_TUNE),
        cents_per_key=float(value(_SCALE)),
        attack=_seconds(value(_ATTACK)),
        hold=_seconds(value(_HOLD)),
        decay=_seconds(value(_DECAY)),
        sustain=_factor(value(_SUSTAIN)),
        release=_seconds(value(_RELEASE)),
        # The filter's envelope is taken at half its way: brighter than where it ends, darker than where it starts.
        cutoff=8.176 * 2.0 ** ((value(_CUTOFF) + 0.5 * value(_ENVELOPE_TO_CUTOFF)) / 1200.0),
        # EMU's hardware, which fonts are made for, applies 0.4 of the attenuation that a file names.
        gain=_factor(0.4 * max(0, value(_ATTENUATION))),
        pan=max(-1.0, min(1.0, value(_PAN) / 500.0)),
    )


def _seconds(timecents: int) -> float:
    return 0.0 if timecents <= -12000 else float(2.0 ** (min(timecents, 8000) / 1200.0))


def _factor(centibels: float) -> float:
    return float(10.0 ** (-max(0.0, centibels) / 200.0))
