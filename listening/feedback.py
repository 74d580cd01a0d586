"""What a listener says: ratings, stored the moment they are given, and the wish for the next playlist."""

from __future__ import annotations

import math
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from evolution import runs
from evolution.models import Round
from listening import events, queue, quotas, selectors
from listening.models import Listener, Rating, Track

LONGEST_LISTEN = 24 * 3600.0  # seconds


class RatingError(ValueError):
    """A rating that says something impossible; the message says what was expected and what came."""


@dataclass(frozen=True)
class Opinion:
    """A rating as it was sent, checked. `never`: a dislike that means "never again"."""

    id: uuid.UUID
    track: uuid.UUID
    value: int
    seconds: float
    given_at: datetime
    never: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or self.value not in (-1, 0, 1):
            raise RatingError(f"value: expected 1 (like), -1 (dislike) or 0 (no opinion), got {self.value!r}")
        if not isinstance(self.never, bool):
            raise RatingError(f"never: expected true (never again) or false, got {str(self.never)[:80]!r}")
        if self.never and self.value != -1:
            raise RatingError(f"value: expected -1 (dislike) with never, got {self.value!r}")
        if not (math.isfinite(self.seconds) and 0 <= self.seconds <= LONGEST_LISTEN):
            raise RatingError(f"seconds: expected 0 to {LONGEST_LISTEN:.0f} seconds heard, got {self.seconds!r}")


@dataclass(frozen=True)
class Stored:
    """What came of a rating."""

    rating: Rating
    is_new: bool


def record(*, listener: Listener, opinion: Opinion) -> Stored:
    """Store a rating; the same id again changes nothing.

    Raises Track.DoesNotExist when the listener has no such track, Rating.DoesNotExist when the id is somebody else's
    rating, RatingError when it is the listener's for another track.
    """
    track = selectors.track(listener, opinion.track)
    given_at = _moment(track, opinion.given_at)
    rating = Rating(
        id=opinion.id,
        listener=listener,
        track=track,
        value=opinion.value,
        never=opinion.never,
        seconds=opinion.seconds,
        given_at=given_at,
    )
    try:
        with transaction.atomic():
            rating.save(force_insert=True)
    except IntegrityError:
        known = Rating.objects.get(pk=opinion.id, listener=listener)
        if known.track_id != track.pk:
            raise RatingError(f"id: expected one that was not used before, got {opinion.id}") from None
        return Stored(rating=known, is_new=False)
    return Stored(rating=rating, is_new=True)


def _moment(track: Track, given_at: datetime) -> datetime:
    """When a rating was given, as far as that can be believed.

    A clock that runs ahead must not make its ratings the last word for ever; but when it was ours that was set back,
    a change of mind still comes after what was said before.
    """
    latest = timezone.now() + timedelta(seconds=1)
    if given_at <= latest:
        return given_at
    before = Rating.objects.filter(track=track).aggregate(last=Max("given_at"))["last"]
    return min(given_at, latest if before is None else max(latest, before + timedelta(milliseconds=1)))


def evolve_if_rated(*, listener: Listener) -> selectors.Progress:
    """Begin the next round when enough of the newest playlist is rated and none is being made.

    Not when the listener has called one off since that playlist came, or has asked for as much as they may.
    """
    now = selectors.progress(listener)
    if now.evolving or now.cancelled or not now.rated >= now.needed > 0:
        return now
    with suppress(quotas.QuotaError):  # a rating is stored either way; the button says when it goes on
        evolve(listener=listener)
        return replace(now, evolving=True)
    return now


@transaction.atomic
def evolve(*, listener: Listener) -> Round:
    """Ask for the next playlist; while one is being made, that one is given.

    Raises listening.quotas.QuotaError, and asks for nothing, when the listener asked for as much as they may.
    """
    round_, is_new = runs.request_round(listener.run_id)
    if is_new:
        quotas.check(listener, round_)
        transaction.on_commit(lambda: queue.enqueue(round_.pk))
        transaction.on_commit(lambda: events.progress(listener, round_))
    return round_
