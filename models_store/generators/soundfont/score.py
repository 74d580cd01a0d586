"""What an arranger writes: notes on a grid of sixteenths, in parts, on a timeline of bars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

STEPS_PER_BEAT = 4

_LEVELS = {"X": 1.0, "x": 0.82, "o": 0.5}


class Note(NamedTuple):
    """bar, step: where it starts (steps may be fractions). length: in steps. strength: 0 to 1. key: MIDI."""

    bar: int
    step: float
    length: float
    key: int
    strength: float


class Hit(NamedTuple):
    """What a rhythm says: `letter` at `step` for `length` steps."""

    step: int
    length: int
    letter: str

    @property
    def strength(self) -> float:
        return _LEVELS.get(self.letter, 0.85)


def hits(rhythm: str) -> list[Hit]:
    """Reads a rhythm of sixteenths: `.` rests, `-` holds what sounds, anything else starts a note.

    `x--.x-..` is a note of three steps, a rest, a note of two steps, two rests.
    """
    found: list[Hit] = []
    for step, letter in enumerate(rhythm):
        if letter == "-" and found and found[-1].step + found[-1].length == step:
            found[-1] = found[-1]._replace(length=found[-1].length + 1)
        elif letter not in ".-":
            found.append(Hit(step, 1, letter))
    return found


@dataclass
class Part:
    """One instrument's notes, and its place in the mix. gain: factor. pan: -1 left to 1 right. send: to the room."""

    instrument: str
    role: str
    gain: float
    pan: float
    send: float
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True)
class Timeline:
    """Where a step falls in seconds. swing: 0 straight to 1 triplets, of eighths or (swing_sixteenths) sixteenths."""

    bpm: float
    beats: int
    swing: float
    swing_sixteenths: bool

    @property
    def steps(self) -> int:
        """Steps of a bar."""
        return self.beats * STEPS_PER_BEAT

    @property
    def bar_seconds(self) -> float:
        return self.beats * 60.0 / self.bpm

    def seconds(self, bar: int, step: float) -> float:
        """The time of a step: the second half of every (half) beat comes late by the swing."""
        unit = 2.0 if self.swing_sixteenths else 4.0
        whole, within = divmod(step, unit)
        middle = 0.5 + self.swing / 6.0
        share = within / unit
        swung = share * 2.0 * middle if share < 0.5 else middle + (share - 0.5) * 2.0 * (1.0 - middle)
        return (bar * self.steps + (whole + swung) * unit) * 60.0 / self.bpm / STEPS_PER_BEAT
