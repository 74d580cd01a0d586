"""The web process measured: every request and every socket is counted, timed and given an id for the log."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.db.models.signals import post_init
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from evomusic_site import log_context, metrics
from evomusic_site import task_hooks as task_hooks  # tasks carry the ids of whoever sends them

HEADER = "X-Request-ID"
_SENT = "HTTP_X_REQUEST_ID"
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")

GetResponse = Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]]
Message = dict[str, Any]


@sync_and_async_middleware
def measure(get_response: GetResponse) -> GetResponse:
    """Count and time what is answered; the log and the answer carry the id that a proxy gave, or a new one."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponse:
            name, started = request_id(request), time.perf_counter()
            with log_context.knowing({"request": name}, user=lambda: _user(request)):
                return _counted(request, await get_response(request), name, started)

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        name, started = request_id(request), time.perf_counter()
        with log_context.knowing({"request": name}, user=lambda: _user(request)):
            return _counted(request, get_response(request), name, started)  # type: ignore[arg-type]

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


def _user(request: HttpRequest) -> int | None:
    """The user's primary key if somebody asked for the user before; a line of the log asks no database."""
    user = getattr(request, "_cached_user", None)
    return user.pk if user is not None else None


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

        def user() -> int | None:
            return getattr(scope.get("user"), "pk", None)

        with (
            log_context.knowing({"request": secrets.token_hex(6)}, user=user),
            metrics.SOCKETS.labels(kind).track_inprogress(),
        ):
            await self.application(scope, counted_receive, counted_send)


def _kind(path: str) -> str:
    if path.startswith("/ws/laboratory/"):
        return "laboratory"
    return "listening" if path.startswith("/ws/listen") else "other"


def _note(instance: Any, **_: object) -> None:
    """A listener was looked up; `user_id` is read where it lies, for a deferred one would be asked for."""
    user = instance.__dict__.get("user_id")
    if user is not None and instance.pk is not None:
        log_context.note_listener(instance.pk, user=user)


post_init.connect(_note, sender="listening.Listener", dispatch_uid="evomusic_site.measuring")
