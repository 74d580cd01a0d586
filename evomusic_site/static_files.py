"""Scripts, styles and fonts: answered before Django is asked, from where they lie or from where they were collected."""

from __future__ import annotations

from typing import Any
from wsgiref.headers import Headers

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from servestatic import ServeStaticASGI

from evomusic_site.middleware import POLICY

CACHE_SECONDS = 60


def around(application: Any) -> ServeStaticASGI:
    """The application, which is asked for all that is no static file.

    Files are those that were there when the process began; with DEBUG they are looked up anew for each request.
    """
    served = ServeStaticASGI(
        application,
        autorefresh=settings.DEBUG,
        max_age=0 if settings.DEBUG else CACHE_SECONDS,
        add_headers_function=_say,
    )
    prefix = "/" + str(settings.STATIC_URL).strip("/") + "/"
    if settings.STATIC_COLLECTED:
        served.add_files(settings.STATIC_ROOT, prefix=prefix)
        return served
    finders: list[Any] = list(get_finders())  # each of our kinds has `storages`
    folders = [storage for finder in finders for storage in finder.storages.values()]
    for storage in reversed(folders):  # a later one overwrites, and the first is to be asked first
        served.add_files(storage.location, prefix=prefix + (getattr(storage, "prefix", None) or ""))
    return served


def _say(headers: Headers, path: str, url: str) -> None:  # servestatic's signature
    headers["Content-Security-Policy"] = POLICY
    headers["X-Content-Type-Options"] = "nosniff"
