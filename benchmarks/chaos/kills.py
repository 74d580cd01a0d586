"""Who is killed and how, drawn from a seed, and how soon a killed player's chunk runs again."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from benchmarks.chaos.service import Service
from evolution import locks, presence

SHARES = {"player": 0.4, "web": 0.2, "conductor": 0.15, "Redis": 0.15, "PostgreSQL": 0.1}
SHARE_ASKED = 0.25
"""Of the kills that ask to end instead: SIGTERM, and for PostgreSQL SIGINT, as its images are stopped."""
AT_WORK_SECONDS = 2.0
"""So long is waited for a player to have a chunk, before it is killed without one."""
CHUNK_SECONDS = 30.0
"""So long is looked for a killed player's chunk: longer than what is promised."""
TARGET_SECONDS = 15.0
"""So long is waited for one of a kind to live: it may be the one that was killed a moment ago."""
SPARED_SECONDS, PATIENCE = 5.0, 2.0
"""Who was started so recently is killed only when no other of its kind can be had so soon: else nobody would work."""

_HOLDERS = (
    "SELECT (l.classid::bigint << 32) | l.objid::bigint, a.application_name"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted"
)


_HERE = f"{presence.PREFIX}player"


@dataclass(frozen=True)
class Kill:
    """One kill.

    at: seconds after the first could come. others: how many other players were up when a player was killed.
    chunk_again: seconds until its chunk was with another player or was not wanted any more; None: it had none.
    """

    kind: str
    asked: bool
    at: float
    others: int = 0
    chunk_again: float | None = None


class Killer:
    """Kills one process after the other; which ones follows from the seed."""

    def __init__(self, service: Service, *, seed: int) -> None:
        self.service = service
        self.luck = random.Random(seed)
        self.done: list[Kill] = []
        self.began = time.monotonic()

    def strike(self) -> None:
        """Kill one, and, where it was a player with a chunk, wait until that runs again."""
        kind = self.luck.choices(list(SHARES), weights=list(SHARES.values()))[0]
        asked, pick = self.luck.random() < SHARE_ASKED, self.luck.random()
        target = self._target(kind, pick)
        if target is None:
            return
        at = time.monotonic() - self.began
        if kind != "player":
            _end(target, (signal.SIGINT if kind == "PostgreSQL" else signal.SIGTERM) if asked else signal.SIGKILL)
            self.done.append(Kill(kind, asked, at))
        elif asked:  # it hands its chunk back itself
            _end(target, signal.SIGTERM)
            self.done.append(Kill(kind, asked, at))
        else:
            self.done.append(self._kill_player(target, at))

    def _target(self, kind: str, pick: float) -> psutil.Process | None:
        began = time.monotonic()
        while (waited := time.monotonic() - began) < TARGET_SECONDS:
            alive = self.service.alive(kind)
            known = [one for one in alive if time.time() - one.create_time() > SPARED_SECONDS]
            if chosen := known or (alive if waited > PATIENCE else []):
                return chosen[int(pick * len(chosen))]
            time.sleep(0.05)
        return None

    def _kill_player(self, target: psutil.Process, at: float) -> Kill:
        """Kill it, when it has a chunk if it soon has one, and wait until that is taken up."""
        chunks = self._chunks_of(target)
        [(up,)] = self.service.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [_HERE])
        began = time.monotonic()
        _end(target, signal.SIGKILL)
        again = self._until_taken_up(chunks, began, target.pid) if chunks else None
        return Kill("player", asked=False, at=at, others=max(0, up - 1), chunk_again=again)

    def _chunks_of(self, player: psutil.Process) -> list[str]:
        """The chunks of a player, which is held still while it is looked what it has."""
        give_up = time.monotonic() + AT_WORK_SECONDS
        while True:
            with suppress(psutil.Error):
                player.suspend()
            found = [chunk for chunk, holder in self._claims().items() if holder == player.pid]
            if found or time.monotonic() > give_up:
                return found
            with suppress(psutil.Error):
                player.resume()
            time.sleep(0.03)

    def _claims(self) -> dict[str, int]:
        """The process that has each chunk that is wanted and had by one."""
        wanted = {locks.number(f"chunk:{pk}"): str(pk) for (pk,) in self._wanted()}
        held = self.service.ask(_HOLDERS)
        return {wanted[number]: _pid(name) for number, name in held if number in wanted}

    def _wanted(self) -> Sequence[tuple[object, ...]]:
        return self.service.ask("SELECT id FROM evolution_waitingchunk")

    def _until_taken_up(self, chunks: Sequence[str], began: float, dead: int) -> float:
        left = set(chunks)
        while left and time.monotonic() < began + CHUNK_SECONDS:
            claims = self._claims()
            there = {str(pk) for (pk,) in self._wanted()}
            left = {chunk for chunk in left if chunk in there and claims.get(chunk, dead) == dead}
            time.sleep(0.05)
        return time.monotonic() - began


def _pid(application_name: str) -> int:
    """Of the process that a connection is of: the last word of its name (`evomusic_site.settings`)."""
    word = application_name.rpartition(" ")[2]
    return int(word) if word.isdigit() else 0


def _end(process: psutil.Process, number: int) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)
        process.resume()
