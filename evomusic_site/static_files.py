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
    """The application, which is asked for all that is no static file that was there when the process began."""
    served = ServeStaticASGI(application, max_age=CACHE_SECONDS, add_headers_function=_say)
    prefix = "/" + str(settings.STATIC_URL).strip("/") + "/"
    if settings.STATIC_COLLECTED:
        served.add_files(settings.STATIC_ROOT, prefix=prefix)
        return served
    for finder in get_finders():
        for path, storage in finder.list(None):
            place = getattr(storage, "prefix", None)
            address = prefix + (f"{place}/" if place else "") + path
            if address not in served.files:  # the first finder is asked first
                served.add_file_to_dictionary(address, storage.path(path))
    return served


def _say(headers: Headers, path: str, url: str) -> None:  # servestatic's signature
    headers["Content-Security-Policy"] = POLICY
    headers["X-Content-Type-Options"] = "nosniff"
