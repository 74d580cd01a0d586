from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
import requests
import yaml
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from benchmarks.running import Guest
from evomusic_site import processes, programs, schema, services
from evomusic_site.environment import ROOT
from tests.integration import deployed

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def postgresql(state_folder):
    return services.start_postgresql(state_folder / "postgresql")


@pytest.fixture(scope="module")
def service(postgresql):
    """Two web processes, a conductor, two players and the beat, up and ready."""
    with (
        tempfile.TemporaryDirectory(prefix="evomusic-deployed-") as folder,
        deployed.deployed(Path(folder), postgresql) as started,
    ):
        started.wait_until_ready(conductors=1, players=2)
        yield started


@pytest.fixture(scope="module")
def guest(service):
    """Somebody who has started, with a first playlist."""
    somebody = Guest(service.addresses[0])
    somebody.press_start()
    somebody.playlist()
    return somebody


def test_a_guest_goes_on_through_another_web_process(service, guest):
    playlist = guest.playlist()
    guest.address = service.addresses[1]
    for position, track in enumerate(playlist["tracks"][:5]):
        assert guest.rate(track["id"], 1 if position % 2 else -1).status_code == 201
    assert len(guest.hear(playlist["tracks"][0])) == 65536
    guest.evolve()
    guest.address = service.addresses[0]
    second = guest.playlist(other_than=playlist["id"])
    assert second["number"] == playlist["number"] + 1
    assert len(second["tracks"]) == len(playlist["tracks"])


def test_the_page_comes_with_the_files_that_were_collected(service):
    page = requests.get(service.addresses[0], timeout=10).text
    names = re.findall(r'"/static/([^"]+\.(?:css|js))"', page)
    assert names
    for name in names:
        answer = requests.get(f"{service.addresses[0]}/static/{name}", timeout=10)
        assert answer.content == (service.folder / "static" / name).read_bytes()


def test_a_round_ends_although_a_player_and_its_conductor_are_told_to_stop_in_its_middle(service, guest):
    before = guest.playlist()["id"]
    guest.evolve()
    _wait_for_status(guest, "evolving")
    player, conductor = service.running["player"][0], service.running["conductor"][0]
    player.terminate()
    assert player.wait(10) == 0
    conductor.terminate()
    assert conductor.wait(10) == 0
    assert guest.state()["playlist"] == before
    assert guest.state()["round"]["status"] == "waiting"
    assert "is handed back" in (service.folder / "conductor0.log").read_text()

    service.start("conductor")
    assert guest.playlist(other_than=before)["tracks"]
    with psycopg.connect(service.environment["DATABASE_URL"]) as asked:
        stored = asked.execute("SELECT round_id, number FROM evolution_generation").fetchall()
    assert len(stored) == len(set(stored)) > 3


def test_everybody_ends_within_seconds_when_told_and_nothing_is_left(service, guest):
    guest.evolve()
    _wait_for_status(guest, "evolving")
    assert max(service.stop()) < programs.DRAIN_SECONDS
    assert service.left_running() == []
    with psycopg.connect(service.environment["DATABASE_URL"]) as asked:
        pending = asked.execute("SELECT status FROM evolution_round WHERE finished_at IS NULL").fetchall()
        held = asked.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
    assert pending == [("evolving",)]
    assert held == (0,)


def _wait_for_status(guest, status):
    give_up = time.monotonic() + 30
    while (round_ := guest.state()["round"]) is None or round_["status"] != status:
        assert time.monotonic() < give_up, f"the round did not come to {status}: {round_}"
        time.sleep(0.05)


def test_a_web_process_is_not_ready_on_a_database_without_its_tables(postgresql, redis_url, tmp_path):
    environment = {**os.environ, "PYTHON": sys.executable, "HOST": "127.0.0.1", "EVOMUSIC_STATE": str(tmp_path)}
    address = deployed.fresh_database(postgresql, "bare")
    service = deployed.Deployed(tmp_path, {**environment, "DATABASE_URL": address, "REDIS_URL": redis_url})
    service.start("web")
    answer = _ask(f"{service.addresses[0]}/readyz")
    try:
        assert answer.status_code == 503
        assert re.match(r"The database lacks \d+ migration\(s\): .*Run `manage.py migrate`", answer.json()["reason"])
        assert answer.json()["database"] is True
        assert requests.get(f"{service.addresses[0]}/healthz", timeout=10).status_code == 200
        assert processes.readiness(service.addresses[0]) is None
    finally:
        assert max(service.stop()) < programs.DRAIN_SECONDS
    assert service.left_running() == []


def _ask(address):
    give_up = time.monotonic() + 30
    while True:
        try:
            return requests.get(address, timeout=10)
        except requests.ConnectionError:
            assert time.monotonic() < give_up, "no web process answers"
            time.sleep(0.1)


