"""The service as `deploy/compose.yaml` has it, from the same entry points, as processes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg

from benchmarks.running import free_port
from evomusic_site import processes, services
from evomusic_site.environment import ROOT

ENTRY = ROOT / "deploy" / "entry"
ROLES = ("web", "web", "conductor", "player", "player", "beat")


@dataclass
class Deployed:
    """Processes by role, and where the web processes listen."""

    folder: Path
    environment: dict[str, str]
    addresses: list[str] = field(default_factory=list)
    running: dict[str, list[subprocess.Popen[bytes]]] = field(default_factory=dict)

    def start(self, role: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start one more process of a role; it leads a session of its own and writes a log of its own."""
        number = len(self.running.setdefault(role, []))
        if role == "web":
            port = free_port()
            environment["PORT"] = str(port)
            self.addresses.append(f"http://127.0.0.1:{port}")
        with (self.folder / f"{role}{number}.log").open("ab") as log:
            process = subprocess.Popen(
                ["sh", str(ENTRY / f"{role}.sh")],
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        self.running[role].append(process)
        return process

    def wait_until_ready(self, *, conductors: int, players: int, seconds: float = 90.0) -> None:
        """Wait until every web process says that so many are there. Raises TimeoutError with the logs."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            said = [processes.readiness(address) for address in self.addresses]
            if all(one and one["conductor"] == conductors and one["players"] == players for one in said):
                return
            time.sleep(0.1)
        raise TimeoutError(f"not ready in {seconds:.0f} s: {said}\n{self.logs()}")

    def stop(self) -> list[float]:
        """SIGTERM to everybody at once, as an engine does; how many seconds each took to end."""
        alive = [process for all_ in self.running.values() for process in all_ if process.poll() is None]
        started = time.monotonic()
        for process in alive:
            process.terminate()
        return [_ended(process, started) for process in alive]

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))

    def left_running(self) -> list[str]:
        """Processes of our sessions that still live."""
        leaders = {process.pid for all_ in self.running.values() for process in all_}
        return [one.name() for one in psutil.process_iter() if _session(one.pid) in leaders]


@contextmanager
def deployed(folder: Path, postgresql: str, roles: Sequence[str] = ROLES) -> Iterator[Deployed]:
    """The service on a database and a broker of its own; every process is ended when the block is left.

    postgresql: the address of a server on which a database can be made.
    """
    environment = {
        **os.environ,
        "PYTHON": sys.executable,
        "DATABASE_URL": fresh_database(postgresql, "deployed"),
        "REDIS_URL": services.start_redis(folder / "redis"),
        "EVOMUSIC_STATE": str(folder / "state"),
        "EVOMUSIC_STATIC": str(folder / "static"),
        "SECRET_KEY": "the same for all processes of this test",
        "HOST": "127.0.0.1",
    }
    service = Deployed(folder, environment)
    try:
        _prepare(environment)
        for role in roles:
            service.start(role)
        yield service
    finally:
        for process in [one for all_ in service.running.values() for one in all_]:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _prepare(environment: dict[str, str]) -> None:
    """What images and the step before a start do: the page's files are collected, the tables are made."""
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input"]
    steps = [
        subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for command in (collect, ["sh", str(ENTRY / "migrate.sh")])
    ]
    for step in steps:
        said, _ = step.communicate(timeout=120)
        if step.returncode:
            raise RuntimeError(said.decode())


def fresh_database(postgresql: str, name: str) -> str:
    """The address of a new, empty database on a server."""
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
    base, _, query = postgresql.partition("?")
    return f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def _ended(process: subprocess.Popen[bytes], started: float) -> float:
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        return float("inf")
    return time.monotonic() - started


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0
