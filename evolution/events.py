"""What those who watch a run are told: one channel group per run. An event that cannot be sent is no reason to fail."""

from __future__ import annotations

import logging
from typing import Any

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from evolution import models as rows

logger = logging.getLogger(__name__)


def group(run_id: int) -> str:
    """The channel group of a run."""
    return f"run.{run_id}"


def run_changed(run: rows.Run) -> None:
    """A run began, rests, goes on or is over: {"type": "run.changed", "run", "status", "message"}."""
    send(group(run.pk), {"type": "run.changed", "run": run.pk, "status": str(run.status), "message": run.message})


def generation_stored(generation: rows.Generation) -> None:
    """A generation is stored: {"type": "generation.stored", "run", "generation"}, its id."""
    run = generation.round.run_id
    send(group(run), {"type": "generation.stored", "run": run, "generation": generation.pk})


def send(to: str, event: dict[str, Any]) -> None:
    """Send an event to a channel group, if the channel layer can be reached."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(to, event)
    except (redis.RedisError, OSError):
        logger.warning("%s was not sent to %s: a page asks again when it connects", event["type"], to)
