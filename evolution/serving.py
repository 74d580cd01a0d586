"""The player's side of the queue: take what is fairest, play it in micro-batches, answer."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from evolution import broker, interruption, keeping, playing, waiting
from evolution.models import Evaluation, Recording, WaitingChunk
from models_store import devices

logger = logging.getLogger(__name__)

REPLY_SECONDS = 3600
MICRO_BATCH = 8
"""Candidates that are played at once: between two such batches is looked whether the others are still wanted."""
BATCHED_MICRO_BATCH = 512
"""The same of a generator that is faster the more it plays at once; it sees for itself what its memory holds."""

_RAN_OUT = {"event": "out_of_memory"}
"""What lines of the log are counted by, as `models_store.devices` counts them."""

Item = dict[str, Any]
Left = dict[Any, dict[str, Item]]
"""What each chunk, by its id, still lacks, by key."""

_KINDS: dict[str, tuple[Any, Callable[[Item, Sequence[Item]], None]]] = {
    WaitingChunk.Kind.EVALUATIONS: (Evaluation, playing.evaluate),
    WaitingChunk.Kind.RECORDINGS: (Recording, playing.record),
    WaitingChunk.Kind.FILES: (Evaluation, playing.hear_files),
}


def play_next() -> None:
    """Play the fairest chunk that waits, with those of others that can be played together with it, and reply.

    Does nothing where none waits. Raises Interrupted between two micro-batches when this process shall end: what is
    not played goes back at once.
    """
    with waiting.taken(most=_at_once) as chunks:
        try:
            _play(chunks)
        except interruption.Interrupted:
            waiting.hand_back(chunks)
            raise


def _at_once(chunk: WaitingChunk) -> int:
    return BATCHED_MICRO_BATCH if waiting.is_batched(chunk.instruments["generator"]) else MICRO_BATCH


def _play(chunks: Sequence[WaitingChunk]) -> None:
    """Play what is not stored yet of chunks that are alike; where that fails, each of them alone."""
    left = _missing(chunks)
    for chunk in chunks:
        if not left[chunk.pk]:
            _answer(chunk)
    while items := _next(chunks, left):
        interruption.check()
        started = time.monotonic()
        try:
            _KINDS[chunks[0].kind][1]({"instruments": chunks[0].instruments, "seconds": chunks[0].seconds}, items)
        except broker.SERVICES_LOST:
            raise  # no answer: the chunk is taken up again
        except Exception as failure:
            _failed([chunk for chunk in chunks if left.get(chunk.pk)], failure)
            return
        _played(chunks, left, items, seconds=time.monotonic() - started)


def _missing(chunks: Sequence[WaitingChunk]) -> Left:
    model, _ = _KINDS[chunks[0].kind] if chunks else (Evaluation, None)
    keys = [item["key"] for chunk in chunks for item in chunk.items]
    stored = set(model.objects.filter(pk__in=keys).values_list("pk", flat=True))
    return {chunk.pk: {item["key"]: item for item in chunk.items if item["key"] not in stored} for chunk in chunks}


def _next(chunks: Sequence[WaitingChunk], left: Left) -> list[Item]:
    """The next micro-batch of what is still wanted; none when all is played or nobody wants the rest."""
    wanted = waiting.still_there(chunks) if any(left.values()) else set()
    for pk in set(left) - wanted:
        del left[pk]
    found: dict[str, Item] = {}
    for lacking in left.values():
        found |= lacking
    return list(found.values())[: _at_once(chunks[0])] if found else []


def _played(chunks: Sequence[WaitingChunk], left: Left, items: Sequence[Item], *, seconds: float) -> None:
    """Note what was done for whom, and answer the chunks that lack nothing any more."""
    fresh, each = {item["key"] for item in items}, seconds / len(items)
    for chunk in chunks:
        lacking = left.get(chunk.pk, {})
        mine = [item["key"] for item in items if lacking.pop(item["key"], None) is not None]
        paid = [key for key in mine if key in fresh]  # what two ask for is played once, and counts for the first
        fresh.difference_update(paid)
        if paid:
            waiting.moved(chunk, played=len(paid), seconds=each * len(paid))
        if mine and not lacking:
            _answer(chunk)


def _failed(chunks: Sequence[WaitingChunk], failure: Exception) -> None:
    """Tell why, unless several were played together: then each is tried alone, for the fault may be another's."""
    lost = devices.is_lost(failure)
    if len(chunks) > 1 and not lost:
        for chunk in chunks:
            _play([chunk])
        return
    for chunk in chunks:
        _answer(chunk, _sentence(chunk, failure))
    if lost and os.environ.get("EVOMUSIC_ROLE") == "player":
        logger.error("the GPU is lost to this process, which ends: whoever started it starts another")
        os.kill(os.getpid(), signal.SIGTERM)  # Celery ends after this task


def _sentence(chunk: WaitingChunk, failure: Exception) -> str:
    if isinstance(failure, ValueError):
        return str(failure) or "the music could not be made"
    if isinstance(failure, devices.OutOfMemoryError):
        return f"{failure}; play shorter pieces, a smaller model, or on another device"
    if devices.is_out_of_memory(failure):
        logger.error("%s: memory ran out, and the player goes on", chunk.name, exc_info=failure, extra=_RAN_OUT)
        return waiting.NO_MEMORY
    if isinstance(failure, OSError) and failure.errno in keeping.NO_ROOM:
        logger.error("%s: %s: make room there, or take another disk", chunk.name, failure)
        return waiting.NO_ROOM
    if isinstance(failure, keeping.KeepingError):
        logger.error("%s: %s", chunk.name, failure)
        return waiting.NOT_KEPT
    logger.error("%s could not be played", chunk.name, exc_info=failure)
    return "the music could not be made, for a reason that is ours"


def _answer(chunk: WaitingChunk, error: str = "") -> None:
    """The chunk is made, or cannot be: nobody is told when nobody asks for it any more."""
    if not waiting.answer(chunk, error):
        return
    with broker.connect() as client:
        client.rpush(chunk.reply, json.dumps({"chunk": chunk.name, "error": error}))
        client.expire(chunk.reply, REPLY_SECONDS)
