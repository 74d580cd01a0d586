"""How hearings ended: weak evidence of what is liked, stored beside the ratings."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from listening.models import Listen, Listener, Track

LONGEST_HEARING = 24 * 3600.0  # seconds
SHORTEST_KEPT = 1.0
"""Seconds; who leafs through a playlist has heard nothing."""
MOST_A_DAY = 20
"""Hearings kept of one track in 24 hours; whatever comes more tells nothing new."""


class ListenError(ValueError):
    """A hearing that says something impossible; the message says what was expected and what came."""


@dataclass(frozen=True)
class Hearing:
    """A hearing as it was sent, checked: how much of a track was heard, and how that ended."""

    id: uuid.UUID
    track: uuid.UUID
    ending: str
    seconds: float
    given_at: datetime

    def __post_init__(self) -> None:
        if self.ending not in Listen.Ending.values:
            expected = ", ".join(Listen.Ending.values)
            raise ListenError(f"ending: expected one of {expected}, got {str(self.ending)[:80]!r}")
        if not (math.isfinite(self.seconds) and 0 <= self.seconds <= LONGEST_HEARING):
            raise ListenError(f"seconds: expected 0 to {LONGEST_HEARING:.0f} seconds heard, got {self.seconds!r}")


@transaction.atomic
def record(*, listener: Listener, hearings: Sequence[Hearing]) -> list[Listen]:
    """Store hearings, all or none; returns those that are new.

    One that is stored already, that was shorter than SHORTEST_KEPT or that is one too many of its track's day is passed
    over. Raises Track.DoesNotExist when the listener has no such track, Listen.DoesNotExist when an id is somebody
    else's hearing, ListenError when it is the listener's for another track.
    """
    # In one order, so that two requests cannot wait for each other's tracks; locked, so that the day's count holds.
    wanted = sorted({hearing.track for hearing in hearings})
    mine = Track.objects.filter(pk__in=wanted, listener=listener).order_by("pk")
    tracks = {track.pk: track for track in mine.select_for_update(no_key=True)}
    if len(tracks) < len(wanted):
        raise Track.DoesNotExist
    stored = (_store(listener, tracks[hearing.track], hearing) for hearing in hearings)
    return [listen for listen in stored if listen is not None]


def _store(listener: Listener, track: Track, hearing: Hearing) -> Listen | None:
    known = Listen.objects.filter(pk=hearing.id).first()
    if known is not None:
        _check_same(listener, track, known)
        return None
    if hearing.seconds < SHORTEST_KEPT:
        return None
    now = timezone.now()
    if Listen.objects.filter(track=track, stored_at__gt=now - timedelta(days=1)).count() >= MOST_A_DAY:
        return None
    listen = Listen(
        id=hearing.id,
        listener=listener,
        track=track,
        seconds=hearing.seconds,
        ending=hearing.ending,
        # A clock that runs ahead must not make its hearings the last word for ever.
        given_at=min(hearing.given_at, now + timedelta(seconds=1)),
    )
    try:
        with transaction.atomic():
            listen.save(force_insert=True)
    except IntegrityError:  # sent twice at once, for another track
        _check_same(listener, track, Listen.objects.get(pk=hearing.id))
        return None
    return listen


def _check_same(listener: Listener, track: Track, known: Listen) -> None:
    """Whether a hearing that is stored already is the one that was sent again; see `record` for what it raises."""
    if known.listener_id != listener.pk:
        raise Listen.DoesNotExist
    if known.track_id != track.pk:
        raise ListenError(f"id: expected one that was not used before, got {known.pk}")
