"""How HTTP requests are answered: each in one thread, from the first middleware to the view and back.

Views, middlewares and the database are synchronous here. Under Django's asynchronous handler each of them would change
from the event loop to a thread and back, some twenty times a request; under WSGI (PEP 3333) there is one change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from django.db import close_old_connections

from evomusic_site import bodies, metrics
from evomusic_site.bodies import Receive, Scope, Send
from evomusic_site.middleware import POLICY

AT_ONCE = {"said": 4, "shown": 8, "probes": 2}
"""Requests of each kind that are worked on at once; the others wait for a turn in the order in which they came.

Threads of one interpreter take turns anyway: the more there are, the later each of them is done. What listeners say is
short and asks the database alone; it never waits behind a page, or behind music from a storage that is slow. Together
they are fewer than a process's connections to the database (settings.DATABASES), of which its sockets need some too.
"""
PATIENCE = 10.0
"""Seconds in which a request's turn must come. Who asked later than that has gone, or has asked again."""
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
SAID, FOR_PROGRAMS = "/api/", "/api/v1/"
"""Addresses of what the page's scripts say and ask; and those of the API, which may ask for much at a time."""

Headers = list[tuple[bytes, bytes]]
WSGI = Callable[[dict[str, Any], Callable[..., Any]], Any]
"""What it answers is an iterable of bytes; Django's tells by `streaming` whether its pieces are still to be made."""


@dataclass(frozen=True)
class Answer:
    """What was answered; whole, or as a stream whose pieces are still to be made."""

    status: int
    headers: Headers
    whole: bytes
    stream: Any = None


BUSY = Answer(
    503,
    [(b"content-type", b"text/plain"), (b"content-security-policy", POLICY.encode()), (b"retry-after", b"5")],
    b"Too much is asked at the moment. Nothing was done; try again in a few seconds.\n",
)


class Handler:
    """An ASGI application for HTTP that asks a WSGI application: Django's.

    at_once: how many requests of each kind are worked on at once.
    patience: seconds after which one that waits is told 503.
    """

    def __init__(self, application: WSGI, *, at_once: Mapping[str, int] = AT_ONCE, patience: float = PATIENCE) -> None:
        self._application = application
        self._patience = patience
        self._turns = {kind: ThreadPoolExecutor(most, thread_name_prefix=kind) for kind, most in at_once.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body, size = await bodies.read(scope, receive)
        except bodies.TooLargeError:
            await bodies.refuse(send)
            return
        except bodies.GoneError:
            return
        kind = _kind(scope["path"])
        with body:
            asking = partial(self._answer, environment(scope, body, size), kind=kind, since=time.monotonic())
            answer = await asyncio.get_running_loop().run_in_executor(self._turns[kind], asking)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        if answer.stream is None:
            await send({"type": "http.response.body", "body": answer.whole})
        else:
            await _stream(answer.stream, receive, send)

    def _answer(self, asked: dict[str, Any], *, kind: str, since: float) -> Answer:
        waited = time.monotonic() - since
        metrics.TURN_SECONDS.labels(kind).observe(waited)
        if waited > self._patience:
            return BUSY
        status, headers = 0, Headers()

        def start(line: str, fields: list[tuple[str, str]], *_: object) -> None:
            nonlocal status
            status = int(line.split(" ", 1)[0])
            headers.extend((name.lower().encode("latin-1"), value.strip().encode("latin-1")) for name, value in fields)

        response = self._application(asked, start)
        if response.streaming:
            close_old_connections()  # this thread's; the pieces are made in another one
            return Answer(status, headers, b"", response)
        try:
            return Answer(status, headers, b"".join(response))
        finally:
            response.close()


def _kind(path: str) -> str:
    """Whose turns a request waits for, of AT_ONCE."""
    if path in PROBES:
        return "probes"
    return "said" if path.startswith(SAID) and not path.startswith(FOR_PROGRAMS) else "shown"


async def _stream(response: Any, receive: Receive, send: Send) -> None:
    """Piece by piece, made in a thread of its own, so that who reads slowly takes nobody's turn; until they leave."""
    loop, own = asyncio.get_running_loop(), ThreadPoolExecutor(1, thread_name_prefix="stream")
    gone = asyncio.ensure_future(receive())  # a request that has come whole is followed by a disconnection only
    pieces: Iterator[bytes] = iter(response)
    try:
        while not gone.done() and (piece := await loop.run_in_executor(own, _next, pieces)) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        own.submit(response.close)
        own.shutdown(wait=False)


def _next(pieces: Iterator[bytes]) -> bytes | None:
    """The next piece; while it is sent, the database's connection is somebody else's."""
    try:
        return next(pieces, None)
    finally:
        close_old_connections()


def environment(scope: Scope, body: IO[bytes], size: int) -> dict[str, Any]:
    """What PEP 3333 calls `environ`, of a request whose body of so many bytes has come.

    Headers whose names have an underscore are left out: they could pass for another that a proxy sets.
    """
    host, port = scope.get("server") or ("localhost", 80)
    asked: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": _as_wsgi(scope.get("root_path", "")),
        "PATH_INFO": _as_wsgi(scope["path"]),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        told = value.decode("latin-1")
        if key in asked:
            told = f"{asked[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{told}"
        asked[key] = told
    asked.pop("HTTP_CONTENT_LENGTH", None)
    asked["CONTENT_LENGTH"] = str(size)
    return asked


def _as_wsgi(text: str) -> str:
    """Bytes of UTF-8, each as a character."""
    return text.encode("utf-8").decode("latin-1")
