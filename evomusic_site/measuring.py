"""The web process measured: every request and every socket is counted, timed and given an id for the log."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from evomusic_site import log_context, metrics
from evomusic_site import task_hooks as task_hooks  # tasks carry the ids of whoever sends them
from evomusic_site.log_context import Id

HEADER = "X-Request-ID"
_SENT = "HTTP_X_REQUEST_ID"
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")

GetResponse = Callable[[HttpRequest], HttpResponse]
Message = dict[str, Any]


def measure(get_response: GetResponse) -> GetResponse:
    """Count and time what is answered; the log and the answer carry the id that a proxy gave, or a new one."""

    def answer(request: HttpRequest) -> HttpResponse:
        name, started = request_id(request), time.perf_counter()
        with log_context.knowing({"request": name}, who=lambda: _who(getattr(request, "_cached_user", None))):
            return _counted(request, get_response(request), name, started)

    return answer


def request_id(request: HttpRequest) -> str:
    """What a proxy in front of us called this request, when it is a plain word; else a new name."""
    given = request.META.get(_SENT, "")
    return given if _ID.fullmatch(given) else secrets.token_hex(6)


def _counted(request: HttpRequest, response: HttpResponse, name: str, started: float) -> HttpResponse:
    view = view_name(request)
    metrics.REQUESTS.labels(view, f"{response.status_code // 100}xx").inc()
    metrics.REQUEST_SECONDS.labels(view).observe(time.perf_counter() - started)
    response.headers.setdefault(HEADER, name)
    return response


def view_name(request: HttpRequest) -> str:
    """The name of the view that answered: one of a number that is known before; never a part of the address."""
    match = request.resolver_match
    if match is None:
        static = "/" + str(settings.STATIC_URL).lstrip("/")
        return "static" if request.path_info.startswith(static) else "none"
    return match.namespaces[0] if match.namespaces[:1] == ["admin"] else match.view_name or "unnamed"


def _who(user: Any) -> dict[str, Id]:
    """The ids of a user who was looked up, and of the listener that came along; a line of the log asks no database."""
    if getattr(user, "pk", None) is None:
        return {}
    listener = user._meta.get_field("listener").get_cached_value(user, default=None)
    return {"user": user.pk} if listener is None else {"user": user.pk, "listener": listener.pk}


class Sockets:
    """Counts the sockets that are open and their messages, around the application that serves them."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        kind = _kind(scope.get("path", ""))
        received, sent = (metrics.SOCKET_MESSAGES.labels(kind, way) for way in ("received", "sent"))

        async def counted_receive() -> Message:
            message: Message = await receive()
            if message["type"] == "websocket.receive":
                received.inc()
            return message

        async def counted_send(message: Message) -> None:
            if message["type"] == "websocket.send":
                sent.inc()
            await send(message)

        with (
            log_context.knowing({"request": secrets.token_hex(6)}, who=lambda: _who(scope.get("user"))),
            metrics.SOCKETS.labels(kind).track_inprogress(),
        ):
            await self.application(scope, counted_receive, counted_send)


def _kind(path: str) -> str:
    if path.startswith("/ws/laboratory/"):
        return "laboratory"
    return "listening" if path.startswith("/ws/listen") else "other"
