"""What an answer takes of a core: by the handler of the web process and by Django's own, and its reads by the ORM.

Everything is asked inside this process, so that no network and no other program is measured; see docs/load.md.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import load_service
from evomusic_site.environment import ROOT

COMMAND = "python -m benchmarks answers"
LISTENERS, REQUESTS, AT_ONCE, BLOCKS = 100, 128, 16, 5
READS = 300
TOKEN = "a" * 32
"""Of CSRF, as a page would have it."""

Person = dict[str, Any]
Ask = Callable[[Person, int], tuple[str, str, bytes]]
"""Method, path and body of the so manieth request."""


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command; by a process of its own, which sets Django up."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.answers"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return list(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure in a folder of its own, and print the rows as a line of JSON."""
    with tempfile.TemporaryDirectory(prefix="evomusic-answers-") as name:
        folder = Path(name)
        load_service.start_services(folder)
        try:
            rows = _measured()
        finally:
            load_service.stop_services(folder)
    print(json.dumps(rows))


def _measured() -> list[dict[str, Any]]:
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    from benchmarks import load_rows
    from evomusic_site import handling

    people = load_rows.make(listeners=LISTENERS, playlists=3, seed=1)
    load_rows.settle()
    applications = {"ours": handling.Handler(get_wsgi_application()), "Django's": get_asgi_application()}
    rows = []
    for kind, ask in _kinds().items():
        taken = asyncio.run(_compared(applications, people, ask))
        rows.append(_row(f"processor time of {kind}", taken["ours"], "ms"))
        rows.append(
            _row(f"the same by Django's asynchronous handler: times {kind}", taken["Django's"] / taken["ours"], "x")
        )
    for what, (ours, plain) in _reads(people[0]).items():
        mine, orm = _each(ours), _each(plain)
        rows.append(_row(f"processor time of reading {what}", mine, "ms"))
        rows.append(_row(f"the same by the ORM: times {what}", orm / mine, "x"))
    return rows


def _kinds() -> dict[str, Ask]:
    from django.urls import reverse

    def rating(person: Person, number: int) -> tuple[str, str, bytes]:
        track = person["tracks"][number % len(person["tracks"])]
        said = {"id": str(uuid.uuid4()), "track": track, "value": 0, "seconds": 3.0}  # no opinion: no round begins
        return "POST", reverse("listening:rate"), json.dumps(said).encode()

    def sound(person: Person, number: int) -> tuple[str, str, bytes]:
        track = person["tracks"][number % len(person["tracks"])]
        return "GET", reverse("listening:track_audio", args=[track]), b""

    return {
        "a rating": rating,
        "a range of sound": sound,
        "a playlist's content": lambda person, _: (
            "GET",
            reverse("listening:playlist_content", args=[person["playlist"]]),
            b"",
        ),
        "the listening page": lambda *_: ("GET", reverse("listening:listen"), b""),
    }


async def _compared(applications: dict[str, Any], people: list[Person], ask: Ask) -> dict[str, float]:
    """Milliseconds of processor time for each request, the median of blocks that take turns."""
    taken: dict[str, list[float]] = {name: [] for name in applications}
    for block in range(BLOCKS + 1):
        for name, application in applications.items():
            began = time.process_time()
            await _all(application, people, ask)
            if block:  # the first is to warm up
                taken[name].append(1000 * (time.process_time() - began) / REQUESTS)
    return {name: statistics.median(some) for name, some in taken.items()}


async def _all(application: Any, people: list[Person], ask: Ask) -> None:
    """Every request once, AT_ONCE at a time."""
    numbers = iter(range(REQUESTS))

    async def visitor() -> None:
        for number in numbers:
            person = people[number % len(people)]
            await _one(application, person, *ask(person, number))

    await asyncio.gather(*(visitor() for _ in range(AT_ONCE)))


async def _one(application: Any, person: Person, method: str, path: str, body: bytes) -> None:
    headers = {
        "host": "127.0.0.1",
        "cookie": f"sessionid={person['session']}; csrftoken={TOKEN}",
        "x-csrftoken": TOKEN,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "range": "bytes=1000-60000",
    }
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 4711),
    }
    asked = asyncio.Queue[dict[str, Any]]()
    asked.put_nowait({"type": "http.request", "body": body, "more_body": False})
    statuses: list[int] = []

    async def send(event: dict[str, Any]) -> None:
        if event["type"] == "http.response.start":
            statuses.append(event["status"])

    await application(scope, asked.get, send)
    if statuses[0] not in (200, 201, 206):
        raise RuntimeError(f"{method} {path}: expected an answer, got status {statuses[0]}")


def _reads(person: Person) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """By what is read: our statement, and what the ORM would do for the same."""
    from django.contrib.sessions.backends.db import SessionStore as Plain

    from evolution.models import Round
    from listening import selectors
    from listening.models import Listener, Playlist, Track, User
    from listening.recognition import WithListener
    from listening.sessions import SessionStore

    listener = Listener.objects.get(pk=person["listener"])
    key, track = person["session"], uuid.UUID(person["tracks"][0])

    def progress() -> Any:
        newest = Playlist.objects.filter(listener=listener).order_by("-number").values("pk")[:1]
        tracks = Track.objects.filter(place__playlist__in=newest)
        opinions = list(selectors.with_opinion(tracks).values_list("opinion", flat=True))
        return opinions, Round.objects.filter(run_id=listener.run_id).order_by("-number").first()

    return {
        "a session": (lambda: SessionStore(key).load(), lambda: Plain(key).load()),
        "a user with their listener": (
            lambda: WithListener().get_user(listener.user_id),
            lambda: User.objects.select_related("listener").get(pk=listener.user_id),
        ),
        "a track with its recording": (
            lambda: selectors.track(listener, track),
            lambda: Track.objects.select_related("recording").get(pk=track, listener=listener),
        ),
        "how far a playlist is": (lambda: selectors.progress(listener), progress),
    }


def _each(read: Callable[[], Any]) -> float:
    """Milliseconds of processor time."""
    read()
    began = time.process_time()
    for _ in range(READS):
        read()
    return 1000 * (time.process_time() - began) / READS


def _row(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": "", "met": True, "command": COMMAND}


if __name__ == "__main__":
    main()
