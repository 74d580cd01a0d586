"""Melodies: a motif is stated, answered, developed and brought to rest, phrase by phrase."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from models_store.generators.soundfont.harmony import Chord, melody_scale, nearest, step_from
from models_store.generators.soundfont.score import Hit, Note, hits


class Style(NamedTuple):
    """cells: one-bar rhythms. leaps: how often the line leaps, in [0, 1]. reach: scale steps from its middle.

    rest: how often a bar of a phrase stays silent. ornament: how often a note gets a grace note.
    """

    cells: tuple[str, ...]
    leaps: float
    reach: int
    pentatonic: bool
    rest: float = 0.0
    ornament: float = 0.0


STYLES: dict[str, Style] = {
    "bebop": Style(("..x-x-x-x-x-x---", "x-x-x-x-x---..x-", "....x-x-x-x-x-x-", "x---..x-x-x-x---", "x-x-xxx-x-x-x-.."),
                   0.3, 6, False, 0.1, 0.15),
    "lyrical": Style(("x-----x-x-------", "x---x---x-----x-", "..x-x---x-------", "x-----x-x---x---",
        "x-------..x-x---"), 0.35, 5, False, 0.05),
    "blues": Style(("..x-x-x-x-----..", "x---x-x-......x-", "x-x-x---........", "....x-x-x-x-x---"), 0.3, 4, True,
        0.2, 0.3),
    "riff": Style(("x-x-..x-x-x-....", "x--x--x-..x-x-..", "x-xx..x-x---....", "x--x--x---x-x---"), 0.3, 4, True, 0.1),
    "hook": Style(("x--x--x-x---x-x-", "x-x-x--x--x-....", "..x-x-x-x--x--..", "x---x-x-x--x----",
        "x-x-x-x-x---x---"), 0.25, 4, True),
    "sparse": Style(("x-------........", "x--x--x---......", "....x---....x---", "......x-x---....",
        "x-----x-........"), 0.3, 4, True, 0.2),
    "anthem": Style(("x-----x-----x---", "x-------x---x---", "x---x---x-------", "x-----x-x-x-x---"), 0.45, 5, False),
    "lazy": Style(("..x-x-----x-....", "x---x-x---------", "....x-x-x---....", "x-----x---......",
        "..x-x-x-x-------"), 0.3, 4, True, 0.15),
    "twang": Style(("x-x-x-x-x---x-x-", "x---x-x-x-x-x---", "..x-x-x-x-x-x-..", "x-x-x---x-x-x---"), 0.35, 5, True,
        0.0, 0.3),
    "folk": Style(("x---x-x-x---x---", "x-x-x---x-x-x---", "x-----x-x---x---", "x---x---x-x-x-x-"), 0.25, 5, True,
        0.0, 0.1),
    "jig": Style(("x-x-x-x-x-x-x-x-", "x--xx-x-x--xx-x-", "x-xxx-x-x-x-x-x-", "x---x-x-x-x-x-x-"), 0.3, 5, False, 0.0,
        0.3),
    "classical": Style(("x-----x-x---x---", "x---x-x-x-x-x---", "x-------x-x-x-x-", "x---x---x-x-x---",
        "x--xx---x--xx---"), 0.3, 6, False, 0.0, 0.1),
    "running": Style(("xxxxxxxxx-x-x-x-", "x-xxxxxxx-xxxxxx", "x-x-xxxxxxxxx---", "x-x-x-x-xxxxx-x-"), 0.2, 7, False,
        0.0, 0.1),
    "floating": Style(("x---------------", "x-------x-------", "....x-----------", "x---------x-----"), 0.4, 4, True,
        0.2),
    "dramatic": Style(("x--xx---x-----x-", "x-----xxx---x---", "x---x-x-x-------", "xxx-x---x-------"), 0.4, 6, False,
        0.0, 0.2),
    "flamenco": Style(("xxxxx---xxxxx---", "x-xxx-x-x-------", "x---xxxxxxxxx---", "x-x-xxx-x-----.."), 0.15, 5,
        False, 0.1, 0.4),
    "chip": Style(("x-x-x-x-x-xxx-x-", "x-xxx-x-x-x-x---", "xxx-x-x-xxx-x-x-", "x--x--x-x--x--x-"), 0.4, 6, True),
    "fanfare": Style(("x---x-xxx---x---", "x--xx---x--xx---", "x-------x--xx---", "x-xxx---x---x---"), 0.6, 4, False),
    "raga": Style(("x-----x-xxx-x---", "x---xxx-x-----x-", "x-------x-x-xxx-", "x-xxx---x---xxx-"), 0.15, 5, False,
        0.05, 0.4),
}  # fmt: skip


@dataclass(frozen=True)
class Motif:
    """A bar's rhythm and the scale steps between its notes: what makes a tune the same tune when it returns."""

    rhythm: str
    moves: tuple[int, ...]

    def inverted(self) -> Motif:
        return Motif(self.rhythm, tuple(-move for move in self.moves))


@dataclass(frozen=True)
class Theme:
    """The bars of a four-bar phrase, and where each starts, in scale steps from the middle of the register."""

    bars: tuple[Motif | None, ...]
    offsets: tuple[int, ...]


