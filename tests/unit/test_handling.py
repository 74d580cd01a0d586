"""HTTP requests on their way to Django and back: one thread for each, and nobody in another's way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse

from evomusic_site import bodies, handling, metrics
from evomusic_site.handling import Handler

Asked = dict[str, Any]


def django(view: Callable[[Asked], Any]) -> Callable[[Asked, Callable[..., Any]], Any]:
    """A WSGI application that answers as Django's does, with what the view gives."""

    def application(asked: Asked, start: Callable[..., Any]) -> Any:
        response = view(asked)
        cookies = [("Set-Cookie", cookie.output(header="")) for cookie in response.cookies.values()]
        start(f"{response.status_code} {response.reason_phrase}", [*response.items(), *cookies])
        return response

    return application


class Visit:
    """One request, and all that is sent for it. pieces: of its body. leave: the visitor goes away."""

    def __init__(self, handler: Handler, path: str = "/", *, pieces: Iterable[bytes] = (b"",), **more: Any) -> None:
        self.handler = handler
        self.scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
        self.scope |= {"scheme": "http", "http_version": "1.1", "server": ("music.example", 80)}
        self.scope |= {"client": ("192.0.2.7", 4711), **more}
        self.sent: list[dict[str, Any]] = []
        self.leave = asyncio.Event()
        given = list(pieces)
        last = len(given) - 1
        self._waiting = [
            {"type": "http.request", "body": one, "more_body": place < last} for place, one in enumerate(given)
        ]

    async def receive(self) -> dict[str, Any]:
        if self._waiting:
            return self._waiting.pop(0)
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: dict[str, Any]) -> None:
        self.sent.append(event)

    async def go(self) -> Visit:
        await self.handler(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return list(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(event["body"] for event in self.sent[1:])


async def test_a_view_is_given_what_was_asked() -> None:
    seen: Asked = {}

    def view(asked: Asked) -> HttpResponse:
        seen.update(asked, body=asked["wsgi.input"].read())
        return HttpResponse()

    headers = [
        (b"host", b"music.example"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"accept", b"x"),
        (b"accept", b"y"),
    ]
    headers += [(b"content-type", b"text/plain"), (b"transfer-encoding", b"chunked")]
    told = {"method": "POST", "query_string": b"q=\xc3\xbc&r=%20", "headers": headers, "scheme": "https"}
    await Visit(Handler(django(view)), "/tr\u00e4cks/", pieces=[b"one, ", b"two"], **told).go()
    assert seen["body"] == b"one, two"
    expected = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/tr\u00e4cks/".encode().decode("latin-1"),
        "QUERY_STRING": "q=\u00fc&r=%20".encode().decode("latin-1"),
        "CONTENT_LENGTH": "8",  # of what came: nobody said so
        "CONTENT_TYPE": "text/plain",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_ACCEPT": "x,y",
        "REMOTE_ADDR": "192.0.2.7",
        "SERVER_NAME": "music.example",
        "wsgi.url_scheme": "https",
    }
    assert {key: seen[key] for key in expected} == expected


async def test_a_header_that_could_pass_for_a_proxys_is_left_out() -> None:
    seen: Asked = {}
    headers = [(b"x_forwarded_for", b"203.0.113.9"), (b"content_length", b"99"), (b"x-forwarded-for", b"192.0.2.1")]
    await Visit(Handler(django(lambda asked: seen.update(asked) or HttpResponse())), headers=headers).go()
    assert (seen["HTTP_X_FORWARDED_FOR"], seen["CONTENT_LENGTH"]) == ("192.0.2.1", "0")


async def test_what_a_view_answers_comes_whole() -> None:
    def view(_: Asked) -> HttpResponse:
        response = HttpResponse(b"\x00music", status=206, content_type="audio/mpeg")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    visit = await Visit(Handler(django(view))).go()
    assert (visit.status, visit.body) == (206, b"\x00music")
    assert (b"content-type", b"audio/mpeg") in visit.headers
    assert [value for name, value in visit.headers if name == b"set-cookie"] == [b"a=1; Path=/", b"b=2; Path=/"]


async def test_a_request_is_answered_in_one_thread_and_its_response_closed_there() -> None:
    threads: list[str] = []

    class Told(HttpResponse):
        def close(self) -> None:
            threads.append(threading.current_thread().name)
            super().close()

    def view(_: Asked) -> HttpResponse:
        threads.append(threading.current_thread().name)
        return Told(b"here")

    await Visit(Handler(django(view))).go()
    assert len(threads) == 2
    assert len(set(threads)) == 1
    assert threads[0] != threading.current_thread().name


async def test_no_more_are_worked_on_at_once_than_may_be() -> None:
    working, most = 0, 0
    one_by_one = threading.Lock()

    def view(_: Asked) -> HttpResponse:
        nonlocal working, most
        with one_by_one:
            working += 1
            most = max(most, working)
        threading.Event().wait(0.01)
        with one_by_one:
            working -= 1
        return HttpResponse()

    handler = Handler(django(view), at_once={"shown": 3})
    visits = await asyncio.gather(*(Visit(handler).go() for _ in range(20)))
    assert [visit.status for visit in visits] == [200] * 20
    assert most == 3


@pytest.mark.parametrize(
    ("held_up", "answered"),
    [
        ("/listen/", {*handling.PROBES, "/api/ratings/"}),
        ("/tracks/1/audio", {*handling.PROBES, "/api/state/"}),
        ("/api/v1/tracks/1/audio", {*handling.PROBES, "/api/ratings/"}),
        ("/api/ratings/", {*handling.PROBES, "/listen/", "/api/v1/state"}),
    ],
)
async def test_what_hangs_holds_up_its_own_kind_only(held_up: str, answered: set[str]) -> None:
    go_on = threading.Event()

    def view(asked: Asked) -> HttpResponse:
        if asked["PATH_INFO"] == held_up:
            go_on.wait(20)
        return HttpResponse()

    handler = Handler(django(view))
    held = [asyncio.create_task(Visit(handler, held_up).go()) for _ in range(30)]
    await asyncio.sleep(0.05)
    for path in sorted(answered):
        assert (await asyncio.wait_for(Visit(handler, path).go(), 5)).status == 200
    assert not any(task.done() for task in held)
    go_on.set()
    assert [(await task).status for task in held] == [200] * 30


async def test_whoever_waits_too_long_is_told_so_and_nothing_is_done() -> None:
    go_on, worked = threading.Event(), []

    def view(asked: Asked) -> HttpResponse:
        worked.append(asked["PATH_INFO"])
        go_on.wait(20)
        return HttpResponse()

    waits = metrics.TURN_SECONDS.labels("shown")
    known = waits._sum.get()
    handler = Handler(django(view), at_once={"shown": 1}, patience=0.05)
    first = asyncio.create_task(Visit(handler, "/first/").go())
    while not worked:
        await asyncio.sleep(0.01)
    second = asyncio.create_task(Visit(handler, "/second/").go())
    await asyncio.sleep(0.2)
    go_on.set()
    assert (await first).status == 200
    told = await second
    assert (told.status, worked) == (503, ["/first/"])
    assert waits._sum.get() - known > 0.15
    assert (b"retry-after", b"5") in told.headers
    assert b"try again" in told.body
    assert (await Visit(handler, "/third/").go()).status == 200


async def test_a_body_that_is_too_large_reaches_no_view() -> None:
    handler = Handler(django(lambda asked: pytest.fail(f"asked {asked['PATH_INFO']}")))
    visit = await Visit(handler, pieces=[b"a" * 1_000_000] * (bodies.LARGEST // 1_000_000 + 2), method="POST").go()
    assert visit.status == 413


async def test_a_stream_is_sent_as_it_is_made_and_takes_no_turn() -> None:
    second = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"first, "
        assert second.wait(20)
        yield b"second"

    def view(asked: Asked) -> Any:
        return StreamingHttpResponse(pieces()) if asked["PATH_INFO"] == "/export/" else HttpResponse(b"meanwhile")

    handler = Handler(django(view), at_once={"shown": 1})
    visit = Visit(handler, "/export/")
    task = asyncio.create_task(visit.go())
    while visit.body != b"first, ":
        await asyncio.sleep(0.01)
    assert (await asyncio.wait_for(Visit(handler).go(), 5)).body == b"meanwhile"
    second.set()
    await task
    assert visit.body == b"first, second"
    assert [event.get("more_body", False) for event in visit.sent[1:]] == [True, True, False]


async def test_a_stream_that_nobody_reads_any_more_ends_and_is_closed() -> None:
    made, closed = 0, threading.Event()

    class Endless(StreamingHttpResponse):
        def close(self) -> None:
            super().close()
            closed.set()

    def pieces() -> Iterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"more"

    visit = Visit(Handler(django(lambda _: Endless(pieces()))))
    task = asyncio.create_task(visit.go())
    while made < 3:
        await asyncio.sleep(0.001)
    visit.leave.set()
    await asyncio.wait_for(task, 5)
    assert await asyncio.to_thread(closed.wait, 5)


async def test_a_stream_that_breaks_is_not_ended_as_if_it_were_whole() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"first"
        raise RuntimeError("the disk is gone")

    visit = Visit(Handler(django(lambda _: StreamingHttpResponse(pieces()))))
    with pytest.raises(RuntimeError, match="the disk is gone"):
        await visit.go()
    assert all(event["more_body"] for event in visit.sent[1:])
