"""The pages. Doors: parse, one call, answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from listening import feedback, listeners, pace, quotas, selectors, sharing, sound, visitors
from listening.forms import AccountForm
from listening.models import Listener, Playlist, Track

View = Callable[..., HttpResponse]


def for_listener(view: View) -> View:
    """Give the view the listener; somebody without one is sent to the welcome page."""

    @wraps(view)
    @ensure_csrf_cookie
    def door(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        listener = listeners.of_user(request.user)
        if listener is None and request.user.is_authenticated:
            listener = listeners.attach(request.user)  # a member of staff who wants to listen too
        if listener is None:
            return redirect("listening:welcome")
        return view(request, listener, *args, **kwargs)

    return door


@require_GET
@ensure_csrf_cookie
def welcome(request: HttpRequest) -> HttpResponse:
    if listeners.of_user(request.user):
        return redirect("listening:listen")
    return render(request, "listening/welcome.html")


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    listener = listeners.of_user(request.user)
    if listener is None:
        try:
            visitors.admit_guest(request)
        except pace.TooOftenError as error:
            return render(request, "429.html", {"message": str(error)}, status=pace.TOO_MANY)
        listener = listeners.make_guest()
        login(request, listener.user, backend="listening.recognition.WithListener")
        feedback.evolve(listener=listener)
    return redirect("listening:listen")


@require_GET
@for_listener
def listen(request: HttpRequest, listener: Listener) -> HttpResponse:
    newest = selectors.newest_playlist(listener)
    if newest is None and not selectors.progress(listener).cancelled:
        with suppress(quotas.QuotaError):  # the button says when it goes on
            feedback.evolve(listener=listener)
    content = selectors.playlist_content(newest) if newest else None
    return render(request, "listening/listen.html", context(listener, playlist=content))


@require_GET
@for_listener
def history(request: HttpRequest, listener: Listener) -> HttpResponse:
    page, playlists = selectors.history(listener, request.GET.get("page"))
    return render(request, "listening/history.html", context(listener, page=page, playlists=playlists))


@require_GET
@for_listener
def playlist(request: HttpRequest, listener: Listener, playlist_id: uuid.UUID) -> HttpResponse:
    try:
        content = selectors.playlist_content(selectors.playlist(listener, playlist_id))
    except Playlist.DoesNotExist:
        raise Http404 from None
    return render(request, "listening/playlist.html", context(listener, playlist=content))


@require_GET
@for_listener
def favourites(request: HttpRequest, listener: Listener) -> HttpResponse:
    page, tracks = selectors.favourites(listener, request.GET.get("page"))
    return render(request, "listening/favourites.html", context(listener, page=page, tracks=tracks))


@require_http_methods(["GET", "POST"])
@for_listener
def account(request: HttpRequest, listener: Listener) -> HttpResponse:
    form = AccountForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and listener.is_guest and form.is_valid():
        kept = listeners.keep(listener, username=form.cleaned_data["username"], password=form.cleaned_data["password1"])
        login(request, kept.user, backend="listening.recognition.WithListener")
        return redirect("listening:account")
    status = 400 if form.errors else 200
    content = context(listener, form=form, links=sharing.shown(sharing.of(listener)))
    return render(request, "listening/account.html", content, status=status)


@require_safe
@for_listener
def track_audio(request: HttpRequest, listener: Listener, track_id: uuid.UUID) -> HttpResponse:
    return sound.answer(request, _track(listener, track_id), download=False)


@require_safe
@for_listener
def track_download(request: HttpRequest, listener: Listener, track_id: uuid.UUID) -> HttpResponse:
    return sound.answer(request, _track(listener, track_id), download=True)


def _track(listener: Listener, track_id: uuid.UUID) -> Track:
    try:
        return selectors.track(listener, track_id)
    except Track.DoesNotExist:
        raise Http404 from None


def context(listener: Listener, **more: Any) -> dict[str, Any]:
    """What every page of a listener is rendered with, and `more`."""
    name = listener.user.get_username() if listener.user and not listener.is_guest else "Guest"
    return {
        "listener": {"id": listener.pk, "name": name, "is_guest": listener.is_guest},
        "state": selectors.state(listener),
        **more,
    }
