"""Embedded services and the demo's start: what goes wrong is said in one sentence."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from evomusic_site import demo, processes, programs, services
from evomusic_site.environment import ROOT
from evomusic_site.processes import Family, Program


def test_redis_starts_answers_and_is_found_again(tmp_path):
    address = services.start_redis(tmp_path / "redis")
    assert services.answers(address)
    assert services.start_redis(tmp_path / "redis") == address


def test_a_folder_too_deep_for_a_socket_still_works(tmp_path):
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    address = services.start_redis(deep)
    assert len(address.removeprefix("unix://")) <= services.LONGEST_SOCKET_PATH
    assert services.answers(address)


def test_a_killed_user_does_not_keep_postgresql_running(tmp_path):
    program = "import sys, os, signal; from pathlib import Path; from evomusic_site import services;"
    start = program + "services.start_postgresql(Path(sys.argv[1]));"
    command = [sys.executable, "-c", start + "os.kill(os.getpid(), signal.SIGKILL)", str(tmp_path / "postgresql")]
    subprocess.run(command, cwd=ROOT, check=False)
    postmaster = psutil.Process(int((tmp_path / "postgresql" / "postmaster.pid").read_text().splitlines()[0]))
    subprocess.run([sys.executable, "-c", start, str(tmp_path / "postgresql")], cwd=ROOT, check=True)
    gone, _ = psutil.wait_procs([postmaster], timeout=10)
    assert gone == [postmaster]


def test_nothing_answers_where_nothing_is(tmp_path):
    assert not services.answers(f"unix://{tmp_path}/none.sock")


def test_a_redis_that_was_killed_is_started_again(tmp_path):
    address = services.start_redis(tmp_path / "redis")
    import redis

    with redis.Redis.from_url(address) as client:
        client.set("kept", "yes")
        client.shutdown(nosave=True)
    assert not services.answers(address)
    assert services.revive(tmp_path) == ["Redis had ended; it was started again."]
    with redis.Redis.from_url(address) as client:
        assert client.get("kept") == b"yes"


def test_a_full_disk_is_said_before_anything_starts(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 12_000_000))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(services.ServiceError, match=r"no disk space.*12 MB free"):
        services.start(tmp_path)


def run_demo(tmp_path, **changes):
    environment = {**os.environ, "EVOMUSIC_STATE": str(tmp_path), **changes}
    return subprocess.run(
        [sys.executable, "-m", "evomusic_site.demo"], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_a_busy_port_is_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_demo(tmp_path, PORT=str(port))
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "choose another" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_second_demo_says_where_the_first_one_is(tmp_path):
    with demo._only_one(tmp_path, "http://127.0.0.1:8123"):
        done = run_demo(tmp_path, PORT="8124")
    assert done.returncode == 1
    assert done.stderr.strip() == "EvoMusic: it runs already, at http://127.0.0.1:8123"


def sleeper(name):
    return Program("player", name, (sys.executable, "-c", "import time; time.sleep(60)"))


def test_a_family_knows_its_dead_and_stops_the_living(tmp_path):
    family = Family(tmp_path)
    family.start([sleeper("a"), Program("player", "b", (sys.executable, "-c", "raise SystemExit(3)"))])
    for process in list(family.running.values())[1:]:
        process.wait(20)
    assert [(program.name, code) for program, code in family.dead()] == [("b", 3)]
    living = [process for process in family.running.values() if process.poll() is None]
    family.stop()
    assert all(process.poll() is not None for process in living)


def test_what_a_killed_family_left_behind_is_ended(tmp_path):
    killed = Family(tmp_path)
    killed.start([sleeper("orphan")])
    orphan = next(iter(killed.running.values()))
    assert Family(tmp_path).end_leftovers() == 1
    orphan.wait(5)
    assert not psutil.pid_exists(orphan.pid)


def test_a_process_that_was_given_the_same_number_is_left_alone(tmp_path):
    family = Family(tmp_path)
    family.record.write_text(f"[[{os.getpid()}, 1.0]]")
    assert family.end_leftovers() == 0


def test_nobody_is_ready_where_nobody_is():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert processes.readiness(f"http://127.0.0.1:{port}") is None


def test_children_of_a_program_end_with_it(tmp_path):
    """The conductor's beat is such a child: it must not outlive a conductor that was killed."""
    family = Family(tmp_path)
    script = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    family.start([Program("player", "parent", (sys.executable, "-c", script))])
    log = tmp_path / "log" / "parent.log"
    give_up = time.monotonic() + 20
    while not log.read_text().strip() and time.monotonic() < give_up:
        time.sleep(0.05)
    child = psutil.Process(int(log.read_text()))
    next(iter(family.running.values())).kill()
    next(iter(family.running.values())).wait()
    assert family.dead()
    gone, alive = psutil.wait_procs([child], timeout=5)
    assert (gone, alive) == ([child], [])


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    done = run_demo(tmp_path / "file" / "below")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_empty_secret_that_a_full_disk_left_is_drawn_again(tmp_path, monkeypatch):
    monkeypatch.setenv("EVOMUSIC_STATE", str(tmp_path))
    monkeypatch.delenv("SECRET_KEY", raising=False)
    (tmp_path / "secret_key").write_text("")
    from evomusic_site import environment

    assert len(environment.read().secret_key) > 40


@pytest.mark.parametrize(("visible", "expected"), [("0,2", ["0", "2"]), ("", []), ("-1", []), ("MIG-1", ["MIG-1"])])
def test_each_player_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert programs.gpus() == expected
    seen = [program.environment.get("CUDA_VISIBLE_DEVICES") for program in programs.players(3)]
    assert seen == [expected[number % len(expected)] if expected else None for number in range(3)]
    assert programs.default_players() == len(expected) or not expected


def test_gpus_are_looked_up_where_the_driver_lists_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(programs, "GPUS", tmp_path)
    assert programs.gpus() == []
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:02:00.0").mkdir()
    assert programs.gpus() == ["0", "1"]
    assert programs.default_players() == 2
