"""`make demo`: everything, on this machine, until Ctrl-C."""

from __future__ import annotations

import fcntl
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

from environs import EnvError

from evomusic_site import environment, processes, programs, services
from evomusic_site.processes import READY_SECONDS, RESTART_PAUSE, Family

WATCH_INTERVAL = 0.5
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EVERYWHERE = ("0.0.0.0", "")  # noqa: S104  # addresses that mean all of this machine's
SERVICE_INTERVAL = 3.0


class DemoError(RuntimeError):
    """The demo cannot start; the message says why, in one sentence."""


def main() -> int:
    """Run the demo; 0 after Ctrl-C, 1 with one sentence when it cannot start."""
    for number in STOPPING:  # a shell's background job starts with SIGINT ignored
        signal.signal(number, _interrupt)
    try:
        _run(environment.read())
    except (DemoError, services.ServiceError, EnvError) as error:
        print(f"EvoMusic: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"EvoMusic: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Every listener, rating and track is kept for the next start.")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    for other in STOPPING:  # a second one, however soon, must not leave half of the processes running
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(settings: environment.Environment) -> None:
    address = f"http://{settings.host}:{settings.port}"
    inside = f"http://127.0.0.1:{settings.port}" if settings.host in EVERYWHERE else address
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    with _only_one(settings.state_folder, address):
        family = Family(settings.state_folder)
        family.end_leftovers()
        _free_port(settings.host, settings.port)
        print("Starting PostgreSQL and Redis ...", flush=True)
        services.start(settings.state_folder)
        _migrate()
        count = settings.players or programs.default_players()
        started = [
            programs.web(settings.host, settings.port),
            programs.conductor(settings.state_folder),
            *programs.players(count),
        ]
        print(f"Starting web, conductor and {count} player(s) ...", flush=True)
        try:
            family.start(started)
            if processes.wait_until_ready(family, inside, players=count, seconds=READY_SECONDS) is None:
                ended = ", ".join(program.name for program, _ in family.dead())
                why = f"{ended} ended" if ended else f"it did not get ready in {READY_SECONDS:.0f} s"
                raise DemoError(f"{why}; the logs are in {family.logs}")
            print(f"\n    EvoMusic is ready: {address}\n\nCtrl-C stops it. Logs: {family.logs}", flush=True)
            _watch(family, settings.state_folder)
        finally:
            family.stop()


def _only_one(state_folder: Path, address: str) -> IO[str]:
    """A lock that the kernel frees when this process ends, however it ends."""
    lock = (state_folder / "demo.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise DemoError(f"it runs already, at {lock.read().strip() or address}") from None
    lock.truncate(0)
    lock.write(address)
    lock.flush()
    return lock


def _free_port(host: str, port: int) -> None:
    family, kind, *_, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise DemoError(
                f"port {port} of {host} cannot be used ({error.strerror}): choose another, as in `make demo PORT=8001`"
            ) from None


def _migrate() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=environment.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise DemoError(f"the database could not be brought up to date: {last}")


def _watch(family: Family, state_folder: Path) -> None:
    """Keep everything running: whoever dies is started again, and the terminal says so."""
    looked, last = time.monotonic(), list[str]()
    while True:
        time.sleep(WATCH_INTERVAL)
        if dead := family.dead():
            for program, code in dead:
                print(f"{program.name} ended ({_why(code)}); it is started again.", flush=True)
            time.sleep(RESTART_PAUSE)
            family.start([program for program, _ in dead])
        if time.monotonic() - looked > SERVICE_INTERVAL:
            looked, said = time.monotonic(), _revive(state_folder)
            if said != last:  # what fails every few seconds is said once
                print(*said, sep="\n", end="\n" if said else "", flush=True)
            last = said


def _revive(state_folder: Path) -> list[str]:
    """Start services that have died again; one that cannot be is said, and tried again the next time."""
    try:
        return services.revive(state_folder)
    except (services.ServiceError, OSError) as error:
        return [f"{error}. It is tried again until it can be had; what is stored is safe."]


def _why(code: int) -> str:
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


if __name__ == "__main__":
    sys.exit(main())
