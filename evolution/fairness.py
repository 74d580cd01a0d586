"""Whose music is made next, by arithmetic alone: what waits, what everybody had lately, and how urgent it is.

Every listener's run is a flow. A flow is served in the order of what it had, divided by its weight, the least first;
what is about to be served counts as had at once, as a start tag does in start-time fair queueing (Goyal, Vin & Cheng,
"Start-time Fair Queueing", SIGCOMM 1996, section 2). Instead of a virtual clock, what was had fades with a half-life,
as in Kay & Lauder, "A Fair Share Scheduler", CACM 31(1), 1988: so the order follows from rows, and a player that comes
or dies has no clock to hand over. Who was away gains no more by it than some half-lives of nothing had.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Flow = int | None
"""A run; None: all who wait without one, such as somebody who wants to hear one candidate."""

HALF_LIFE = 300.0
"""Seconds after which what somebody had counts half."""

ENOUGH_UNHEARD = 60.0
"""Seconds of music that nobody need be hurried for: more is made long before it is over."""

MOST_WEIGHT = 4.0
"""Of somebody who has nothing left to hear, beside 1 for somebody who has enough."""


@dataclass(frozen=True)
class Waiting:
    """A chunk that waits.

    flow: for whom. size: how many candidates. cost: what it will take a player, in seconds. weight: of its flow, > 0.
    asked: when it was asked for, in seconds on any clock. alike: chunks of the same word can be played together.
    """

    name: str
    flow: Flow
    size: int
    cost: float
    weight: float
    asked: float
    alike: str = ""


def weight(unheard: float) -> float:
    """How much somebody counts who has `unheard` seconds of music left: 1 (enough of it) to `MOST_WEIGHT` (none)."""
    if not unheard >= 0:
        raise ValueError(f"unheard: expected seconds >= 0, got {unheard!r}")
    return 1.0 + (MOST_WEIGHT - 1.0) * max(0.0, 1.0 - unheard / ENOUGH_UNHEARD)


def faded(seconds: float, *, age: float) -> float:
    """What is left to count of `seconds` that were had `age` seconds ago."""
    return float(seconds * 0.5 ** (max(0.0, age) / HALF_LIFE))


def order(waiting: Sequence[Waiting], had: Mapping[Flow, float]) -> list[Waiting]:
    """All that waits in the order in which it is to be begun.

    had: player seconds of each flow of late, faded, with what is being played for it; who is not in it had nothing.
    Inside a flow the first asked is the first; between flows that had the same, too. O(n log n).
    """
    queues: dict[Flow, list[Waiting]] = defaultdict(list)
    for one in sorted(waiting, key=lambda one: (one.asked, one.name), reverse=True):
        queues[one.flow].append(one)
    served = {flow: had.get(flow, 0.0) for flow in queues}
    heap = [_tag(queue[-1], served) for queue in queues.values()]
    heapq.heapify(heap)
    ordered = []
    while heap:
        flow = heap[0][3].flow
        first = queues[flow].pop()
        ordered.append(first)
        served[flow] += first.cost
        if queues[flow]:
            heapq.heapreplace(heap, _tag(queues[flow][-1], served))
        else:
            heapq.heappop(heap)
    return ordered


def _tag(one: Waiting, served: Mapping[Flow, float]) -> tuple[float, float, str, Waiting]:
    return served[one.flow] / one.weight, one.asked, one.name, one


def together(ordered: Sequence[Waiting], *, most: int) -> list[Waiting]:
    """The first, and of the others those that can be played with it, in order, as long as they are `most` candidates.

    The first is given whatever its size; one that does not fit ends it, so that nobody small is passed over for ever.
    """
    if not ordered:
        return []
    first, size = ordered[0], ordered[0].size
    chosen = [first]
    for one in ordered[1:]:
        if one.alike != first.alike or not first.alike:
            continue
        if size + one.size > most:
            break
        chosen.append(one)
        size += one.size
    return chosen


def before(ordered: Sequence[Waiting], flow: Flow) -> int | None:
    """How many other flows are served before this one's first chunk; None when it has none that waits."""
    others: set[Flow] = set()
    for one in ordered:
        if one.flow == flow:
            return len(others)
        others.add(one.flow)
    return None


def finish(ordered: Sequence[Waiting], flow: Flow, *, busy: Sequence[float]) -> float | None:
    """Seconds until the last waiting chunk of a flow is played, if nobody else comes; None when it has none.

    busy: for every player that is there the seconds until it is free. Raises ValueError when there is none.
    """
    if not busy:
        raise ValueError("busy: expected the seconds of at least one player, got none")
    free, last = list(busy), None
    heapq.heapify(free)
    for one in ordered:
        done = heapq.heappop(free) + one.cost
        heapq.heappush(free, done)
        if one.flow == flow:
            last = done if last is None else max(last, done)
    return last


def cut(size: int, *, seconds_each: float | None, players: int, per_player: int, longest: float, most: int) -> int:
    """How many candidates a chunk of a population of `size` holds, 1 to `most`.

    Every player has `per_player` chunks, and none takes a player longer than about `longest` seconds: so long
    everybody else waits. seconds_each: what a candidate took of late; None: nobody knows.
    """
    if size < 1 or players < 1 or per_player < 1 or most < 1:
        raise ValueError(f"expected a size, players, chunks and most >= 1, got {(size, players, per_player, most)}")
    share = math.ceil(size / (players * per_player))
    if seconds_each:
        share = min(share, math.floor(longest / seconds_each))
    return min(max(share, 1), most)
