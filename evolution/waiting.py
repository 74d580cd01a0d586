"""The queue of the players: rows of chunks that wait, which a player takes in a fair order and deletes when answered.

Celery carries nothing but "a chunk waits". A chunk that is being played is claimed by its player's connection, so one
that died gives its chunk back at once, and the next player that looks takes it up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Sum
from django.utils import timezone

from evolution import fairness, locks, presence
from evolution.fairness import Flow, Waiting
from evolution.models import PlayerTime, Run, WaitingChunk
from evolution.takes import Instruments
from models_store.instruments import find

MOST_ATTEMPTS = 6
"""Players in a row that were lost with a chunk, before it is believed to be its fault."""

REMEMBERED = timedelta(hours=1)
"""How long what players did is known: many half-lives of `fairness.HALF_LIFE`, and what "of late" means."""

FORGOTTEN = timedelta(hours=6)
"""After which a chunk is deleted that no player took and no conductor asks for any more."""

NO_ROOM = "there is no room left where music is kept; what you heard and rated is safe"
NO_MEMORY = "the player's memory did not suffice; what you heard and rated is safe"
NOT_KEPT = "the place where music is kept does not take it at the moment; what you heard and rated is safe"
TOLD_TO_PEOPLE = (NO_ROOM, NO_MEMORY, NOT_KEPT)
"""Why music could not be made, where it is for everybody to know: nobody asked for something impossible."""

UNKNOWN_COST = 1.0
"""Seconds for a candidate, where nobody has played one yet: only the order of those who wait depends on it."""


@dataclass(frozen=True)
class Place:
    """Where a run stands.

    before: how many others are served before its next chunk. seconds: until its last one is played, if nobody else
    comes; None when that is not known.
    """

    before: int
    seconds: float | None


def chunk(
    kind: str,
    items: Sequence[dict[str, Any]],
    *,
    seconds: float,
    instruments: Instruments,
    reply: str,
    run: Flow = None,
    unheard: float = 0.0,
) -> WaitingChunk:
    """A chunk that is not stored yet."""
    word = alike(kind, instruments, seconds=seconds, genome=items[0].get("genome"))
    return WaitingChunk(
        run_id=run,
        kind=kind,
        instruments=asdict(instruments),
        seconds=seconds,
        items=list(items),
        size=len(items),
        alike=word,
        unheard=unheard,
        reply=reply,
    )


def alike(kind: str, instruments: Instruments, *, seconds: float, genome: Any) -> str:
    """What chunks have in common that can be played together; `genome` as JSON, None for files."""
    kind_of_genome = genome["shape"] if isinstance(genome, dict) else type(genome).__name__
    content = [kind, asdict(instruments), seconds, kind_of_genome]
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=32).hexdigest()


def is_batched(generator: str) -> bool:
    """Whether a piece costs a generator less the more it plays at once."""
    entry = find("generator", generator)
    return entry is not None and entry.batched


def add(chunks: Sequence[WaitingChunk]) -> None:
    """Let them wait; adding one again changes nothing."""
    WaitingChunk.objects.bulk_create(chunks, ignore_conflicts=True)


def forget(run_id: int) -> int:
    """Take away what waits for a run, played or not; whoever plays it stops after what is begun."""
    return WaitingChunk.objects.filter(run_id=run_id).delete()[0]


def withdraw(reply: str) -> None:
    """Take away what a conductor asked for."""
    WaitingChunk.objects.filter(reply=reply).delete()


@contextmanager
def taken(*, most: Callable[[WaitingChunk], int]) -> Iterator[list[WaitingChunk]]:
    """The fairest chunk and those that are played together with it, claimed inside the block; none where none waits.

    most: how many candidates may be played at once with the chunk that it is given.
    """
    with ExitStack() as claims:
        ordered = _order()
        first = None
        while ordered and first is None:
            first = _take(ordered[0], claims)
            if first is None:
                del ordered[0]
        if first is None:
            yield []
            return
        others = fairness.together(ordered, most=most(first))[1:]
        yield [first, *(one for one in (_take(other, claims) for other in others) if one is not None)]


def _order() -> list[Waiting]:
    """What nobody plays yet, in the order in which it is to be begun."""
    waiting, playing = _look()
    return fairness.order(waiting, _had(playing))


def _take(one: Waiting, claims: ExitStack) -> WaitingChunk | None:
    """The row, if nobody else took it meanwhile: claimed until `claims` are given back."""
    if not claims.enter_context(locks.claim(f"chunk:{one.name}")):
        return None
    with transaction.atomic():
        free = WaitingChunk.objects.select_for_update(skip_locked=True).filter(error="", attempts__lt=MOST_ATTEMPTS)
        row = free.filter(pk=one.name).first()
        if row is not None:
            row.attempts, row.taken_at = row.attempts + 1, timezone.now()
            row.save(update_fields=["attempts", "taken_at"])
    return row


def _look() -> tuple[list[Waiting], list[tuple[Waiting, float]]]:
    """What waits for a player, and what is being played, each with the seconds since it was taken."""
    each = seconds_each()
    usual = sum(each.values()) / len(each) if each else UNKNOWN_COST
    rows = WaitingChunk.objects.filter(error="").values_list(
        "pk", "run_id", "size", "unheard", "asked_at", "alike", "attempts", "taken_at"
    )
    found = list(rows)
    names = {f"chunk:{pk}": pk for pk, *_ in found}
    claimed = {names[name] for name in locks.held(list(names))}
    now, waiting, playing = timezone.now(), [], []
    for pk, run, size, unheard, asked, word, attempts, began in found:
        cost = size * each.get(word, usual)
        one = Waiting(str(pk), run, size, cost, fairness.weight(unheard), asked.timestamp(), word)
        if pk in claimed:
            playing.append((one, max(0.0, (now - began).total_seconds()) if began else 0.0))
        elif attempts < MOST_ATTEMPTS:
            waiting.append(one)
    return waiting, playing


def _had(playing: Sequence[tuple[Waiting, float]]) -> dict[Flow, float]:
    """Player seconds of each flow of late, faded, and what is being played for it."""
    had: dict[Flow, float] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            # A clock that was set back must not make of what was had just now more than it was.
            "SELECT run_id, sum(seconds * power(0.5, greatest(0, extract(epoch FROM now() - at)) / %s))"
            " FROM evolution_playertime WHERE at > %s GROUP BY run_id",
            [fairness.HALF_LIFE, timezone.now() - REMEMBERED],
        )
        had.update((flow, float(seconds)) for flow, seconds in cursor.fetchall())
    for one, _ in playing:
        had[one.flow] = had.get(one.flow, 0.0) + one.cost
    return had


def seconds_each(word: str | None = None) -> dict[str, float]:
    """What one candidate took a player of late, for all that can be played together, or for one such word."""
    rows = PlayerTime.objects.filter(at__gt=timezone.now() - REMEMBERED, played__gt=0)
    if word is not None:
        rows = rows.filter(alike=word)
    sums = rows.values("alike").annotate(spent=Sum("seconds"), count=Sum("played"))
    return {row["alike"]: row["spent"] / row["count"] for row in sums.order_by("alike")}


def place(run_id: int) -> Place | None:
    """Where a run's next chunk stands in the queue; None when none of its chunks waits or is being played."""
    if not WaitingChunk.objects.filter(run_id=run_id, error="").exists():
        return None
    waiting, playing = _look()
    ordered, known = fairness.order(waiting, _had(playing)), seconds_each()
    others = fairness.before(ordered, run_id)
    mine = [max(0.0, one.cost - spent) for one, spent in playing if one.flow == run_id]
    if others is None or mine:
        others = 0  # its music is being made
    players = presence.count().get("player", 0)
    told = {one.alike for one in waiting} | {one.alike for one, _ in playing}
    if not players or not told <= set(known):
        return Place(others, None)
    busy = sorted(max(0.0, one.cost - spent) for one, spent in playing)[-players:]
    last = fairness.finish(ordered, run_id, busy=[*busy, *[0.0] * (players - len(busy))])
    return Place(others, max([last or 0.0, *mine]))


