"""Ratings and hearings from requests to where they are stored."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from listening import feedback
from listening.feedback import Opinion, Stored
from listening.listens import Hearing
from listening.models import Listener
from public_api import said

Answer = tuple[int, dict[str, Any]]


def store_one(listener: Listener, rating_id: uuid.UUID, opinion: said.Opinion) -> Answer:
    """A rating, stored: the HTTP status and what to answer. Raises as `feedback.record`."""
    stored = _record(listener, rating_id, opinion)
    told = {"track": stored.rating.track_id, "value": stored.rating.value}
    return 201 if stored.is_new else 200, told | _progress(listener)


def store_many(listener: Listener, ratings: Sequence[said.IdentifiedOpinion]) -> Answer:
    """Ratings, stored, all or none: the HTTP status and what to answer. Raises as `feedback.record`."""
    with transaction.atomic():
        # In one order, so that two requests with the same ratings cannot wait for each other.
        stored = [_record(listener, one.id, one) for one in sorted(ratings, key=lambda one: one.id)]
    new = sum(one.is_new for one in stored)
    return 201 if new else 200, {"received": len(ratings), "stored": new} | _progress(listener)


def hearing(heard: said.Hearing) -> Hearing:
    """A hearing as it is stored."""
    return Hearing(
        id=heard.id,
        track=heard.track,
        ending=heard.ending,
        seconds=heard.seconds,
        given_at=heard.given_at or timezone.now(),
    )


def _record(listener: Listener, rating_id: uuid.UUID, opinion: said.Opinion) -> Stored:
    given = Opinion(
        id=rating_id,
        track=opinion.track,
        value=opinion.value,
        seconds=opinion.seconds,
        given_at=opinion.given_at or timezone.now(),
        never=opinion.never,
    )
    return feedback.record(listener=listener, opinion=given)


def _progress(listener: Listener) -> dict[str, Any]:
    """How far the newest playlist is; begins the next round when enough of it is rated."""
    progress = feedback.evolve_if_rated(listener=listener)
    return {"rated": progress.rated, "needed": progress.needed, "evolving": progress.evolving}
