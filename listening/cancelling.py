"""Calling a round off: the work for it stops, and what the listener had stays."""

from __future__ import annotations

from django.db import transaction

from evolution import runs, waiting
from evolution.models import Round
from listening import events
from listening.models import Listener, Playlist


@transaction.atomic
def cancel(*, listener: Listener) -> Round | None:
    """End the round that is being made for the listener; None when none is, or when its playlist is there already.

    What waits for it is taken away; what a player has begun it finishes, up to the end of a micro-batch. Ratings and
    what was evolved stay: the next round goes on from there.
    """
    pending = Round.objects.select_for_update().filter(run_id=listener.run_id, status__in=Round.PENDING)
    round_ = pending.select_related("run").first()
    if round_ is None or Playlist.objects.filter(round=round_).exists():
        return None
    runs.enter(round_, Round.Status.CANCELLED)
    waiting.forget(listener.run_id)
    transaction.on_commit(lambda: events.progress(listener, round_))
    return round_
