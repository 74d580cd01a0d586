"""The pages of shared music: its listener's, and the one that anybody can open. Doors: parse, one call, answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from listening import pace, selectors, sharing, sound, views
from listening.models import Listener, Playlist, ShareLink, Track
from listening.privacy_forms import ShareForm
from listening.sharing import ShareError

View = Callable[..., HttpResponse]


def for_strangers(view: View) -> View:
    """An answer that no search engine shows, no cache keeps beyond the link's end, and no other site hears of."""

    @wraps(view)
    def door(request: HttpRequest, address: str, *args: object, **kwargs: object) -> HttpResponse:
        try:
            response = view(request, sharing.opened(address), address, *args, **kwargs)
        except (ShareLink.DoesNotExist, Track.DoesNotExist):
            response = render(request, "listening/shared_gone.html", status=404)
        except pace.TooOftenError as error:
            response = HttpResponse(str(error), status=pace.TOO_MANY, content_type="text/plain; charset=utf-8")
            response.headers["Retry-After"] = str(error.seconds)
        response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "private, no-store"
        return response

    return door


@require_safe
@for_strangers
def shared(request: HttpRequest, link: ShareLink, address: str) -> HttpResponse:
    return render(request, "listening/shared.html", {"shared": sharing.content(link, address)})


@require_safe
@for_strangers
def shared_audio(request: HttpRequest, link: ShareLink, address: str, number: int) -> HttpResponse:
    sharing.admit(link)
    return sound.answer(request, sharing.track(link, number), download=False)


@require_http_methods(["GET", "POST"])
@views.for_listener
def share_playlist(request: HttpRequest, listener: Listener, playlist_id: uuid.UUID) -> HttpResponse:
    try:
        what = f"playlist {selectors.playlist(listener, playlist_id).number}"
    except Playlist.DoesNotExist:
        raise Http404 from None
    mine = sharing.of(listener).filter(playlist=playlist_id)
    return _page(request, listener, what, mine, partial(sharing.of_playlist, playlist_id=playlist_id))


@require_http_methods(["GET", "POST"])
@views.for_listener
def share_track(request: HttpRequest, listener: Listener, track_id: uuid.UUID) -> HttpResponse:
    try:
        what = selectors.track(listener, track_id).title
    except Track.DoesNotExist:
        raise Http404 from None
    mine = sharing.of(listener).filter(track=track_id)
    return _page(request, listener, what, mine, partial(sharing.of_track, track_id=track_id))


@require_POST
@views.for_listener
def take_back(request: HttpRequest, listener: Listener, link_id: uuid.UUID) -> HttpResponse:
    sharing.take_back(listener=listener, link_id=link_id)
    return redirect(f"{reverse('listening:account')}#shared")


def _page(
    request: HttpRequest, listener: Listener, what: str, mine: QuerySet[ShareLink], make: Callable[..., ShareLink]
) -> HttpResponse:
    """The listener's page of one thing's links: those there are, and the form of another one."""
    form = ShareForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            make(listener=listener, wish=form.wish())
            return redirect(request.path)
        except ShareError as error:
            form.add_error(None, str(error))
    context = views.context(listener, form=form, what=what, links=shown(request, mine))
    return render(request, "listening/share.html", context, status=400 if form.errors else 200)


def shown(request: HttpRequest, links: QuerySet[ShareLink]) -> list[dict[str, Any]]:
    """Links as their listener sees them, each with its whole address."""
    return [told | {"address": request.build_absolute_uri(told["path"])} for told in sharing.shown(links)]
