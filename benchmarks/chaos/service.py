"""The product under test: `make demo` in a folder of its own, its processes by kind, and its rows."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks import running
from evomusic_site import processes

SERVICE_SECONDS = 60.0
"""For PostgreSQL to answer again; far longer than it takes."""
SUPERVISED = {"web": "uvicorn", "conductor": "rounds", "player": "gpu"}
"""A word of the command line of each kind of process that the demo starts."""
KINDS = (*SUPERVISED, "Redis", "PostgreSQL")
ENVIRONMENT = {"GUEST_EVOLVES_PER_HOUR": "0", "GUEST_EVOLVES_PER_DAY": "0"}
"""Listeners here are faster than people."""


@dataclass
class Service:
    """A running demo."""

    demo: running.Demo
    database: str
    said: list[str] = field(default_factory=list)
    """What its supervisor printed."""

    @property
    def address(self) -> str:
        return self.demo.address

    def alive(self, kind: str) -> list[psutil.Process]:
        """The processes of a kind that live now."""
        folder = self.demo.state_folder
        if kind == "Redis":
            return _living([_first_number(folder / "redis" / "redis.pid")])
        if kind == "PostgreSQL":
            return _living([_first_number(folder / "postgresql" / "postmaster.pid")])
        return [one for one in _living(_recorded(folder)) if SUPERVISED[kind] in _words(one)]

    def ask(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows, as soon as the database answers. Raises psycopg.OperationalError when it does not in a minute."""
        give_up = time.monotonic() + SERVICE_SECONDS
        while True:
            try:
                with psycopg.connect(self.database, autocommit=True, connect_timeout=5) as connection:
                    return connection.execute(query, list(parameters)).fetchall()  # type: ignore[call-overload, no-any-return]
            except psycopg.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)

    def is_whole(self, *, players: int) -> bool:
        """Whether everything is up."""
        state = processes.readiness(self.address)
        return bool(state and state["conductor"] and state["players"] >= players)


@contextmanager
def service(folder: Path, *, players: int) -> Iterator[Service]:
    """A demo inside the block."""
    before = {name: os.environ.get(name) for name in (*ENVIRONMENT, "PLAYERS")}
    os.environ.update({**ENVIRONMENT, "PLAYERS": str(players)})
    try:
        demo = running.start(folder)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
    try:
        started = Service(demo, _address(folder / "postgresql"))
        threading.Thread(target=_listen, args=(started,), daemon=True).start()
        yield started
    finally:
        running.stop(demo)


def _listen(started: Service) -> None:
    for line in started.demo.process.stdout or ():
        if line.strip():
            started.said.append(line.strip())


def _address(folder: Path) -> str:
    """Of the embedded PostgreSQL, from the file that it writes itself (its fifth line is the folder of its socket)."""
    return f"postgresql://postgres:@/postgres?host={(folder / 'postmaster.pid').read_text().splitlines()[4]}"


def _recorded(folder: Path) -> list[int]:
    try:
        return [pid for pid, _ in json.loads((folder / "processes.json").read_text())]
    except (OSError, ValueError):  # it is being written
        return []


def _first_number(file: Path) -> int:
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _living(pids: Sequence[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        try:
            process = psutil.Process(pid) if pid else None
            if process is not None and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
