"""How large a request's body may be. Django writes a body to the disk before any view sees it, however long it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from evomusic_site.middleware import POLICY

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

LARGEST = 3 * 1024 * 1024
"""Bytes; a little above Django's DATA_UPLOAD_MAX_MEMORY_SIZE, which answers with a page."""

LARGEST_UPLOAD = 64 * 1024 * 1024
"""Bytes, above laboratory.views.LARGEST_REQUEST, which answers with a page."""

UPLOADS = ("/laboratory/new/",)
"""Where files are uploaded."""

_ANSWER = b"The request is too large.\n"


def limited(application: Any) -> Application:
    """The application, which is never given more of a body than may come; who sends more is answered 413."""

    async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        largest = LARGEST_UPLOAD if scope["path"] in UPLOADS else LARGEST
        if _claimed(scope) > largest:
            await _refuse(send)
            return
        received, refused = 0, False

        async def counted() -> Event:
            nonlocal received, refused
            event = await receive()
            if event["type"] == "http.request":
                received += len(event.get("body", b""))
                if received > largest:  # it claimed less, or nothing
                    refused = True
                    return {"type": "http.disconnect"}
            return event

        await application(scope, counted, send)
        if refused:
            await _refuse(send)

    return answer


def _claimed(scope: dict[str, Any]) -> int:
    """The Content-Length; 0 where none is given that could be one."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-security-policy", POLICY.encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _ANSWER, "more_body": False})
