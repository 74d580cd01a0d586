"""What operators look at: metrics for Prometheus, and the status page for staff."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from evomusic_site import figures, rows_metrics, standing
from evomusic_site import metrics as of_this_process
from laboratory.access import for_staff

_SCHEME = "Bearer "


@require_GET
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """This process's metrics and the whole service's; for who has the token, and for staff. Others find nothing."""
    if not _may_read(request):
        raise Http404
    text = generate_latest(of_this_process.REGISTRY) + generate_latest(rows_metrics.REGISTRY)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    """Whether the token fits, for which no database is asked, or else whether somebody of the staff asks."""
    given = request.headers.get("Authorization", "")
    if given.startswith(_SCHEME):
        expected = settings.METRICS_TOKEN.encode()
        return bool(expected) and secrets.compare_digest(given.removeprefix(_SCHEME).strip().encode(), expected)
    try:
        return bool(request.user.is_active and request.user.is_staff)
    except figures.DATABASE_LOST:
        return False  # nobody can be recognised


@require_safe
@never_cache
def status(request: HttpRequest) -> HttpResponseBase:
    """How the service stands. With ?part only what changes, for the page that asks again and again."""
    try:
        return _status(request)
    except figures.DATABASE_LOST:
        page = render_to_string("laboratory/status_away.html")  # without the request, which holds a lost session
        return HttpResponse(page, status=503, headers={"Retry-After": "5"})


@for_staff
def _status(request: HttpRequest) -> HttpResponseBase:
    template = "laboratory/_standing.html" if "part" in request.GET else "laboratory/status.html"
    return render(request, template, {"standing": standing.read()})
