"""A small HTTP/1.1 client on asyncio: connections that stay open and are shared, as those of a proxy in front."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

IDLE_SECONDS = 3.0
"""After which a connection is not used again: the web process closes idle ones after five."""
PATIENCE = 10.0
"""Seconds for an answer; later is an error."""


@dataclass(frozen=True)
class Answer:
    """What came back: the cookies it sets by name, and the whole body."""

    status: int
    cookies: dict[str, str]
    body: bytes


@dataclass
class Connections:
    """To one server, by host and port; the one that was used last is used first."""

    host: str
    port: int
    _idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """One request. Raises OSError, TimeoutError or ValueError where no whole answer comes; nothing is repeated."""
        async with asyncio.timeout(PATIENCE):
            reader, writer = await self._connection()
            try:
                lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                lines += [f"Content-Length: {len(body)}"] if method == "POST" else []
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                answer, stays = await _answer(reader)
            except BaseException:
                writer.close()
                raise
        if stays:
            self._idle.append((time.monotonic(), reader, writer))
        else:
            writer.close()
        return answer

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            since, reader, writer = self._idle.pop()
            if time.monotonic() - since < IDLE_SECONDS and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port, limit=2**20)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop()[2].close()


async def _answer(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    """The answer, and whether its connection can be used again."""
    try:
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        length, cookies, stays = 0, {}, True
        for line in lines:
            name, _, value = line.partition(": ")
            if name.lower() == "content-length":
                length = int(value)
            elif name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                cookies[key] = rest.partition(";")[0]
            elif name.lower() == "transfer-encoding":
                raise ValueError(f"answer: expected a Content-Length, got Transfer-Encoding: {value}")
            elif name.lower() == "connection" and value.lower() == "close":
                stays = False
        return Answer(int(status.split()[1]), cookies, await reader.readexactly(length)), stays
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the connection ended before the whole answer had come") from error
