"""Taking everything along, and leaving. Doors: parse, one call, answer."""

from __future__ import annotations

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from listening import deletion, pace, personal_export, views
from listening.models import Listener
from listening.privacy_forms import DeletionForm, ExportForm

MOST_TRIES = 10
"""Of a password in a quarter of an hour."""


@require_POST
@views.for_listener  # type: ignore[arg-type]  # a response that is streamed is of another class
def export(request: HttpRequest, listener: Listener) -> HttpResponseBase:
    form = ExportForm(request.POST)
    try:
        personal_export.admit(listener)
    except pace.TooOftenError as error:
        return _too_often(request, error)
    music = form.is_valid() and form.cleaned_data["music"]
    name = f"evomusic-{timezone.now():%Y-%m-%d}.zip"
    pieces = personal_export.archive(listener, music=music)
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


@require_http_methods(["GET", "POST"])
@views.for_listener
def delete(request: HttpRequest, listener: Listener) -> HttpResponse:
    form = DeletionForm(request.POST if request.method == "POST" else None, listener=listener)
    if form.is_bound:
        try:
            message = "Too many tries. Wait a quarter of an hour, then try again."
            pace.count(f"delete:{listener.pk}", most=MOST_TRIES, seconds=900, message=message)
        except pace.TooOftenError as error:
            return _too_often(request, error)
        if form.is_valid() and listener.user_id is not None:
            return _farewell(request, listener.user_id)
    context = views.context(listener, form=form)
    return render(request, "listening/delete.html", context, status=400 if form.errors else 200)


def _farewell(request: HttpRequest, user_id: int) -> HttpResponse:
    """What this browser keeps goes as well: its session, unsent ratings, and music in its cache."""
    deletion.delete([user_id])
    logout(request)
    response = render(request, "listening/deleted.html")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _too_often(request: HttpRequest, error: pace.TooOftenError) -> HttpResponse:
    response = render(request, "429.html", {"message": str(error)}, status=pace.TOO_MANY)
    response.headers["Retry-After"] = str(error.seconds)
    return response
