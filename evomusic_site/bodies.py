"""A request's body, and how large it may be: it is read whole before a view sees it, however long it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from evomusic_site.middleware import POLICY

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

LARGEST = 3 * 1024 * 1024
"""Bytes; a little above Django's DATA_UPLOAD_MAX_MEMORY_SIZE, which answers with a page."""

LARGEST_UPLOAD = 64 * 1024 * 1024
"""Bytes, above laboratory.views.LARGEST_REQUEST, which answers with a page."""

UPLOADS = ("/laboratory/new/",)
"""Where files are uploaded."""

LARGEST_IN_MEMORY = 1024 * 1024
"""Bytes; the rest of a longer body is kept in a file that nobody else sees."""

_ANSWER = b"The request is too large.\n"


class TooLargeError(Exception):
    """More came, or is said to come, than may."""


class GoneError(Exception):
    """Who asked left before everything had come."""


async def read(scope: Scope, receive: Receive) -> tuple[IO[bytes], int]:
    """The body, from its beginning, and its length in bytes. Raises TooLargeError or GoneError."""
    largest = LARGEST_UPLOAD if scope["path"] in UPLOADS else LARGEST
    if _claimed(scope) > largest:
        raise TooLargeError
    piece, more = await _piece(receive)
    if not more and len(piece) <= largest:
        return BytesIO(piece), len(piece)
    body: IO[bytes] = SpooledTemporaryFile(LARGEST_IN_MEMORY)  # noqa: SIM115  # whoever asked closes it
    try:
        size = body.write(piece)
        while more and size <= largest:
            piece, more = await _piece(receive)
            size += body.write(piece)
        if size > largest:  # it claimed less, or nothing
            raise TooLargeError
        body.seek(0)
    except BaseException:
        body.close()
        raise
    return body, size


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    """What came next, and whether more comes."""
    event = await receive()
    if event["type"] == "http.disconnect":
        raise GoneError
    return event.get("body", b""), event.get("more_body", False)


def _claimed(scope: Scope) -> int:
    """The Content-Length; 0 where none is given that could be one."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0


async def refuse(send: Send) -> None:
    """The answer to a body that is too large."""
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-security-policy", POLICY.encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _ANSWER, "more_body": False})
