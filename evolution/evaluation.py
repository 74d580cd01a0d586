"""The conductor's side of evaluating: a population is cut into chunks, players play them, the rows come back.

The rows are the truth. A chunk's reply through Redis only says "look now"; when replies are lost, when a player is
killed or the broker forgets its queue, the rows and the claims tell what is missing, and it is asked for again.
"""

from __future__ import annotations

import json
import logging
import math
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import redis

from evolution import broker, genomes, interruption, locks, presence, tasks
from evolution.models import Evaluation, Recording
from evolution.takes import Instruments, SoundFile, Take
from models_store.instruments import find

logger = logging.getLogger(__name__)

CHUNKS_PER_PLAYER = 2
SMALLEST_CHUNK, LARGEST_CHUNK = 2, 64
LARGEST_BATCH = 512
"""Of what a generator plays that is faster the more it plays at once. A player has a GPU of its own: each has one
part of the population."""
MOST_ATTEMPTS = 6
LARGEST_MESSAGE = 64 * 2**20
"""Bytes; Redis refuses values of 512 MB, and Celery's envelope adds a third."""
EXPIRY = 1800  # seconds; a copy that no player acknowledged must not come back for ever
PATIENCE = 1.0  # seconds without a reply after which the rows are looked at


class PlayingError(RuntimeError):
    """A player could not play a chunk; the message is a sentence for people."""


def evaluate(
    takes: Sequence[Take], instruments: Instruments, *, on_wait: Callable[[str], None] | None = None
) -> dict[str, Evaluation]:
    """The evaluation of every take, by key; what is stored already is not played again.

    on_wait: told, in a sentence, what is being waited for when nothing moves.
    Raises PlayingError when a player cannot play one.
    """
    wanted = {take.key(instruments): take for take in takes}
    return _fulfil(Evaluation, tasks.play_evaluations, wanted, partial(_cut, instruments=instruments), on_wait)


def record(
    takes: Sequence[Take], instruments: Instruments, *, on_wait: Callable[[str], None] | None = None
) -> dict[str, Recording]:
    """The recording of every take, by key: a file that people can hear, and its evaluation."""
    wanted = {take.key(instruments): take for take in takes}
    return _fulfil(Recording, tasks.play_recordings, wanted, partial(_cut, instruments=instruments), on_wait)


def hear(sound: SoundFile, instruments: Instruments, *, on_wait: Callable[[str], None] | None = None) -> Evaluation:
    """The evaluation of a file: the mean of its windows. Players must be able to read the file."""
    key = sound.key(instruments)
    found = _fulfil(Evaluation, tasks.hear_files, {key: sound}, partial(_listen, instruments=instruments), on_wait)
    return found[key]


@dataclass
class _Chunk:
    """A message for one player and how often it was sent."""

    name: str
    message: dict[str, Any]
    attempts: int = 0
    was_claimed: bool = False

    @property
    def keys(self) -> list[str]:
        return [item["key"] for item in self.message["items"]]


def _fulfil(model: Any, task: Any, wanted: dict[str, Any], cut: Any, on_wait: Any) -> dict[str, Any]:
    """Rows of `model` for all keys of `wanted`; `cut` makes chunks of those that are missing."""
    rows = _rows(model, wanted)
    missing = {key: one for key, one in wanted.items() if key not in rows}
    if not missing:
        return rows
    reply = f"replies:{uuid.uuid4().hex}"
    chunks = {chunk.name: chunk for chunk in cut(missing, reply=reply)}
    for chunk in chunks.values():
        _send(task, chunk)
    with broker.connect() as client:
        while chunks:
            interruption.check()
            finished = _next_reply(client, reply)
            if finished in chunks:
                del chunks[finished]
            elif finished is None:
                _look_again(model, task, chunks, on_wait)
    return _rows(model, wanted)


def _rows(model: Any, keys: Iterable[str]) -> dict[str, Any]:
    return model.objects.in_bulk(list(keys))


def _cut(missing: dict[str, Take], *, instruments: Instruments, reply: str) -> list[_Chunk]:
    """Chunks of one length each, small enough that every player has some."""
    players = max(1, presence.count().get("player", 0))
    generator = find("generator", instruments.generator)
    if generator is not None and generator.batched:
        chunks_per_player, largest = 1, LARGEST_BATCH
    else:
        chunks_per_player, largest = CHUNKS_PER_PLAYER, LARGEST_CHUNK
    size = math.ceil(len(missing) / (players * chunks_per_player))
    size = min(max(size, SMALLEST_CHUNK), largest, _most_in_a_message(missing))
    chunks = []
    for seconds in sorted({take.seconds for take in missing.values()}):
        alike = [(key, take) for key, take in missing.items() if take.seconds == seconds]
        for start in range(0, len(alike), size):
            items = [
                {"key": key, "genome": genomes.to_json(take.genome), "seed": take.seed}
                for key, take in alike[start : start + size]
            ]
            chunks.append(_chunk(items, seconds, instruments, reply))
    return chunks


def _most_in_a_message(missing: dict[str, Take]) -> int:
    """How many of these genomes a message may hold; prompts are short."""
    widest = max((genomes.size(take.genome) for take in missing.values()), default=0)
    return max(1, LARGEST_MESSAGE // max(1, widest))


def _listen(missing: dict[str, SoundFile], *, instruments: Instruments, reply: str) -> list[_Chunk]:
    """A chunk for every file."""
    return [
        _chunk([{"key": key, "file": str(sound.path)}], sound.window, instruments, reply)
        for key, sound in missing.items()
    ]


def _chunk(items: list[dict[str, Any]], seconds: float, instruments: Instruments, reply: str) -> _Chunk:
    name = f"chunk:{uuid.uuid4().hex}"
    message = {
        "name": name,
        "reply": reply,
        "instruments": asdict(instruments),
        "seconds": seconds,
        "items": items,
    }
    return _Chunk(name, message)


def _send(task: Any, chunk: _Chunk) -> None:
    interruption.check()
    if chunk.attempts >= MOST_ATTEMPTS:
        raise PlayingError(f"the music could not be made: {MOST_ATTEMPTS} players in a row were lost while making it")
    chunk.attempts += 1
    chunk.was_claimed = False
    task.apply_async([chunk.message], expires=EXPIRY)


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


def _look_again(model: Any, task: Any, chunks: dict[str, _Chunk], on_wait: Any) -> None:
    """Nothing came for a while: drop what is stored, send again what nobody has."""
    stored = _rows(model, [key for chunk in chunks.values() for key in chunk.keys])
    for chunk in list(chunks.values()):
        if all(key in stored for key in chunk.keys):
            del chunks[chunk.name]
    if presence.count().get("player", 0) == 0:
        if on_wait:
            on_wait("No player is up. The round goes on as soon as one is back.")
        return
    in_queue = broker.waiting("gpu") != 0  # or nobody knows
    playing = locks.held(list(chunks))
    for chunk in chunks.values():
        if chunk.name in playing:
            chunk.was_claimed = True
        elif chunk.was_claimed or not in_queue:
            logger.warning("%s was lost; it is sent again", chunk.name)
            _send(task, chunk)
