"""The processes of one machine: web, conductor, players. Started here, kept alive here, stopped by process id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psutil

from evomusic_site import programs, services
from evomusic_site.environment import ROOT, Environment
from evomusic_site.programs import Program

STOP_SECONDS = 4.0  # for a process to finish what it does; then it is killed, and what it did is done again later
RESTART_PAUSE = 1.0
READY_SECONDS = 120.0


class ProcessError(RuntimeError):
    """Processes that are needed did not start; the message says where to look."""


class Family:
    """Running programs. Their process ids are written down, so that a start after a crash can find and end them."""

    def __init__(
        self, state_folder: Path, environment: dict[str, str] | None = None, *, record: str = "processes.json"
    ) -> None:
        self.logs = state_folder / "log"
        self.record = state_folder / record
        self.environment = environment or {}
        self.running: dict[Program, subprocess.Popen[bytes]] = {}
        self.logs.mkdir(parents=True, exist_ok=True)

    def start(self, started: Sequence[Program]) -> None:
        """Start programs; each writes its own log."""
        for program in started:
            environment = {**os.environ, **self.environment, **program.environment, "EVOMUSIC_ROLE": program.role}
            with (self.logs / f"{program.name}.log").open("ab") as log:
                self.running[program] = subprocess.Popen(
                    ["nice", "-n", str(programs.NICENESS[program.role]), *program.command],
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for us: we stop them in order
                )
        self._write_down()

    def dead(self) -> list[tuple[Program, int]]:
        """Programs that have ended, with their exit codes (negative: the signal)."""
        codes = [(program, process.poll()) for program, process in self.running.items()]
        dead = [(program, code) for program, code in codes if code is not None]
        for program, _ in dead:
            _end_group(self.running[program].pid)  # the conductor's beat is a child that outlives it
        return dead

    def stop(self) -> None:
        """End all of them: asked first, killed after a few seconds."""
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        give_up = time.monotonic() + STOP_SECONDS
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.05, give_up - time.monotonic()))
            _end_group(process.pid)
            process.wait()
        self.running.clear()
        self.record.unlink(missing_ok=True)

    def end_leftovers(self) -> int:
        """End processes that an earlier family left behind when it was killed; gives how many."""
        try:
            written = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return 0
        ended = 0
        for pid, created in written:
            try:
                process = psutil.Process(pid)
                if abs(process.create_time() - created) < 1.0:  # the number was not given to another program since
                    _end_group(pid)
                    process.wait(5)
                    ended += 1
            except psutil.NoSuchProcess:
                _end_group(pid)  # its leader is gone; the others of the session may live
            except psutil.Error:
                continue
        return ended

    def _write_down(self) -> None:
        alive = [process.pid for process in self.running.values() if process.poll() is None]
        pairs = []
        for pid in alive:
            try:
                pairs.append([pid, psutil.Process(pid).create_time()])
            except psutil.Error:
                continue
        self.record.write_text(json.dumps(pairs))


def _end_group(leader: int) -> None:
    """Kill what is left of a program's session: each program leads one, named by its process id."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def wait_until_ready(family: Family, address: str, *, players: int, seconds: float) -> dict[str, int] | None:
    """Ask /readyz until database, broker, a conductor and all players are there.

    None when they are not in time, or when one of the family has ended.
    """
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and not family.dead():
        state = readiness(address)
        if state and state["database"] and state["broker"] and state["conductor"] and state["players"] >= players:
            return state
        time.sleep(0.1)
    return None


def readiness(address: str) -> dict[str, int] | None:
    """What /readyz says now; None when nobody answers."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:  # noqa: S310  # our own address
            return dict(json.load(answer))
    except (urllib.error.URLError, OSError, ValueError):
        return None


@contextmanager
def workers(settings: Environment) -> Iterator[None]:
    """A conductor and players inside the block: those that are there, else our own, on an up-to-date database."""
    import django
    from django.core.management import call_command

    django.setup()
    from evolution import presence

    call_command("migrate", verbosity=0)
    there = presence.count()
    if there.get("conductor") and there.get("player"):
        yield
        return
    count = settings.players or programs.default_players()
    family = Family(settings.state_folder, {}, record="workers.json")
    family.end_leftovers()
    try:
        family.start([programs.conductor(settings.state_folder), *programs.players(count)])
        give_up = time.monotonic() + READY_SECONDS
        while presence.count().get("player", 0) < count or not presence.count().get("conductor"):
            if family.dead() or time.monotonic() > give_up:
                raise ProcessError(f"the workers did not start; their logs are in {family.logs}")
            time.sleep(0.1)
        yield
    finally:
        family.stop()


@contextmanager
def players_for_command(count: int | None) -> Iterator[None]:
    """Players inside the block, for a command that conducts its rounds itself; what dies meanwhile is started again.

    count: so many of our own. 0: none; this process plays by itself, one chunk after the other. None: those of the
    service that is up, else our own.
    Raises ProcessError when they do not start.
    """
    from django.conf import settings

    from evolution import presence

    there = presence.count()
    if count is None and there.get("conductor") and there.get("player"):  # players alone may go with their command
        yield
        return
    wanted = (settings.ENVIRONMENT.players or programs.default_players()) if count is None else count
    _end_orphans(settings.STATE_FOLDER)
    owner = f"-of-{os.getpid()}"
    family = Family(settings.STATE_FOLDER, record=f"players{owner}.json")
    leave = threading.Event()
    watcher = threading.Thread(target=_watch, args=(family, settings.STATE_FOLDER, leave), name="watch", daemon=True)
    try:
        _start_players(family, programs.players(wanted, owner=owner))
        watcher.start()
        with nullcontext() if wanted else _played_in_process():
            yield
        for log in family.logs.glob(f"player*{owner}.log"):  # nobody has to read why it went well
            log.unlink(missing_ok=True)
    finally:
        leave.set()
        if watcher.is_alive():
            watcher.join()
        family.stop()


def _start_players(family: Family, ours: list[Program]) -> None:
    """Start them and wait until so many are there; others' count, too: they can begin."""
    from evolution import interruption, presence

    family.start(ours)
    give_up = time.monotonic() + READY_SECONDS
    while presence.count().get("player", 0) < len(ours):
        interruption.check()
        if family.dead() or time.monotonic() > give_up:
            raise ProcessError(f"the players did not start; their logs are in {family.logs}")
        time.sleep(0.1)


@contextmanager
def _played_in_process() -> Iterator[None]:
    """Celery calls tasks at once instead of sending them, and lets their errors out."""
    from evomusic_site.celery import app

    before = app.conf.task_always_eager, app.conf.task_eager_propagates
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    try:
        yield
    finally:
        app.conf.task_always_eager, app.conf.task_eager_propagates = before


def _watch(family: Family, state_folder: Path, leave: threading.Event) -> None:
    """Start again what has died, until `leave` is set: players, and services that another command took with it."""
    while not leave.wait(RESTART_PAUSE):
        for program, _ in family.dead():
            family.start([program])
        with suppress(services.ServiceError, OSError):
            services.revive(state_folder)


def _end_orphans(state_folder: Path) -> None:
    """End the players of commands that were killed."""
    for record in state_folder.glob("players-of-*.json"):
        if not psutil.pid_exists(int(record.stem.rpartition("-")[2])):
            Family(state_folder, record=record.name).end_leftovers()
            record.unlink(missing_ok=True)
