"""The conductor's side of evaluating: a population is cut into chunks, players play them, the rows come back.

The rows are the truth: of what is heard, and of what waits (`evolution.waiting`). What goes through Redis only says
"look now"; when it is lost, when a player is killed or the broker forgets its queue, the rows and the claims tell what
is missing, and the players are told again that it waits.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import redis

from evolution import broker, fairness, genomes, interruption, locks, presence, tasks, waiting
from evolution.models import Evaluation, Recording, WaitingChunk
from evolution.takes import Instruments, SoundFile, Take

logger = logging.getLogger(__name__)

CHUNKS_PER_PLAYER = 2
LARGEST_CHUNK, LONGEST_CHUNK = 64, 2.0
"""Candidates, and a player's seconds as they were of late: as long as that everybody else waits."""
LARGEST_BATCH, LONGEST_BATCH = 512, 20.0
"""The same of what a generator plays that is faster the more it plays at once: each player has one part of the
population, as far as that does not keep others waiting."""
LARGEST_MESSAGE = 64 * 2**20
"""Bytes of a chunk's genomes; PostgreSQL's jsonb holds four times as much."""
EXPIRY = 1800  # seconds; a message that no player acknowledged must not come back for ever
PATIENCE = 1.0  # seconds without a reply after which the rows are looked at


class PlayingError(RuntimeError):
    """A player could not play a chunk; the message is a sentence for people."""


@dataclass(frozen=True)
class Asker:
    """On whose behalf music is asked for.

    run: their run; None: nobody's. unheard: seconds of music they have left to hear. still_wanted: raises when they
    want it no more. on_place: told, now and then, that where they stand in the queue may have changed.
    """

    run: int | None = None
    unheard: float = 0.0
    still_wanted: Callable[[], None] | None = None
    on_place: Callable[[], None] | None = None


_NOBODY = Asker()
_asker: ContextVar[Asker] = ContextVar("asker", default=_NOBODY)


@contextmanager
def asked_by(asker: Asker) -> Iterator[None]:
    """Whatever this thread asks players for inside the block is asked for on somebody's behalf.

    What waits for their run still, from a conductor that died, is taken away: it is asked for anew.
    """
    if asker.run is not None:
        waiting.forget(asker.run)
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


def evaluate(
    takes: Sequence[Take], instruments: Instruments, *, on_wait: Callable[[str], None] | None = None
) -> dict[str, Evaluation]:
    """The evaluation of every take, by key; what is stored already is not played again.

    on_wait: told, in a sentence, what is being waited for when nothing moves.
    Raises PlayingError when a player cannot play one.
    """
    wanted = {take.key(instruments): take for take in takes}
    cut = partial(_cut, kind=WaitingChunk.Kind.EVALUATIONS, instruments=instruments)
    return _fulfil(Evaluation, wanted, cut, on_wait)


def record(
    takes: Sequence[Take], instruments: Instruments, *, on_wait: Callable[[str], None] | None = None
) -> dict[str, Recording]:
    """The recording of every take, by key: a file that people can hear, and its evaluation."""
    wanted = {take.key(instruments): take for take in takes}
    cut = partial(_cut, kind=WaitingChunk.Kind.RECORDINGS, instruments=instruments)
    return _fulfil(Recording, wanted, cut, on_wait)


def hear(sound: SoundFile, instruments: Instruments, *, on_wait: Callable[[str], None] | None = None) -> Evaluation:
    """The evaluation of a file: the mean of its windows. Players must be able to read the file."""
    key = sound.key(instruments)
    return _fulfil(Evaluation, {key: sound}, partial(_listen, instruments=instruments), on_wait)[key]


def _fulfil(model: Any, wanted: dict[str, Any], cut: Any, on_wait: Any) -> dict[str, Any]:
    """Rows of `model` for all keys of `wanted`; `cut` makes chunks of those that are missing."""
    _go_on()
    stored = _stored(model, wanted)
    missing = {key: one for key, one in wanted.items() if key not in stored}
    if not missing:
        return _rows(model, wanted)
    reply = f"replies:{uuid.uuid4().hex}"
    chunks = {chunk.name: chunk for chunk in cut(missing, reply=reply)}
    try:
        waiting.add(list(chunks.values()))
        _call_players(len(chunks))
        with broker.connect() as client:
            while chunks:
                _go_on()
                finished = _next_reply(client, reply)
                if finished in chunks:
                    del chunks[finished]
                elif finished is None:
                    _look_again(model, chunks, on_wait)
    except BaseException:
        with suppress(*broker.SERVICES_LOST):  # then they are taken away when the round is taken up again
            waiting.withdraw(reply)
        raise
    return _rows(model, wanted)


def _go_on() -> None:
    """A place where the work can end: when this process shall, or when whoever asked does not want it any more."""
    interruption.check()
    asker = _asker.get()
    if asker.still_wanted is not None:
        asker.still_wanted()


def _rows(model: Any, keys: Iterable[str]) -> dict[str, Any]:
    return model.objects.in_bulk(list(keys))


