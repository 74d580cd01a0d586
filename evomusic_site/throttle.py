"""Logins that fail too often: django-axes counts them by address, here is what it tells people."""

from __future__ import annotations

from typing import Any

from axes.backends import AxesStandaloneBackend
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from listening import pace


class LoginThrottle(AxesStandaloneBackend):
    """Asked before a password is looked at; it logs nobody in."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Nothing, or PermissionDenied for a locked-out address. Without a request nobody comes from outside."""
        if request is not None:
            super().authenticate(request, **credentials)


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """The page for an address that is locked out: the same for every name, whether there is one or not."""
    minutes = round(settings.AXES_COOLOFF_TIME.total_seconds() / 60)
    message = f"Too many logins from here have failed. Wait {minutes} minutes, then try again."
    answer = render(request, "429.html", {"message": message}, status=pace.TOO_MANY)
    answer.headers["Retry-After"] = str(minutes * 60)
    return answer
