"""The players' door (queue `gpu`). What it calls is imported inside: the web process must not import torch."""

from __future__ import annotations

from celery import shared_task


@shared_task
def play_waiting() -> None:
    """A chunk waits: which one is looked up in the rows, so that the fairest is played and not the oldest."""
    from evolution import serving

    serving.play_next()