def theme(style: str, *, density: float, beats: int, draw: random.Random) -> Theme:
    """Statement, answer, development, close: four bars of one motif and its kin."""
    form = STYLES[style]
    cells = sorted((cell[: beats * 4] for cell in form.cells), key=lambda cell: len(hits(cell)))
    # Between the sparsest and the busiest rhythms, by density; which of the near ones is the seed's choice.
    middle = density * (len(cells) - 1) + draw.uniform(-1.2, 1.2)
    first = cells[min(len(cells) - 1, max(0, round(middle)))]
    second = draw.choice([cell for cell in cells if cell != first] or [first])
    statement = Motif(first, _moves(len(hits(first)), form, draw))
    other = Motif(second, _moves(len(hits(second)), form, draw))
    start = draw.randint(-2, 2)
    answer_at = start + draw.choice((-2, -1, 1, 2))
    develop: Motif | None = draw.choice((statement.inverted(), other, other, statement))
    if draw.random() < form.rest:
        develop = None
    answer = statement if draw.random() < 0.8 else statement.inverted()
    close = Motif(_closing(first), _falling(len(hits(_closing(first))), draw))
    return Theme(
        (statement, answer, develop, close), (start, answer_at, start + draw.choice((0, 2, 3)), draw.randint(0, 3))
    )


def vary(original: Theme, style: str, *, draw: random.Random) -> Theme:
    """The theme again, its second half told differently: what an A' is to an A."""
    form = STYLES[style]
    bars = list(original.bars)
    third = bars[2] or bars[0]
    if third is not None:
        bars[2] = Motif(third.rhythm, _moves(len(third.moves) + 1, form, draw))
    offsets = (*original.offsets[:2], original.offsets[2] + draw.choice((-2, 1, 2)), original.offsets[3])
    return Theme(tuple(bars), offsets)


def contrast(original: Theme, *, draw: random.Random) -> Theme:
    """A middle section's theme: the same motifs upside down and in another order, higher."""
    bars = tuple(motif.inverted() if motif else None for motif in original.bars)
    lift = draw.choice((1, 2, 3))
    order = (2, 0, 1, 3) if bars[2] is not None else (1, 0, 2, 3)
    return Theme(tuple(bars[i] for i in order), tuple(original.offsets[i] + lift for i in order))


def bar(
    tune: Theme,
    index: int,
    *,
    number: int,
    chords: list[tuple[int, Chord]],
    centre: int,
    style: str,
    tonic: int,
    mode: str,
    last: bool,
    draw: random.Random,
) -> list[Note]:
    """Bar `index` (of 4) of a theme over the chords that start at steps of the bar. last: the close comes home."""
    motif = tune.bars[index]
    if motif is None:
        return []
    form = STYLES[style]
    rhythm = hits(motif.rhythm)
    notes: list[Note] = []
    key = _start(
        centre, tune.offsets[index], melody_scale(chords[0][1], tonic=tonic, mode=mode, pentatonic=form.pentatonic)
    )
    for i, hit in enumerate(rhythm):
        chord = next(c for start, c in reversed(chords) if start <= hit.step)
        scale = melody_scale(chord, tonic=tonic, mode=mode, pentatonic=form.pentatonic)
        move = motif.moves[(i - 1) % len(motif.moves)] if i and motif.moves else 0
        before = key
        key = step_from(nearest(key, scale), move, scale)
        if _is_strong(hit):
            # On to the next chord tone in the line's direction, so that leaning on chords does not stop the line.
            settled = nearest(key, chord.restful)
            key = step_from(before, 1 if move > 0 else -1, chord.restful) if move and settled == before else settled
        if last and i == len(rhythm) - 1:
            key = nearest(key, tuple(tone for tone in chord.tones[:3] if tone in chord.restful))
        key = _folded(key, centre, form.reach, scale)
        notes += _ornament(number, hit, key, scale, form, draw)
        strength = 0.92 if hit.step % 8 == 0 else 0.84 if hit.step % 4 == 0 else 0.74
        notes.append(Note(number, hit.step, hit.length * 0.96, key, strength + 0.06 * draw.random()))
    return notes


def _moves(count: int, form: Style, draw: random.Random) -> tuple[int, ...]:
    """Steps mostly, leaps sometimes; after a leap the line turns back."""
    moves: list[int] = []
    direction = draw.choice((-1, 1))
    for _ in range(max(0, count - 1)):
        if moves and abs(moves[-1]) > 1:
            direction = -1 if moves[-1] > 0 else 1
            moves.append(direction)
        elif draw.random() < form.leaps:
            moves.append(direction * draw.choice((2, 2, 3, 4)))
        elif draw.random() < 0.12:
            moves.append(0)
        else:
            moves.append(direction)
            direction = direction if draw.random() < 0.7 else -direction
    return tuple(moves)


def _falling(count: int, draw: random.Random) -> tuple[int, ...]:
    return tuple(draw.choice((-1, -1, -2, 1)) for _ in range(max(0, count - 1)))


def _closing(rhythm: str) -> str:
    """The rhythm's first half, then a long note."""
    half = len(rhythm) // 2
    head = rhythm[:half]
    return head + "x" + "-" * (len(rhythm) - half - 3) + ".."


def _is_strong(hit: Hit) -> bool:
    return hit.step % 8 == 0 or hit.length >= 4


def _start(centre: int, offset: int, scale: tuple[int, ...]) -> int:
    key = nearest(centre, scale)
    return step_from(key, offset, scale) if offset else key


def _folded(key: int, centre: int, reach: int, scale: tuple[int, ...]) -> int:
    """A line that left its register comes back by an octave."""
    limit = max(9, round(reach * 12 / len(scale)))
    while key > centre + limit:
        key -= 12
    while key < centre - limit:
        key += 12
    return key


def _ornament(number: int, hit: Hit, key: int, scale: tuple[int, ...], form: Style, draw: random.Random) -> list[Note]:
    if form.ornament == 0.0 or hit.length < 2 or hit.step == 0 or draw.random() >= form.ornament:
        return []
    return [Note(number, hit.step - 0.4, 0.4, step_from(key, draw.choice((-1, 1)), scale), 0.55)]
