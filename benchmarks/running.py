"""The product, running: `make demo` on a free port and in a folder of its own, and a guest who uses it over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from evomusic_site.environment import ROOT

ROUND_SECONDS = 120.0


@dataclass
class Demo:
    """A running demo."""

    address: str
    state_folder: Path
    process: subprocess.Popen[str]


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(state_folder: Path, *, port: int | None = None) -> Demo:
    """Start the demo and wait until it is ready. Raises RuntimeError with what it said when it does not start."""
    port = port or free_port()
    environment = {
        **os.environ,
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "EVOMUSIC_STATE": str(state_folder),
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "evomusic_site.demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "is ready" in line:
            return Demo(f"http://127.0.0.1:{port}", state_folder, process)
    raise RuntimeError("the demo did not start: " + "".join(said))


def stop(demo: Demo) -> None:
    """Ctrl-C."""
    demo.process.send_signal(signal.SIGINT)
    try:
        demo.process.wait(30)
    except subprocess.TimeoutExpired:
        demo.process.kill()
        demo.process.wait()


@contextmanager
def demo(state_folder: Path) -> Iterator[Demo]:
    """A demo inside the block."""
    running = start(state_folder)
    try:
        yield running
    finally:
        stop(running)


class Guest:
    """Somebody who listens, by HTTP as the page does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.session = requests.Session()
        self.session.get(f"{address}/", timeout=10).raise_for_status()

    def press_start(self) -> None:
        """The welcome page's one button."""
        token = self.session.cookies["csrftoken"]
        form = {"csrfmiddlewaretoken": token}
        headers = {"Referer": self.address}
        self.session.post(f"{self.address}/start/", data=form, headers=headers, timeout=10).raise_for_status()

    def state(self) -> dict[str, Any]:
        """What the page asks when it connects."""
        answer = self.session.get(f"{self.address}/api/state/", timeout=10)
        answer.raise_for_status()
        return dict(answer.json())

    def playlist(self, *, other_than: str | None = None) -> dict[str, Any]:
        """Wait for a newest playlist that is not `other_than`, and give it."""
        give_up = time.monotonic() + ROUND_SECONDS
        while time.monotonic() < give_up:
            newest = self.state()["playlist"]
            if newest and newest != other_than:
                answer = self.session.get(f"{self.address}/api/playlists/{newest}/", timeout=10)
                answer.raise_for_status()
                return dict(answer.json())
            time.sleep(0.05)
        raise TimeoutError(f"no playlist came in {ROUND_SECONDS:.0f} s; the state is {self.state()}")

    def post(self, address: str, content: dict[str, Any]) -> requests.Response:
        """A JSON request as the page sends it."""
        headers = {"X-CSRFToken": self.session.cookies["csrftoken"], "Referer": self.address}
        return self.session.post(f"{self.address}{address}", json=content, headers=headers, timeout=10)

    def rate(self, track: str, value: int) -> requests.Response:
        """Like (1), dislike (-1) or take back (0)."""
        moment = datetime.now(UTC).isoformat()
        content = {"id": str(uuid.uuid4()), "track": track, "value": value, "seconds": 4.0, "given_at": moment}
        return self.post("/api/ratings/", content)

    def evolve(self) -> None:
        """Ask for the next playlist."""
        self.post("/api/evolve/", {}).raise_for_status()

    def hear(self, track: dict[str, Any]) -> bytes:
        """The first bytes of a track, as a player asks for them."""
        answer = self.session.get(f"{self.address}{track['audio_url']}", headers={"Range": "bytes=0-65535"}, timeout=10)
        answer.raise_for_status()
        return answer.content
