"""Bodies of requests: what is too large is refused before it is written anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from evomusic_site import bodies


async def read(pieces: list[bytes], *, path: str = "/api/ratings/", claims: bytes | None = None) -> tuple[Any, int]:
    """The body, or the error instead, and how many pieces were taken."""
    waiting = [
        {"type": "http.request", "body": piece, "more_body": place + 1 < len(pieces)}
        for place, piece in enumerate(pieces)
    ]

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    headers = [] if claims is None else [(b"content-length", claims)]
    try:
        body, size = await bodies.read({"type": "http", "path": path, "headers": headers}, receive)
    except bodies.TooLargeError as error:
        return error, len(pieces) - len(waiting)
    with body:
        content = body.read()
    assert len(content) == size
    return content, len(pieces) - len(waiting)


@pytest.mark.parametrize(
    "pieces", [[b""], [b"a" * 1000], [b"a" * 1000, b"b"], [b"", b"a", b""], [b"a" * 1_500_000] * 2]
)
async def test_a_small_body_comes_through(pieces: list[bytes]) -> None:
    assert await read(pieces, claims=str(len(b"".join(pieces))).encode()) == (b"".join(pieces), len(pieces))


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    refused, taken = await read([b"a"], claims=str(bodies.LARGEST + 1).encode())
    assert isinstance(refused, bodies.TooLargeError)
    assert taken == 0


@pytest.mark.parametrize("claims", [None, b"5", b"-1", b"many", b"9" * 5000, "²".encode()])
async def test_a_body_that_lies_about_its_length_is_read_no_further_than_allowed(claims: bytes | None) -> None:
    refused, taken = await read([b"a" * 1_000_000] * 20, claims=claims)
    assert isinstance(refused, bodies.TooLargeError)
    assert taken == bodies.LARGEST // 1_000_000 + 1


async def test_one_piece_that_is_too_large_is_refused_too() -> None:
    assert isinstance((await read([b"a" * (bodies.LARGEST + 1)]))[0], bodies.TooLargeError)


async def test_only_the_page_for_uploads_takes_music() -> None:
    pieces = [b"a" * 1_000_000] * 20
    assert (await read(pieces, path="/laboratory/new/"))[0] == b"".join(pieces)
    assert isinstance((await read(pieces, path="/laboratory/"))[0], bodies.TooLargeError)


async def test_who_leaves_before_everything_has_come_is_not_answered() -> None:
    events = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return events.pop(0)

    with pytest.raises(bodies.GoneError):
        await bodies.read({"type": "http", "path": "/", "headers": []}, receive)
