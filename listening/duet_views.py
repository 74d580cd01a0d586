"""The pages and calls of duets. Doors: parse, one call, answer."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from listening import api, duets, feedback, listeners, pace, selectors, views, visitors
from listening.duets import DuetError, InvitationError
from listening.models import Duet, Listener

CONFLICT = 409
"""HTTP status of what cannot be done as things stand."""


@require_http_methods(["GET", "POST"])
@views.for_listener
def index(request: HttpRequest, listener: Listener) -> HttpResponse:
    message = ""
    if request.method == "POST":
        try:
            return redirect("listening:duet", duets.make(host=listener).pk)
        except DuetError as error:
            message = str(error)
    shown = [duets.content(duet, listener) for duet in duets.of(listener)]
    context = views.context(listener, duets=shown, message=message)
    return render(request, "listening/duets.html", context, status=CONFLICT if message else 200)


@require_GET
@views.for_listener
def page(request: HttpRequest, listener: Listener, duet_id: uuid.UUID) -> HttpResponse:
    duet = _found(listener, duet_id)
    waits = duet.guest_id is None and duet.ended_at is None
    link = request.build_absolute_uri(_join_path(duet)) if waits else ""
    content = duets.content(duet, listener)
    return render(request, "listening/duet.html", views.context(listener, duet=content, link=link))


@require_POST
@views.for_listener
def end(request: HttpRequest, listener: Listener, duet_id: uuid.UUID) -> HttpResponse:
    _found(listener, duet_id)
    duets.end(listener=listener, duet_id=duet_id)
    return redirect("listening:duets")


@require_http_methods(["GET", "POST"])
@ensure_csrf_cookie
def join(request: HttpRequest, invitation: str) -> HttpResponse:
    """Looking at an invitation changes nothing, for programs look at links too; the button joins."""
    listener = _listener(request)
    try:
        duet = duets.check_invitation(invitation, listener)
        if request.method == "POST":
            listener = listener or _newcomer(request)
            return redirect("listening:duet", duets.join(listener=listener, invitation=invitation).pk)
    except InvitationError as error:
        context = _context(listener, message=str(error))
        return render(request, "listening/duet_join.html", context, status=CONFLICT)
    except pace.TooOftenError as error:
        return render(request, "429.html", {"message": str(error)}, status=pace.TOO_MANY)
    if listener is not None and duet.guest_id == listener.pk:
        return redirect("listening:duet", duet.pk)
    context = _context(listener, host=selectors.shown_name(duet.host), invitation=invitation)
    return render(request, "listening/duet_join.html", context)


@require_GET
@api.for_listener
def state(request: HttpRequest, listener: Listener, duet_id: uuid.UUID) -> JsonResponse:
    try:
        return JsonResponse(duets.content(duets.get(listener, duet_id), listener))
    except Duet.DoesNotExist:
        return _missing()


@require_POST
@api.for_listener
def fairness(request: HttpRequest, listener: Listener, duet_id: uuid.UUID) -> JsonResponse:
    try:
        wanted = json.loads(request.body)
        if not isinstance(wanted, dict):
            raise DuetError(f"Expected a JSON object with fairness, got {type(wanted).__name__}")
        duets.set_fairness(listener=listener, duet_id=duet_id, fairness=wanted.get("fairness"))
        return JsonResponse(duets.content(duets.get(listener, duet_id), listener))
    except DuetError as error:
        return JsonResponse({"error": str(error)}, status=400)
    except (ValueError, RecursionError):
        return JsonResponse({"error": "Expected fairness as JSON, got something else."}, status=400)
    except Duet.DoesNotExist:
        return _missing()


@require_POST
@api.for_listener
def compose(request: HttpRequest, listener: Listener, duet_id: uuid.UUID) -> JsonResponse:
    try:
        duets.ask(listener=listener, duet_id=duet_id)
        return JsonResponse(duets.content(duets.get(listener, duet_id), listener), status=202)
    except DuetError as error:
        return JsonResponse({"error": str(error)}, status=CONFLICT)
    except Duet.DoesNotExist:
        return _missing()


def _listener(request: HttpRequest) -> Listener | None:
    """Who asks, where they listen; a member of staff who is asked to join begins to."""
    known = listeners.of_user(request.user)
    if known is None and request.user.is_authenticated:
        return listeners.attach(request.user)
    return known


def _newcomer(request: HttpRequest) -> Listener:
    """Somebody whom an invitation brought here: a guest, whose own first playlist begins."""
    visitors.admit_guest(request)
    listener = listeners.make_guest()
    login(request, listener.user, backend="listening.recognition.WithListener")
    feedback.evolve(listener=listener)
    return listener


def _context(listener: Listener | None, **more: Any) -> dict[str, Any]:
    return more if listener is None else views.context(listener, **more)


def _found(listener: Listener, duet_id: uuid.UUID) -> Duet:
    try:
        return duets.get(listener, duet_id)
    except Duet.DoesNotExist:
        raise Http404 from None


def _join_path(duet: Duet) -> str:
    return reverse("listening:duet_join", args=[duets.token(duet)])


def _missing() -> JsonResponse:
    return JsonResponse({"error": "There is no such duet."}, status=404)
