"""Makes a piece of a description: every part's notes, humanised, placed in time and brought to an end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from models_store.generators.soundfont import drums, form, harmony, parts
from models_store.generators.soundfont.description import Description
from models_store.generators.soundfont.form import Plan
from models_store.generators.soundfont.instruments import INSTRUMENTS
from models_store.generators.soundfont.score import Part, Timeline

ENDING_FROM = 8.0
"""Seconds from which a piece comes to an end on its tonic; shorter ones are excerpts of a longer one's beginning."""

_PUMPED = {"house": 0.55, "trance": 0.6, "techno": 0.45, "synthwave": 0.3, "dubstep": 0.35}
"""Genres whose kick pushes everything else aside, and by how much."""


@dataclass(frozen=True)
class Event:
    """A sound: when it starts and how long its key is held, in seconds; its MIDI key; its gain."""

    start: float
    length: float
    key: int
    gain: float


@dataclass(frozen=True)
class PlayedPart:
    """One instrument's sounds and its place in the mix. echo: how loud it comes back after a dotted eighth."""

    instrument: str
    role: str
    gain: float
    pan: float
    send: float
    echo: float
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Piece:
    """All that a mixer needs. bpm: after the seed's choice. tonic: semitones above C. fade: seconds of fading out.

    pump: how far the beat pushes the other parts down, in [0, 1]."""

    parts: tuple[PlayedPart, ...]
    seconds: float
    bpm: float
    tonic: int
    mode: str
    fade: float
    brightness: float
    space: float
    pump: float


def arrange(description: Description, *, seed: int, seconds: float) -> Piece:
    """The piece of a description and a seed; the first bars do not depend on `seconds` (below INTRO_FROM)."""
    plan = form.plan(description, seed=seed, seconds=seconds)
    end = _end(plan.timeline, seconds)
    played = tuple(_played(plan, part, end, seconds) for part in parts.parts(plan))
    return Piece(
        parts=tuple(part for part in played if part.events),
        seconds=seconds,
        bpm=plan.timeline.bpm,
        tonic=plan.tonic,
        mode=plan.mode,
        fade=min(2.5, 0.14 * seconds) if seconds >= ENDING_FROM else min(0.12, 0.1 * seconds),
        brightness=description.brightness,
        space=description.space,
        pump=_PUMPED.get(description.genre, 0.0) if plan.cast.kit else 0.0,
    )


def _end(timeline: Timeline, seconds: float) -> float:
    """When the last chord is struck: on a half bar that leaves it time to ring; past the end for excerpts."""
    if seconds < ENDING_FROM:
        return math.inf
    half = timeline.bar_seconds / 2.0
    return max(0.0, math.floor((seconds - min(2.6, 0.14 * seconds)) / half) * half)


def _played(plan: Plan, part: Part, end: float, seconds: float) -> PlayedPart:
    """A part's notes as sounds: nobody plays exactly on the grid or twice equally loud."""
    draw = plan.draw(f"{part.role} hands")
    acoustic = max(0.0, INSTRUMENTS[part.instrument].acoustic)
    looseness = (0.002 if part.role in ("drums", "bass") else 0.003) + 0.005 * acoustic * (
        1.0 - 0.4 * plan.description.energy
    )
    punch = 1.1 + 0.7 * plan.description.energy
    timeline = plan.timeline
    step = timeline.bar_seconds / timeline.steps
    events = []
    levels = plan.dynamics()
    for note in part.notes:
        shift, force = draw.gauss(0.0, looseness), draw.gauss(1.0, 0.05)
        start = max(0.0, timeline.seconds(note.bar, note.step) + min(0.02, max(-0.02, shift)))
        if start < seconds and start < end - 0.02:
            length = min(note.length * step, end - start)
            events.append(Event(start, length, note.key, max(0.05, note.strength * levels[note.bar] * force) ** punch))
    if end < seconds:
        events += _last_chord(plan, part, end, seconds)
    synthetic = part.role in ("lead", "arp") and plan.genre.acoustic < -0.4
    echo = 0.3 * min(1.0, 0.3 + plan.description.space) if synthetic else 0.0
    return PlayedPart(part.instrument, part.role, part.gain, part.pan, part.send, echo, tuple(events))


def _last_chord(plan: Plan, part: Part, end: float, seconds: float) -> list[Event]:
    minor = harmony.is_minor(plan.mode)
    tonic = harmony.chords("i" if minor else "I", tonic=plan.tonic, minor=minor, colour=3)[0]
    length = seconds - end
    if part.role == "drums":
        struck = ("kick", "crash") if plan.description.energy > 0.35 else ("kick",)
        return [Event(end, 1.0, drums.KEYS[name], 0.6) for name in struck]
    before = [note.key for note in part.notes] or [60]
    middle = sum(before) / len(before)
    if part.role == "lead":
        return [Event(end, length, harmony.nearest(before[-1], (tonic.root, tonic.third)), 0.7)]
    if part.role == "bass":
        return [Event(end, length, harmony.nearest(middle, (tonic.root,)), 0.85)]
    return [
        Event(end + 0.012 * i, length, key, 0.7)
        for i, key in enumerate(harmony.voicing(tonic, before=(), centre=middle, voices=3))
    ]
