"""What the page's scripts ask, in JSON. Doors: parse, one call, answer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_POST

from listening import cancelling, feedback, listeners, listens, selectors
from listening.feedback import Opinion, RatingError
from listening.listens import Hearing, ListenError
from listening.models import Listen, Listener, Playlist, Rating, Track
from listening.quotas import QuotaError

Answer = tuple[dict[str, Any], int]
View = Callable[..., JsonResponse]

MOST_LISTENS = 100
"""Hearings in one message."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was said before: a browser's clock that tells so stands where it was made, and a rating counts nevertheless.

A moment of the year 1 with an offset would be stored, in UTC, where no row can be read again.
"""


class FieldError(ValueError):
    """A field that is not there or is of another kind; the message names it, what was expected and what came."""


def for_listener(view: View) -> View:
    """Give the view the listener; somebody without one is told so."""

    @wraps(view)
    def door(request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        listener = listeners.of_user(request.user)
        if listener is None:
            return JsonResponse({"error": "Expected a listener, got nobody: start listening or log in."}, status=401)
        return view(request, listener, *args, **kwargs)

    return door


@require_POST
@for_listener
def rate(request: HttpRequest, listener: Listener) -> JsonResponse:
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        return JsonResponse({"error": "Expected a rating as JSON, got something else."}, status=400)
    answer, status = store_rating(listener, content)
    return JsonResponse(answer, status=status)


@require_POST
@for_listener
def listen(request: HttpRequest, listener: Listener) -> JsonResponse:
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        return JsonResponse({"error": "Expected a hearing as JSON, got something else."}, status=400)
    answer, status = store_listens(listener, content)
    return JsonResponse(answer, status=status)


@require_POST
@for_listener
def evolve(request: HttpRequest, listener: Listener) -> JsonResponse:
    try:
        round_ = feedback.evolve(listener=listener)
    except QuotaError as error:
        answer = {"error": str(error), "retry_after": error.seconds}
        return JsonResponse(answer, status=429, headers={"Retry-After": str(error.seconds)})
    return JsonResponse({"round": selectors.round_state(round_)}, status=202)


@require_POST
@for_listener
def cancel(request: HttpRequest, listener: Listener) -> JsonResponse:
    cancelled = cancelling.cancel(listener=listener)
    return JsonResponse({"cancelled": cancelled is not None, **selectors.state(listener)})


@require_GET
@for_listener
def state(request: HttpRequest, listener: Listener) -> JsonResponse:
    return JsonResponse(selectors.state(listener))


@require_GET
@for_listener
def playlist(request: HttpRequest, listener: Listener, playlist_id: uuid.UUID) -> JsonResponse:
    try:
        return JsonResponse(selectors.playlist_content(selectors.playlist(listener, playlist_id)))
    except Playlist.DoesNotExist:
        return JsonResponse({"error": "There is no such playlist."}, status=404)


def store_rating(listener: Listener, content: Any) -> Answer:
    """A rating as it came, stored: what to answer, and the HTTP status of that. Nothing is stored on an error."""
    try:
        opinion = parse_opinion(content)
        stored = feedback.record(listener=listener, opinion=opinion)
    except (RatingError, FieldError) as error:
        return {"error": str(error)}, 400
    except Track.DoesNotExist:
        return {"error": "There is no such track."}, 404
    except Rating.DoesNotExist:
        return {"error": "There is no such rating."}, 404
    progress = feedback.evolve_if_rated(listener=listener)
    answer = {
        "track": str(stored.rating.track_id),
        "value": stored.rating.value,
        "rated": progress.rated,
        "needed": progress.needed,
        "evolving": progress.evolving,
    }
    return answer, 201 if stored.is_new else 200


def store_listens(listener: Listener, content: Any) -> Answer:
    """A hearing or a list of them as they came, stored: what to answer, and its HTTP status. All are stored or none.

    201 when one was new; 200 when all were known already, too short or too many to be kept.
    """
    try:
        hearings = parse_hearings(content)
        stored = listens.record(listener=listener, hearings=hearings)
    except (ListenError, FieldError) as error:
        return {"error": str(error)}, 400
    except Track.DoesNotExist:
        return {"error": "There is no such track."}, 404
    except Listen.DoesNotExist:
        return {"error": "There is no such hearing."}, 404
    return {"received": len(hearings), "stored": len(stored)}, 201 if stored else 200


def parse_opinion(content: Any) -> Opinion:
    """A rating from JSON. Raises RatingError or FieldError that name the field, what was expected and what came."""
    if not isinstance(content, dict):
        raise RatingError(f"Expected a rating as a JSON object, got {type(content).__name__}")
    return Opinion(
        id=_uuid(content, "id"),
        track=_uuid(content, "track"),
        value=content.get("value"),  # type: ignore[arg-type]  # checked by Opinion
        seconds=_seconds(content),
        given_at=_moment(content),
        never=content.get("never", False),
    )


def parse_hearings(content: Any) -> list[Hearing]:
    """Hearings from JSON, one or a list. Raises ListenError or FieldError like `parse_opinion`."""
    if not isinstance(content, list):
        return [_hearing(content)]
    if not 1 <= len(content) <= MOST_LISTENS:
        raise ListenError(f"Expected 1 to {MOST_LISTENS} hearings, got {len(content)}")
    return [_hearing(one) for one in content]


def _hearing(content: Any) -> Hearing:
    if not isinstance(content, dict):
        raise ListenError(f"Expected a hearing as a JSON object, got {type(content).__name__}")
    return Hearing(
        id=_uuid(content, "id"),
        track=_uuid(content, "track"),
        ending=content.get("ending"),  # type: ignore[arg-type]  # checked by Hearing
        seconds=_seconds(content),
        given_at=_moment(content),
    )


def _uuid(content: dict[str, Any], name: str) -> uuid.UUID:
    try:
        return uuid.UUID(content[name])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise FieldError(f"{name}: expected a UUID, got {str(content.get(name))[:80]!r}") from None


def _seconds(content: dict[str, Any]) -> float:
    seconds = content.get("seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise FieldError(f"seconds: expected a number of seconds heard, got {str(seconds)[:80]!r}")
    try:
        return float(seconds)
    except OverflowError:
        raise FieldError("seconds: expected a number of seconds heard, got one too large") from None


def _moment(content: dict[str, Any]) -> datetime:
    given = content.get("given_at")
    if given is None:
        return timezone.now()
    try:
        moment = parse_datetime(given)
    except (TypeError, ValueError):
        moment = None
    if moment is None or timezone.is_naive(moment):
        raise FieldError(f"given_at: expected a moment in ISO 8601 with its time zone, got {str(given)[:80]!r}")
    return moment if moment >= EARLIEST else timezone.now()
