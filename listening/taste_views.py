"""The taste page and what its scripts ask. Doors: parse, one call, answer."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from listening import api, edits, taste_page, views
from listening.edits import EditError, Stored
from listening.models import Listener, TasteEdit, Track


@require_GET
@views.for_listener
def page(request: HttpRequest, listener: Listener) -> HttpResponse:
    edits.read_if_late(listener=listener)
    return render(request, "listening/taste.html", views.context(listener, taste=taste_page.read(listener)))


@require_GET
@api.for_listener
def content(_request: HttpRequest, listener: Listener) -> JsonResponse:
    return JsonResponse(taste_page.read(listener))


@require_POST
@api.for_listener
def edit(request: HttpRequest, listener: Listener) -> JsonResponse:
    try:
        stored = _store(listener, _object(request, of="an edit"))
    except EditError as error:
        return JsonResponse({"error": str(error)}, status=400)
    answer = {"edit": taste_page.wish(stored.now), "before": taste_page.wish(stored.before)}
    return JsonResponse(answer, status=201 if stored.is_new else 200)


@require_POST
@api.for_listener
def forget_track(request: HttpRequest, listener: Listener, track_id: uuid.UUID) -> JsonResponse:
    try:
        forgotten = _object(request, of="what to do with a track").get("forgotten")
        if not isinstance(forgotten, bool):
            raise EditError(f"forgotten: expected true or false, got {str(forgotten)[:80]!r}")
        track = edits.forget_track(listener=listener, track_id=track_id, forgotten=forgotten)
    except EditError as error:
        return JsonResponse({"error": str(error)}, status=400)
    except Track.DoesNotExist:
        return JsonResponse({"error": "There is no such track."}, status=404)
    return JsonResponse({"track": str(track.pk), "forgotten": track.forgotten_at is not None})


def _store(listener: Listener, said: dict[str, Any]) -> Stored:
    """An edit as it came, stored. Raises EditError that names the field, what was expected and what came."""
    kind: Any = said.get("kind")
    concept: Any = said.get("concept")
    wanted: Any = said.get("wanted")
    if kind == TasteEdit.Kind.LEAN:
        return edits.lean(listener=listener, concept=concept, wanted=wanted)
    if kind == TasteEdit.Kind.FORGET:
        return edits.forget(listener=listener, concept=concept)
    if kind == TasteEdit.Kind.NOT_NOW:
        return edits.not_now(listener=listener, concept=concept)
    if kind == TasteEdit.Kind.WITHDRAWN:
        return edits.withdraw(listener=listener, concept=concept)
    expected = ", ".join(TasteEdit.Kind.values)
    raise EditError(f"kind: expected one of {expected}, got {str(kind)[:80]!r}")


def _object(request: HttpRequest, *, of: str) -> dict[str, Any]:
    try:
        said = json.loads(request.body)
    except (ValueError, RecursionError):
        raise EditError(f"Expected {of} as JSON, got something else") from None
    if not isinstance(said, dict):
        raise EditError(f"Expected {of} as a JSON object, got {type(said).__name__}")
    return said
