"""The plan of a piece: tempo, key, form and chords, which all parts share."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from models_store.generators.soundfont import harmony
from models_store.generators.soundfont.description import Description
from models_store.generators.soundfont.genres import GENRES, Genre
from models_store.generators.soundfont.harmony import Chord
from models_store.generators.soundfont.orchestration import Cast, cast
from models_store.generators.soundfont.score import Timeline

INTRO_FROM = 24.0
"""Seconds from which a piece is long enough to begin with an introduction; shorter ones start right in."""

INTRO_BARS = 4
_LONG_BAR = 2.7
_SWUNG_SIXTEENTHS = frozenset({"hip hop", "lo-fi", "funk", "house", "afrobeat", "soul", "trap"})
_FORM = ("A", "A'", "B", "A'")


@dataclass(frozen=True)
class Plan:
    """What all parts share. sections: of every bar. chords: of every bar, each with the step it starts at."""

    description: Description
    genre: Genre
    cast: Cast
    timeline: Timeline
    tonic: int
    mode: str
    sections: tuple[str, ...]
    phrase: int
    chords: tuple[list[tuple[int, Chord]], ...]
    seed: int

    def draw(self, part: str) -> random.Random:
        """A stream of its own for every part: another instrument or a longer piece changes no other part."""
        return random.Random(f"{self.seed} {self.description.genre} {part}")

    @property
    def is_long(self) -> bool:
        """Whether the piece begins with an introduction."""
        return self.sections[0] == "intro"

    def dynamics(self) -> list[float]:
        """How loud every bar is: phrases grow towards their end, the middle stands out, the start holds back."""
        levels = {"intro": 0.86, "B": 1.05}
        growth = [0.1 * (since % self.phrase) / (self.phrase - 1) for _, since in self.since()]
        return [levels.get(s, 1.0) * (0.94 + g) for s, g in zip(self.sections, growth, strict=True)]

    def windows(self, number: int) -> list[tuple[int, int, Chord]]:
        """(first step, end step, chord) of a bar's chords."""
        chords = self.chords[number]
        ends = [start for start, _ in chords[1:]] + [self.timeline.steps]
        return [(start, end, chord) for (start, chord), end in zip(chords, ends, strict=True)]

    def since(self) -> list[tuple[int, int]]:
        """Every bar and how many bars its section has lasted."""
        found, since = [], 0
        for number, section in enumerate(self.sections):
            since = 0 if number and section != self.sections[number - 1] else since
            found.append((number, since))
            since += 1
        return found


def plan(description: Description, *, seed: int, seconds: float) -> Plan:
    """The plan of a description and a seed; of its first bars, whatever `seconds` (below INTRO_FROM)."""
    genre = GENRES[description.genre]
    draw = random.Random(f"{seed} plan")
    bpm = description.bpm * 2.0 ** (description.tempo_spread * draw.uniform(-1.0, 1.0))
    bpm = min(224.0, max(36.0, bpm))
    tonic = draw.choice(range(12)) if description.tonic is None else description.tonic
    mood = draw.uniform(-1.0, 1.0)
    mode = description.mode or _mode(description, genre, mood)
    timeline = Timeline(bpm, genre.beats, description.swing, description.genre in _SWUNG_SIXTEENTHS)
    bars = math.ceil(seconds / timeline.bar_seconds) + 1
    phrase = 4 if timeline.bar_seconds > 1.9 else 8
    sections = _sections(bars, phrase, intro=seconds >= INTRO_FROM)
    return Plan(
        description=description,
        genre=genre,
        cast=cast(description, draw=random.Random(f"{seed} {description.genre} cast")),
        timeline=timeline,
        tonic=tonic,
        mode=mode,
        sections=sections,
        phrase=phrase,
        chords=_chords(description, genre, tonic, mode, sections, timeline, seed),
        seed=seed,
    )


def _mode(description: Description, genre: Genre, mood: float) -> str:
    """Minor more often the lower the valence; a genre's own mode where it has one for that side."""
    minor = mood > description.valence
    own = genre.mode
    if own == "blues":
        return "minor" if description.valence < -0.5 and minor else "blues"
    if own in ("phrygian", "phrygian dominant"):
        return own if description.valence < 0.5 else "major"
    if own and minor == harmony.is_minor(own):
        return own
    return "minor" if minor else "major"


def _sections(bars: int, phrase: int, *, intro: bool) -> tuple[str, ...]:
    start = ["intro"] * (INTRO_BARS if intro else 0)
    body = [_FORM[i // phrase % len(_FORM)] for i in range(max(0, bars - len(start)))]
    return tuple((start + body)[:bars])


def _chords(
    description: Description,
    genre: Genre,
    tonic: int,
    mode: str,
    sections: tuple[str, ...],
    timeline: Timeline,
    seed: int,
) -> tuple[list[tuple[int, Chord]], ...]:
    minor = harmony.is_minor(mode) or mode == "phrygian dominant"
    draw = random.Random(f"{seed} {description.genre} chords")
    options = genre.minor_progressions if minor else genre.major
    first = draw.choice(options)
    second = draw.choice([option for option in options if option != first] or [first])
    # Unclouded joy wants plain triads.
    colour = 3 if genre.colour == 4 and description.valence > 0.9 else genre.colour
    harmonies = [harmony.chords(p, tonic=tonic, minor=minor, colour=colour) for p in (first, second)]
    halved = timeline.bar_seconds > _LONG_BAR and timeline.beats == 4 and genre.chords not in ("drone", "slow_arp")
    found = []
    since = 0
    for number, section in enumerate(sections):
        since = 0 if number and section != sections[number - 1] else since
        chords = harmonies[1 if section == "B" else 0]
        if halved:
            found.append([(half * 8, chords[(2 * since + half) % len(chords)]) for half in (0, 1)])
        else:
            found.append([(0, chords[since % len(chords)])])
        since += 1
    return tuple(found)