@pytest.mark.django_db
def test_a_database_is_up_to_date_with_its_last_migration_and_not_before(client, monkeypatch):
    monkeypatch.setattr(schema, "_CURRENT", [])
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("listening", "0003_taste")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reason"].startswith("The database lacks 1 migration(s): listening.0003_taste.")
    recorder.record_applied("listening", "0003_taste")
    assert client.get("/readyz").json()["reason"] == ""


@pytest.mark.parametrize(
    ("role", "lacking"), [("web", "DATABASE_URL and REDIS_URL"), ("nothing", "expected one of web")]
)
def test_an_entry_point_says_what_it_lacks(role, lacking, tmp_path):
    environment = {"PATH": os.environ["PATH"], "EVOMUSIC_STATE": str(tmp_path)}
    command = [sys.executable, "-m", "evomusic_site.entry", role]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert lacking in done.stderr
    assert "Traceback" not in done.stderr


def _compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_compose_has_all_that_the_service_is_made_of():
    services_ = _compose()["services"]
    expected = {"caddy", "web", "conductor", "player", "player-gpu-0", "beat", "migrate", "database", "broker"}
    assert expected | {"prometheus"} == set(services_)
    for name, service in services_.items():
        after = set(service.get("depends_on", ()))
        assert after <= set(services_), name
    assert services_["caddy"]["depends_on"] == {"web": {"condition": "service_healthy"}}
    for name in ("web", "conductor", "player", "player-gpu-0", "beat"):
        assert services_[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_every_service_of_ours_runs_an_entry_point_that_can_be_run():
    for name, service in _compose()["services"].items():
        if "build" in service:
            [script] = service["command"]
            assert os.access(ROOT / script, os.X_OK), name
            assert (ROOT / service["build"]["dockerfile"]).is_file()
        else:
            assert re.search(r":v?\d+\.\d+[\w.-]*$", service["image"]), f"{name} has no version"


@pytest.mark.parametrize("script", sorted((DEPLOY / "entry").iterdir()), ids=lambda path: path.name)
def test_an_entry_point_is_plain_sh(script):
    assert script.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0


def test_every_variable_of_the_deployment_is_explained():
    example = (ROOT / ".env.example").read_text()
    texts = [
        path.read_text() for path in [DEPLOY / "compose.yaml", DEPLOY / "Caddyfile", *(DEPLOY / "entry").iterdir()]
    ]
    used = set(re.findall(r"\{\$?([A-Z_][A-Z0-9_]*)", "\n".join(texts)))
    assert {"EVOMUSIC_DOMAIN", "POSTGRES_PASSWORD", "CPU_PLAYERS", "PYTHON"} <= used
    assert {name for name in used if not re.search(rf"^#?{name}=", example, re.MULTILINE)} == set()


@pytest.mark.parametrize("name", ["web", "worker", "demo"])
def test_an_image_has_a_version_a_user_without_rights_and_an_entry_point(name):
    lines = (DEPLOY / f"Dockerfile.{name}").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert all(re.search(r":\d+\.\d+\.\d+", base) for base in bases)
    assert lines.index("USER evomusic") > max(i for i, line in enumerate(lines) if line.startswith(("RUN", "COPY")))
    [script] = yaml.safe_load(lines[-1].removeprefix("CMD "))
    assert os.access(ROOT / script, os.X_OK)
    for line in lines:
        if line.startswith("COPY") and "--from" not in line:
            assert all((ROOT / part).exists() for part in line.split()[1:-1])


@pytest.mark.parametrize(("name", "has_torch"), [("web", False), ("worker", True), ("demo", True)])
def test_an_image_installs_the_libraries_of_its_extras(name, has_torch, tmp_path):
    text = (DEPLOY / f"Dockerfile.{name}").read_text()
    code = re.search(r'python -c "(import tomllib.*?)" > ', text)[1]
    listed = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -c "{code}"'], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert any(line.startswith("django==") for line in listed)
    assert any(line.startswith("boto3==") for line in listed)
    assert any(line.startswith("torch==") for line in listed) == has_torch


def test_the_web_image_runs_without_what_only_players_need(tmp_path):
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    absent = [re.split(r"[=\[.]", line)[0] for line in extras["player"] + extras["maps"] if "tqdm" not in line]
    absent = [{"scikit-learn": "sklearn", "umap-learn": "umap"}.get(name, name) for name in absent]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
        "import evomusic_site.asgi, evomusic_site.celery\n"
        "from django.core.management import call_command\n"
        "call_command('check'); import evomusic_site.backups; call_command('backup', '--help')"
    )
    environment = {**os.environ, "EVOMUSIC_STATE": str(tmp_path), "DJANGO_SETTINGS_MODULE": "evomusic_site.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "into one file if TARGET ends in .tar" in " ".join(done.stdout.split())
