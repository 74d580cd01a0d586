"""The command lines of the service's processes, for `make demo` and for the entry points in `deploy/`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

MOST_PLAYERS = 8  # started without being asked for; each holds connections to the database
DRAIN_SECONDS = 10
"""For a web process that was told to stop to answer what it was asked; then it ends anyway."""
LONGEST_SOCKET_MESSAGE = 65_536
"""Bytes: what a browser tells by its socket is a few hundred."""
NICENESS = {"web": 0, "beat": 0, "conductor": 5, "player": 10}
"""Pages answer while music is made: the web process goes first when the processor is short."""

GPUS = Path("/proc/driver/nvidia/gpus")
"""A folder for each GPU that NVIDIA's driver has found."""

_CALM = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Program:
    """A process to run: its role, its name in logs, its command line and what it adds to the environment."""

    role: str
    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict, hash=False)


def web(host: str, port: int) -> Program:
    """The web process. Told to stop, it takes no new connection, closes sockets and answers what it was asked."""
    address = ("--host", host, "--port", str(port))
    # What a proxy says of an address is read where it is known how many proxies there are (`listening/visitors.py`).
    manners = ("--no-access-log", "--no-proxy-headers", "--timeout-graceful-shutdown", str(DRAIN_SECONDS))
    sockets = ("--ws-max-size", str(LONGEST_SOCKET_MESSAGE))
    return Program(
        "web",
        "web",
        (sys.executable, "-m", "uvicorn", "evomusic_site.asgi:application", *address, *manners, *sockets),
    )


def conductor(state_folder: Path | None = None, *, name: str = "conductor") -> Program:
    """The process that runs rounds.

    state_folder: where its beat keeps when it did what; None: the beat is a process of its own.
    """
    beat = ("--beat", "--schedule", str(state_folder / "beat")) if state_folder else ()
    return Program("conductor", name, (*_worker("rounds", name), "--pool=threads", "--concurrency=8", *beat), _CALM)


def beat(state_folder: Path) -> Program:
    """The process that asks, every few seconds, for rounds that were abandoned. One is enough; two do no harm."""
    options = ("--schedule", str(state_folder / "beat-alone"), "--pidfile=", "--loglevel=INFO")
    return Program("beat", "beat", (*_CELERY, "beat", *options))


def player(name: str, *, gpu: str | None = None) -> Program:
    """A process that plays, with one thread.

    name: its own among all players of this machine. gpu: the one that it has alone, as CUDA_VISIBLE_DEVICES names it;
    None: what its environment lets it see.
    """
    sees = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
    return Program("player", name, (*_worker("gpu", name), "--pool=solo"), {**_CALM, **sees})


def players(count: int, *, owner: str = "") -> list[Program]:
    """`count` processes that play; on a CPU one per core, each with one thread, else each with a GPU of its own.

    owner: part of their names, by which Celery knows workers: two starters at once must not share it.
    """
    there = gpus()
    return [
        player(f"player{number + 1}{owner}", gpu=there[number % len(there)] if there else None)
        for number in range(count)
    ]


_CELERY = (sys.executable, "-m", "celery", "-A", "evomusic_site")


def _worker(queue: str, name: str) -> tuple[str, ...]:
    options = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO")
    return (*_CELERY, "worker", "-Q", queue, "-n", f"{name}@%h", *options)


def gpus() -> list[str]:
    """NVIDIA's GPUs that we may use, as CUDA_VISIBLE_DEVICES names them; looked up without a driver's library."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(GPUS.glob("*"))))]


def default_players() -> int:
    """One per GPU, whose memory holds one model; without any, one per processor core that we may use.

    More than a few share one memory bus and gain little.
    """
    if there := gpus():
        return len(there)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_PLAYERS)
