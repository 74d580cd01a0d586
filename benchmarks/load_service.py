"""What the load test runs against: web processes as the service starts them, PostgreSQL and Redis, and their costs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from benchmarks.running import free_port
from evomusic_site import programs, services
from evomusic_site.environment import ROOT

READY_SECONDS = 60.0
HOST = "127.0.0.1"


@dataclass
class Service:
    """Running processes by what they are; of PostgreSQL the first, whose children the others are."""

    ports: list[int]
    processes: dict[str, list[psutil.Process]]

    def memory(self) -> float:
        """Resident bytes of all web processes."""
        return float(sum(one.memory_info().rss for one in self.processes["web"]))

    def costs(self) -> dict[str, float]:
        """Processor seconds that each kind of process has used so far; and of the machine, all that anybody has."""
        used = {kind: sum(map(_seconds, some)) for kind, some in self.processes.items()}
        machine = psutil.cpu_times()
        return {**used, "machine": sum(machine) - machine.idle - getattr(machine, "iowait", 0.0) - _in_guests(machine)}


def _seconds(process: psutil.Process) -> float:
    """Of it; of PostgreSQL's first process also of all that it has started, those that have ended included."""
    told = process.cpu_times()
    if process.name() != "postgres":
        return float(told.user + told.system)
    total = float(told.user + told.system + told.children_user + told.children_system)
    for one in process.children():
        with suppress(psutil.Error):
            total += one.cpu_times().user + one.cpu_times().system
    return total


def _in_guests(machine: object) -> float:
    """Linux counts these twice."""
    return float(getattr(machine, "guest", 0.0) + getattr(machine, "guest_nice", 0.0) + getattr(machine, "steal", 0.0))


@contextmanager
def running(state_folder: Path, *, web: int) -> Iterator[Service]:
    """So many web processes inside the block, with what `services.start` has started in this folder before."""
    ports = [free_port() for _ in range(web)]
    started = [_start(port, state_folder) for port in ports]
    postgresql = int((state_folder / "postgresql" / "postmaster.pid").read_text().splitlines()[0])
    redis = int((state_folder / "redis" / "redis.pid").read_text())
    try:
        for port, process in zip(ports, started, strict=True):
            _wait_until_ready(port, process, state_folder)
        processes = {
            "web": [psutil.Process(one.pid) for one in started],
            "PostgreSQL": [psutil.Process(postgresql)],
            "Redis": [psutil.Process(redis)],
        }
        yield Service(ports, processes)
    finally:
        _stop(started)


def _start(port: int, state_folder: Path) -> subprocess.Popen[bytes]:
    program = programs.web(HOST, port)
    environment = {**os.environ, **program.environment, "EVOMUSIC_ROLE": program.role}
    with (state_folder / f"web{port}.log").open("wb") as log:
        return subprocess.Popen(program.command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], state_folder: Path) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(URLError, OSError), urlopen(f"http://{HOST}:{port}/readyz", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise RuntimeError("the web process did not start: " + (state_folder / f"web{port}.log").read_text()[-2000:])


def _stop(started: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(2 * programs.DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_services(state_folder: Path) -> None:
    """PostgreSQL and Redis of this test's own, and Django in this process, with all tables."""
    os.environ |= {"EVOMUSIC_STATE": str(state_folder), "DATABASE_URL": "", "REDIS_URL": ""}
    os.environ["DJANGO_SETTINGS_MODULE"] = "evomusic_site.settings"
    services.start(state_folder)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def stop_services(state_folder: Path) -> None:
    """Let go of them; nobody else uses them."""
    from django.db import connections

    connections["default"].close()
    connections["default"].close_pool()
    services.stop(state_folder)