def still_there(chunks: Sequence[WaitingChunk]) -> set[Any]:
    """The ids of those that are still asked for."""
    return set(WaitingChunk.objects.filter(pk__in=[one.pk for one in chunks]).values_list("pk", flat=True))


def moved(one: WaitingChunk, *, played: int, seconds: float) -> None:
    """A part of a chunk is stored: it is not the one that ends its players, and its flow has had this time."""
    WaitingChunk.objects.filter(pk=one.pk).update(attempts=1)
    if one.run_id is None or Run.objects.filter(pk=one.run_id).exists():  # it may have been deleted meanwhile
        PlayerTime.objects.create(run_id=one.run_id, kind=one.kind, alike=one.alike, played=played, seconds=seconds)


def hand_back(chunks: Sequence[WaitingChunk]) -> None:
    """A player ends in order: that is no attempt."""
    WaitingChunk.objects.filter(pk__in=[one.pk for one in chunks], attempts__gt=0).update(attempts=F("attempts") - 1)


def answer(one: WaitingChunk, error: str) -> bool:
    """It is made, or cannot be: whether anybody still asked for it."""
    rows = WaitingChunk.objects.filter(pk=one.pk)
    return bool(rows.update(error=error) if error else rows.delete()[0])


def sweep() -> None:
    """Delete what nobody asks for any more and what is too long ago to count."""
    now = timezone.now()
    WaitingChunk.objects.filter(asked_at__lt=now - FORGOTTEN).delete()
    PlayerTime.objects.filter(at__lt=now - 2 * REMEMBERED).delete()