def _stored(model: Any, keys: Iterable[str]) -> set[str]:
    return set(model.objects.filter(pk__in=list(keys)).values_list("pk", flat=True))


def _cut(missing: dict[str, Take], *, kind: str, instruments: Instruments, reply: str) -> list[WaitingChunk]:
    """Chunks of one length and one kind of genome each, small enough that every player has some and nobody starves."""
    asker, chunks = _asker.get(), []
    for seconds, items in _alike(missing):
        size = _size(items, kind=kind, seconds=seconds, instruments=instruments)
        chunks += [
            waiting.chunk(
                kind,
                items[start : start + size],
                seconds=seconds,
                instruments=instruments,
                reply=reply,
                run=asker.run,
                unheard=asker.unheard,
            )
            for start in range(0, len(items), size)
        ]
    return chunks


def _alike(missing: dict[str, Take]) -> Iterator[tuple[float, list[dict[str, Any]]]]:
    """Items by their length and by what their genomes are, each in order."""
    groups: dict[tuple[float, str], list[dict[str, Any]]] = {}
    for key, take in missing.items():
        kind = "prompt" if isinstance(take.genome, str) else str(take.genome.shape)
        item = {"key": key, "genome": genomes.to_json(take.genome), "seed": take.seed}
        groups.setdefault((take.seconds, kind), []).append(item)
    for (seconds, _), items in sorted(groups.items(), key=lambda group: group[0]):
        yield seconds, items


def _size(items: list[dict[str, Any]], *, kind: str, seconds: float, instruments: Instruments) -> int:
    """How many of these go into a chunk."""
    word = waiting.alike(kind, instruments, seconds=seconds, genome=items[0]["genome"])
    batched = waiting.is_batched(instruments.generator)
    widest = max(len(json.dumps(item["genome"])) for item in items)
    return fairness.cut(
        len(items),
        seconds_each=waiting.seconds_each(word).get(word),
        players=max(1, presence.count().get("player", 0)),
        per_player=1 if batched else CHUNKS_PER_PLAYER,
        longest=LONGEST_BATCH if batched else LONGEST_CHUNK,
        most=max(1, min(LARGEST_BATCH if batched else LARGEST_CHUNK, LARGEST_MESSAGE // widest)),
    )


def _listen(missing: dict[str, SoundFile], *, instruments: Instruments, reply: str) -> list[WaitingChunk]:
    """A chunk for every file."""
    asker = _asker.get()
    return [
        waiting.chunk(
            WaitingChunk.Kind.FILES,
            [{"key": key, "file": str(sound.path)}],
            seconds=sound.window,
            instruments=instruments,
            reply=reply,
            run=asker.run,
            unheard=asker.unheard,
        )
        for key, sound in missing.items()
    ]


def _call_players(count: int) -> None:
    """Tell the players that so many chunks wait."""
    for _ in range(count):
        interruption.check()
        tasks.play_waiting.apply_async(expires=EXPIRY)


def _next_reply(client: redis.Redis, reply: str) -> str | None:
    """The name of a finished chunk, or None when nothing came in time. Raises PlayingError for a failed one."""
    try:
        answer = client.blpop([reply], timeout=PATIENCE)
    except redis.RedisError:
        time.sleep(PATIENCE)
        return None
    if answer is None:
        return None
    content = json.loads(answer[1])
    if content["error"]:
        raise PlayingError(content["error"])
    return str(content["chunk"])


def _look_again(model: Any, chunks: dict[str, WaitingChunk], on_wait: Any) -> None:
    """Nothing came for a while: drop what is stored, ask again for what got lost. Raises PlayingError as a reply would.

    A chunk that no player has, when no message is left that calls one, was left by a player that died.
    """
    asked = WaitingChunk.objects.filter(pk__in=[one.pk for one in chunks.values()]).only("error", "attempts")
    there = {row.name: row for row in asked}
    stored = _stored(model, [item["key"] for chunk in chunks.values() for item in chunk.items])
    for name, chunk in list(chunks.items()):
        if all(item["key"] in stored for item in chunk.items):
            del chunks[name]
        elif name not in there:
            waiting.add([chunk])
        elif there[name].error:
            raise PlayingError(there[name].error)
    if presence.count().get("player", 0) == 0:
        if on_wait:
            on_wait("No player is up. The round goes on as soon as one is back.")
        return
    _tell_place()
    free = set(chunks) - locks.held(list(chunks))
    if any(there[name].attempts >= waiting.MOST_ATTEMPTS for name in free & set(there)):
        lost = waiting.MOST_ATTEMPTS
        raise PlayingError(f"the music could not be made: {lost} players in a row were lost while making it")
    if free and broker.waiting("gpu") == 0:  # None: nobody knows
        logger.info("%d chunks wait and nobody was told: the players are called again", len(free))
        _call_players(len(free))


def _tell_place() -> None:
    asker = _asker.get()
    if asker.on_place is not None:
        asker.on_place()
