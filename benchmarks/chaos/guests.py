"""People who listen as the page does: a socket that comes back, ratings kept until they are confirmed."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import requests
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from benchmarks import running

POLL_SECONDS = 15.0
"""As static/js/live.js: with a round running, the state is asked for so often, for an event may be lost."""
LONGEST_PAUSE = 30.0
"""As static/js/backoff.js."""
SEND_SECONDS = 120.0
"""After which a rating that was never confirmed is given up; the page would keep it."""


class Listening(threading.Thread):
    """A guest who rates every playlist, so that the next one begins by itself, until told to stop."""

    def __init__(self, address: str, *, seed: int) -> None:
        super().__init__(name=f"guest {seed}", daemon=True)
        self.address = address
        self.luck = random.Random(seed)
        self.leave, self.quiet = threading.Event(), threading.Event()
        """leave: rate nothing more. quiet: set when after that everything has come that was asked for."""
        self.playlists: dict[str, dict[str, Any]] = {}
        """Every playlist that came, by id, as it came first."""
        self.changed: list[str] = []
        """Ids of playlists that came again with other contents."""
        self.acknowledged: dict[str, tuple[str, int]] = {}
        """Ratings that were answered with 200 or 201: id -> track and value."""
        self.sent: set[str] = set()
        self.never_confirmed = 0
        self.counts: Counter[str] = Counter()
        """Connections lost, answers by status, ways in which playlists came."""
        self.state: dict[str, Any] = {}
        self.socket: ClientConnection | None = None
        self.over = threading.Event()
        self.guest = running.Guest(address)
        self.guest.press_start()
        self.error: BaseException | None = None

    def run(self) -> None:
        socket = threading.Thread(target=self._keep_connected, daemon=True)
        socket.start()
        try:
            self._listen()
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.over.set()
            if self.socket is not None:
                self.socket.close()

    def _listen(self) -> None:
        rated: set[str] = set()
        asked = time.monotonic()
        while not (self.leave.is_set() and self._is_over()):
            newest = self._newest()
            if newest is not None and newest["id"] not in rated and not self.leave.is_set():
                rated.add(newest["id"])
                for track in newest["tracks"]:
                    self._rate(track["id"])
            if time.monotonic() - asked > POLL_SECONDS:
                asked = time.monotonic()
                self._refresh()
                self._evolve_again()
            time.sleep(0.1)
        self.quiet.set()

    def _is_over(self) -> bool:
        """Nothing is being made, and the newest playlist is here: as a page that has just connected would find it."""
        state = self._call(self.guest.state)
        if state is None:
            return False
        self._take(state)
        round_ = state["round"]
        return (round_ is None or round_["status"] == "done") and state["playlist"] in self.playlists

    def _newest(self) -> dict[str, Any] | None:
        return max(self.playlists.values(), key=lambda one: int(one["number"]), default=None)

    def _evolve_again(self) -> None:
        """Press the button after a round that failed, or when nothing began: the page has one."""
        round_ = self.state.get("round")
        if round_ is not None and round_["status"] == "failed":
            self.counts[f"a round failed: {round_['message']}"] += 1
            self._call(self.guest.evolve)

    def _rate(self, track: str) -> None:
        """Send a rating under one id until it is confirmed."""
        value = self.luck.choice([-1, 1, 1])
        moment = datetime.now(UTC).isoformat()
        content = {"id": str(uuid.uuid4()), "track": track, "value": value, "seconds": 4.0, "given_at": moment}
        self.sent.add(content["id"])
        give_up, pause = time.monotonic() + SEND_SECONDS, 0.5
        while time.monotonic() < give_up:
            answer = self._call(lambda: self.guest.post("/api/ratings/", content))
            if answer is not None:
                self.counts[f"ratings answered with {answer.status_code}"] += 1
                if answer.status_code in (200, 201):
                    self.acknowledged[content["id"]] = (track, value)
                    return
            time.sleep(pause * self.luck.uniform(0.5, 1.0))
            pause = min(4.0, 2 * pause)
        self.never_confirmed += 1

    def _call(self, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except (requests.RequestException, ValueError) as error:
            self.counts[f"requests without an answer: {type(error).__name__}"] += 1
            return None

    def _refresh(self) -> None:
        with suppress(WebSocketException, OSError, AttributeError):
            self.socket.send(json.dumps({"type": "state"}))  # type: ignore[union-attr]
            return
        if state := self._call(self.guest.state):
            self._take(state)

    def _keep_connected(self) -> None:
        attempt = 0
        cookies = "; ".join(f"{name}={value}" for name, value in self.guest.session.cookies.items())
        while not self.over.is_set():
            try:
                with connect(
                    self.address.replace("http", "ws") + "/ws/listen/",
                    additional_headers={"Cookie": cookies},
                    origin=self.address,  # type: ignore[arg-type]
                    open_timeout=10,
                ) as self.socket:
                    attempt = 0
                    for message in self.socket:
                        self._receive(json.loads(message))
            except (WebSocketException, OSError, TimeoutError):
                pass
            if not self.over.is_set():
                self.counts["sockets lost"] += 1
                whole = min(LONGEST_PAUSE, 0.5 * 2**attempt)
                self.over.wait(whole / 2 + whole / 2 * self.luck.random())
                attempt += 1

    def _receive(self, message: dict[str, Any]) -> None:
        if message["type"] == "state":
            self._take(message)
        elif message["type"] == "round.progress":
            self.state = {**self.state, "round": message["round"]}
        elif message["type"] == "playlist.ready":
            self._arrived(message["playlist"], "by an event")

    def _take(self, state: dict[str, Any]) -> None:
        self.state = state
        newest = state["playlist"]
        if newest and newest not in self.playlists:
            answer = self._call(lambda: self.guest.session.get(f"{self.address}/api/playlists/{newest}/", timeout=10))
            if answer is not None and answer.status_code == requests.codes.ok:
                self._arrived(answer.json(), "by asking")

    def _arrived(self, playlist: dict[str, Any], way: str) -> None:
        known = self.playlists.setdefault(playlist["id"], playlist)
        if known is playlist:
            self.counts[f"playlists that came {way}"] += 1
        elif contents(known) != contents(playlist):
            self.changed.append(playlist["id"])
        elif way == "by an event":
            self.counts["playlists announced that were known"] += 1


def contents(playlist: dict[str, Any]) -> tuple[int, list[str]]:
    """What a playlist is: its number and its tracks in order."""
    return int(playlist["number"]), [track["id"] for track in playlist["tracks"]]
