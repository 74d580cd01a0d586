"""The family tree of a candidate: whose child it is, back over the generations, and a picture of that."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field

from evolution.models import Candidate, Generation

DEPTH = 4
"""Generations of ancestors that are shown; an elite's years count as one."""
MOST_ANCESTORS = 30
WINDOW = 16
"""Generations that are read at once."""


@dataclass
class Ancestor:
    """A candidate of the tree, where it was born: an elite is the candidate that it was kept from.

    index: which generation of the run, from 1. kept: for how many further generations. parents: ids in the tree.
    further: whether it has parents that are not in the tree.
    """

    id: uuid.UUID
    index: int
    position: int
    operators: list[str]
    kept: int = 0
    parents: list[uuid.UUID] = field(default_factory=list)
    further: bool = False
    row: Candidate | None = None
    named: list[Ancestor] = field(default_factory=list)
    """The parents themselves."""


@dataclass(frozen=True)
class _Entry:
    """What the tree is read from: a candidate without its words and genome."""

    id: uuid.UUID
    position: int
    parents: list[int]
    operators: list[str]
    elite: bool


class _Generations:
    """The generations of a run up to one of them, read backwards, many at once."""

    def __init__(self, last: Generation) -> None:
        self.ids: list[int] = []
        found = Generation.objects.filter(round__run=last.round.run_id).order_by("round__number", "number")
        for generation_id in found.values_list("pk", flat=True):
            self.ids.append(generation_id)
            if generation_id == last.pk:
                break
        self._read: dict[int, dict[int, _Entry]] = {}
        self._unread = len(self.ids)  # all generations of a smaller index are still to be read

    def at(self, index: int, position: int) -> _Entry | None:
        """The candidate of a generation (index from 1), if it is there."""
        while index <= self._unread:
            self._read_more()
        return self._read.get(index, {}).get(position)

    def _read_more(self) -> None:
        first = max(0, self._unread - WINDOW)
        index_of = {one: first + place for place, one in enumerate(self.ids[first : self._unread], start=1)}
        columns = ("generation_id", "pk", "position", "parents", "operators", "elite")
        for generation_id, *entry in Candidate.objects.filter(generation__in=list(index_of)).values_list(*columns):
            one = _Entry(*entry)
            self._read.setdefault(index_of[generation_id], {})[one.position] = one
        self._unread = first


def ancestors(candidate: Candidate, *, depth: int = DEPTH) -> list[Ancestor]:
    """The candidate and its ancestors, the youngest first, at most MOST_ANCESTORS of `depth` generations of parents."""
    generations = _Generations(candidate.generation)
    tree: dict[uuid.UUID, Ancestor] = {}
    found = _birth(generations, tree, len(generations.ids), candidate.position)
    level = [] if found is None else [found]
    for step in range(depth + 1):
        coming = []
        for ancestor, entry in level:
            if not entry.parents or ancestor.index == 1:
                continue
            if step == depth or len(tree) >= MOST_ANCESTORS:
                ancestor.further = True
                continue
            for position in dict.fromkeys(entry.parents):
                known = set(tree)
                parent = _birth(generations, tree, ancestor.index - 1, position)
                if parent is not None:
                    ancestor.parents.append(parent[0].id)
                    coming += [] if parent[0].id in known else [parent]
        level = coming
    rows = Candidate.objects.defer("genome").in_bulk(list(tree))
    for ancestor in tree.values():
        ancestor.row = rows[ancestor.id]
        ancestor.named = [tree[parent] for parent in ancestor.parents]
    return sorted(tree.values(), key=lambda one: (-one.index, one.position))


def _birth(
    generations: _Generations, tree: dict[uuid.UUID, Ancestor], index: int, position: int
) -> tuple[Ancestor, _Entry] | None:
    """Where the candidate came from: itself, or of an elite the one that was kept. Noted in the tree."""
    entry, kept = generations.at(index, position), 0
    while entry is not None and entry.elite and entry.parents and index > 1:
        before = generations.at(index - 1, entry.parents[0])
        if before is None:
            break
        entry, index, kept = before, index - 1, kept + 1
    if entry is None:
        return None
    ancestor = tree.setdefault(entry.id, Ancestor(entry.id, index, entry.position, entry.operators))
    ancestor.kept = max(ancestor.kept, kept)
    return ancestor, entry


@dataclass(frozen=True)
class Place:
    """Where an ancestor stands in the picture, in pixels."""

    ancestor: Ancestor
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """The tree as a drawing: the youngest on top, a line per generation that somebody was born in."""

    width: int
    height: int
    places: list[Place]
    edges: list[str]
    """SVG paths, from child to parent."""
    lines: list[tuple[int, float]]
    """The index of each generation, and how far down it stands."""


COLUMN, LINE, MARGIN, TOP, RADIUS = 116, 118, 92, 34, 17
LABEL = 55  # how far the words below a candidate reach: its lines begin there


def picture(tree: list[Ancestor]) -> Picture:
    """Where everybody stands; children draw their parents to their side."""
    lines: dict[int, list[Ancestor]] = defaultdict(list)
    for one in tree:
        lines[one.index].append(one)
    widest = max((len(line) for line in lines.values()), default=1)
    width = MARGIN + widest * COLUMN
    children: dict[uuid.UUID, list[float]] = defaultdict(list)
    places: dict[uuid.UUID, Place] = {}
    for number, index in enumerate(sorted(lines, reverse=True)):
        line = sorted(lines[index], key=lambda one: _mean(children[one.id], default=width / 2))
        room = (width - MARGIN) / len(line)
        for place, one in enumerate(line):
            places[one.id] = Place(one, MARGIN + (place + 0.5) * room, TOP + number * LINE)
            for parent in one.parents:
                children[parent].append(places[one.id].x)
    heights = [(index, TOP + number * LINE) for number, index in enumerate(sorted(lines, reverse=True))]
    edges = [_edge(places[one.id], places[parent]) for one in tree for parent in one.parents]
    return Picture(width, TOP + len(lines) * LINE, list(places.values()), edges, [(i, float(y)) for i, y in heights])


def _mean(values: list[float], *, default: float) -> float:
    return sum(values) / len(values) if values else default


def _edge(child: Place, parent: Place) -> str:
    start, end = child.y + LABEL, parent.y - RADIUS
    middle = (start + end) / 2
    return f"M{child.x:.1f} {start:.1f}C{child.x:.1f} {middle:.1f} {parent.x:.1f} {middle:.1f} {parent.x:.1f} {end:.1f}"
