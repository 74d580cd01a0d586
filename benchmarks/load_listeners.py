"""The listeners of the load test, in a process of their own: sockets, ratings, pages and sound, told by lines of JSON.

Requests begin at moments that are drawn before, whether or not earlier ones were answered (an open loop), and each
is timed from the moment at which it was meant to begin: a server that stalls is not asked less (coordinated omission,
Tene 2013).
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from benchmarks.load_client import Answer, Connections

AT_ONCE = 20
"""Pages and sockets that are opened at once before the load begins."""
START_SECONDS = 0.5
"""From being told to play to the first moment at which something may begin."""
FAILURES = (OSError, TimeoutError, ValueError, IndexError)


@dataclass
class Listener:
    """One listener: a session, a page that was loaded, and a socket."""

    number: int
    session: str
    playlist: str
    tracks: list[str]
    server: Connections
    token: str = ""
    socket: ClientConnection | None = None
    heard: list[tuple[int, float]] = field(default_factory=list)
    """Numbered messages in the order in which they came: number, seconds since it was sent."""
    rounds: int = 0
    """Messages that somebody else sent: of rounds that ratings have begun."""

    @property
    def cookies(self) -> str:
        return f"sessionid={self.session}; csrftoken={self.token}"

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.server.ask("GET", path, {"Cookie": self.cookies, **headers})

    async def load_page(self) -> None:
        """The page, which gives the token for what the page's script sends."""
        answer = await self.get("/listen/")
        _expect(answer, 200)
        self.token = answer.cookies.get("csrftoken", self.token)

    async def rate(self, rng: random.Random, given: dict[str, int]) -> None:
        """A like or a dislike of a track of the newest playlist; noted in `given` when it is acknowledged."""
        key, value = str(uuid.UUID(int=rng.getrandbits(128))), rng.choice((-1, 1))
        moment = datetime.now(UTC).isoformat()
        track = rng.choice(self.tracks)
        content = {"id": key, "track": track, "value": value, "never": False, "seconds": 9.5, "given_at": moment}
        headers = {"Cookie": self.cookies, "Content-Type": "application/json", "X-CSRFToken": self.token}
        answer = await self.server.ask("POST", "/api/ratings/", headers, json.dumps(content).encode())
        _expect(answer, 201)
        if json.loads(answer.body)["value"] != value:
            raise ValueError(f"rating {key}: expected {value}, got {answer.body!r}")
        given[key] = value

    async def see_playlist(self) -> None:
        answer = await self.get(f"/api/playlists/{self.playlist}/")
        _expect(answer, 200)
        if len(json.loads(answer.body)["tracks"]) != len(self.tracks):
            raise ValueError("playlist: expected all its tracks")

    async def see_page(self, rng: random.Random) -> None:
        _expect(await self.get(rng.choice(("/listen/", "/listen/", "/playlists/", "/favourites/"))), 200)

    async def hear(self, rng: random.Random) -> None:
        """The whole of a track, as a browser begins it, or one time in four what follows a place sought."""
        start = rng.choice((0, 0, 0, rng.randrange(1000, 100_000)))
        path = f"/tracks/{rng.choice(self.tracks)}/audio"
        answer = await self.get(path, Range=f"bytes={start}-")
        _expect(answer, 206)
        if not answer.body:
            raise ValueError("sound: expected bytes, got none")

    async def open_socket(self) -> None:
        """Connected as a browser is, compression included; messages are noted until it closes."""
        origin = f"http://{self.server.host}:{self.server.port}"
        self.socket = await connect(
            f"ws{origin.removeprefix('http')}/ws/listen/",
            additional_headers={"Cookie": self.cookies},
            origin=origin,  # type: ignore[arg-type]
            ping_interval=None,
            open_timeout=30,
        )
        if json.loads(await self.socket.recv())["type"] != "state":
            raise ValueError("socket: expected the state first")

    async def attend(self) -> None:
        """Note what comes, until the socket is closed."""
        assert self.socket is not None
        with suppress(WebSocketException):
            async for text in self.socket:
                message = json.loads(text)
                if "load" in message:
                    self.heard.append((message["load"], time.monotonic() - message["sent"]))
                elif message["type"] == "round.progress":
                    self.rounds += 1


