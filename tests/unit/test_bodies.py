"""Bodies of requests: what is too large is refused before it is written anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from evomusic_site import bodies


async def read_all(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An application that reads the whole body and tells how long it was, as Django does."""
    length = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        length += len(event.get("body", b""))
        if not event.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


async def ask(pieces: list[bytes], *, path: str = "/api/ratings/", claims: bytes | None = None) -> tuple[int, int]:
    """The answer's status, and how many pieces were read."""
    sent: list[dict[str, Any]] = []
    waiting = [
        {"type": "http.request", "body": piece, "more_body": place + 1 < len(pieces)}
        for place, piece in enumerate(pieces)
    ]

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    headers = [] if claims is None else [(b"content-length", claims)]
    await bodies.limited(read_all)({"type": "http", "path": path, "headers": headers}, receive, send)
    starts = [event["status"] for event in sent if event["type"] == "http.response.start"]
    assert len(starts) == 1
    return starts[0], len(pieces) - len(waiting)


async def test_a_small_body_comes_through():
    assert await ask([b"a" * 1000, b"b"], claims=b"1001") == (200, 2)


async def test_a_body_that_says_it_is_too_large_is_not_read():
    assert await ask([b"a"], claims=str(bodies.LARGEST + 1).encode()) == (413, 0)


@pytest.mark.parametrize("claims", [None, b"5", b"-1", b"many", b"9" * 5000, "²".encode()])
async def test_a_body_that_lies_about_its_length_is_read_no_further_than_allowed(claims):
    status, read = await ask([b"a" * 1_000_000] * 20, claims=claims)
    assert status == 413
    assert read == bodies.LARGEST // 1_000_000 + 1


async def test_only_the_page_for_uploads_takes_music():
    pieces = [b"a" * 1_000_000] * 20
    assert (await ask(pieces, path="/laboratory/new/"))[0] == 200
    assert (await ask(pieces, path="/laboratory/"))[0] == 413