def _expect(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise ValueError(f"expected status {status}, got {answer.status}: {answer.body[:200]!r}")


@dataclass
class Timed:
    """Requests of one kind: milliseconds of those that were answered, and why others were not."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def told(self, seconds: float) -> dict[str, Any]:
        """Figures for JSON; times are rounded up to the next one observed."""
        ordered = sorted(self.milliseconds)
        told: dict[str, Any] = {"answered": len(ordered), "rate": len(ordered) / seconds, "errors": len(self.errors)}
        told |= {f"p{share}": quantile(ordered, share / 100) for share in (50, 95, 99)}
        return {**told, "max": ordered[-1] if ordered else math.nan, "first_errors": self.errors[:3]}


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed; nan of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def moments(rate: float, seconds: float, rng: random.Random) -> Iterator[float]:
    """When something happens that happens `rate` times a second on average, independently: a Poisson process."""
    at = rng.expovariate(rate) if rate else math.inf
    while at < seconds:
        yield at
        at += rng.expovariate(rate)


class Crowd:
    """All listeners."""

    def __init__(self, plan: dict[str, Any]) -> None:
        servers = [Connections(host, port) for host, port in plan["servers"]]
        self.listeners = [
            Listener(one["listener"], one["session"], one["playlist"], one["tracks"], servers[index % len(servers)])
            for index, one in enumerate(plan["listeners"])
        ]
        self.given: dict[str, int] = {}
        self._attending: list[asyncio.Task[None]] = []
        self._folder = Path(plan["folder"])

    async def load_pages(self) -> dict[str, Any]:
        """Everybody loads their page: {"seconds"}."""
        return {"seconds": await self._each(Listener.load_page)}

    async def connect(self) -> dict[str, Any]:
        """Everybody opens their socket: {"seconds"}."""
        seconds = await self._each(Listener.open_socket)
        self._attending = [asyncio.create_task(one.attend()) for one in self.listeners]
        return {"seconds": seconds}

    async def _each(self, act: Callable[[Listener], Awaitable[None]]) -> float:
        some, started = asyncio.Semaphore(AT_ONCE), time.monotonic()

        async def one(listener: Listener) -> None:
            async with some:
                await act(listener)

        await asyncio.gather(*map(one, self.listeners))
        return time.monotonic() - started

    async def play(self, *, seconds: float, rates: dict[str, float], seed: int) -> dict[str, Any]:
        """So many of each kind a second, drawn from `seed`, for so long; figures by kind."""
        rng = random.Random(seed)
        acts: dict[str, Callable[[Listener, random.Random], Awaitable[None]]] = {
            "rating": lambda one, luck: one.rate(luck, self.given),
            "playlist": lambda one, _: one.see_playlist(),
            "page": Listener.see_page,
            "sound": Listener.hear,
        }
        due = sorted((at, kind) for kind, rate in rates.items() for at in moments(rate, seconds, rng))
        timed = {kind: Timed() for kind in rates}
        started, going = time.monotonic() + START_SECONDS, set()
        for at, kind in due:
            await asyncio.sleep(max(0.0, started + at - time.monotonic()))
            chosen, luck = rng.choice(self.listeners), random.Random(rng.getrandbits(64))
            going.add(asyncio.create_task(_time(timed[kind], started + at, acts[kind](chosen, luck))))
        await asyncio.gather(*going)
        took = max(seconds, time.monotonic() - started)
        return {
            kind: one.told(took) | {"asked": sum(1 for _, this in due if this == kind)} for kind, one in timed.items()
        }

    async def told(self) -> dict[str, Any]:
        """What was heard on sockets, and which are still open; acknowledged ratings go to a file."""
        (self._folder / "given.json").write_text(json.dumps(self.given))
        heard = [[one.number, number, delay] for one in self.listeners for number, delay in one.heard]
        is_open = sum(not task.done() for task in self._attending)
        return {"heard": heard, "open": is_open, "rounds": sum(one.rounds for one in self.listeners)}

    async def heard(self) -> dict[str, Any]:
        """How many numbered messages have come so far: {"heard"}."""
        return {"heard": sum(len(one.heard) for one in self.listeners)}

    async def leave(self) -> dict[str, Any]:
        """Everybody closes their socket and idle connections."""
        await asyncio.gather(*(one.socket.close() for one in self.listeners if one.socket))
        for server in {id(one.server): one.server for one in self.listeners}.values():
            server.close()
        return {}


async def _time(timed: Timed, due: float, act: Awaitable[None]) -> None:
    try:
        await act
        timed.milliseconds.append(1000 * (time.monotonic() - due))
    except FAILURES as error:
        timed.errors.append(f"{type(error).__name__}: {error}")


async def main(plan: Path) -> None:
    """Read a verb and its arguments from each line of standard input, and answer each with a line."""
    crowd, loop = Crowd(json.loads(plan.read_text())), asyncio.get_running_loop()
    verbs: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
        "load_pages": crowd.load_pages,
        "connect": crowd.connect,
        "play": crowd.play,
        "heard": crowd.heard,
        "told": crowd.told,
    }
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        verb, arguments = json.loads(line)
        if verb == "leave":
            break
        print(json.dumps(await verbs[verb](**arguments)), flush=True)
    await crowd.leave()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
