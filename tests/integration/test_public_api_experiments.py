"""Experiments over the API: what the panel can do, by the same functions."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.test import Client

from evolution.models import Experiment, Run
from laboratory import results
from listening.models import User
from public_api import tokens
from tests.integration import panel, small_runs

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Client:
    ada = User.objects.create_user("ada", is_staff=True)
    text = tokens.make(user=ada, name="lab", scopes=["experiments"], days=1).text
    return Client(headers={"Authorization": f"Bearer {text}"}, enforce_csrf_checks=True)


def post(api: Client, address: str, content: object = None):
    return api.post(f"/api/v1/{address}", json.dumps(content), content_type="application/json")


def test_an_experiment_is_made_from_yaml_and_found(api: Client):
    made = post(api, "experiments", {"configuration": panel.SMALL, "note": "a trial"})
    assert made.status_code == 201
    assert (made.json()["name"], made.json()["author"], made.json()["mode"]) == ("small", "ada", "prompt GA")
    assert "population_size: 4" in made.json()["configuration"]
    listed = api.get("/api/v1/experiments?search=trial").json()
    assert [one["name"] for one in listed["experiments"]] == ["small"]
    assert api.get("/api/v1/experiments?search=nowhere").json()["count"] == 0


def test_a_wrong_configuration_is_told_by_its_key(api: Client):
    text = panel.SMALL.replace("population_size", "populaton_size")
    refused = post(api, "experiments", {"configuration": text})
    assert refused.status_code == 400
    assert refused.json()["field"] == "evolution.search.populaton_size"
    assert "population_size" in refused.json()["error"]
    assert not Experiment.objects.filter(name="small").exists()


@pytest.mark.parametrize(
    "text", ["\ud800", "a: &a [*a, *a]", "[" * 5000, "{", "- 1", "!!python/object:os.system x", ""]
)
def test_what_is_no_configuration_is_refused(api: Client, text: str):
    assert post(api, "experiments", {"configuration": text}).status_code == 400


def test_a_configuration_may_not_read_the_servers_files(api: Client):
    text = panel.SMALL.replace("  duration: 1", "  duration: 1\n  initialization: file\n  init_file: /etc/passwd")
    refused = post(api, "experiments", {"configuration": text})
    assert (refused.status_code, refused.json()["field"]) == (400, "evolution.init_file")
    assert "root:" not in refused.json()["error"]


def test_runs_are_begun_for_named_and_for_drawn_listeners(api: Client, made: Experiment):
    named = post(api, f"experiments/{made.name}/runs", {"listeners": [2, 0], "seed": 7})
    drawn = post(api, f"experiments/{made.name}/runs", {"count": 3, "seed": 7})
    assert (named.status_code, drawn.status_code) == (201, 201)
    users = [Run.objects.get(pk=pk).listeners.get().reference_user for pk in named.json()["runs"]]
    assert users == [2, 0]
    assert set(Run.objects.values_list("seed", flat=True)) == {7}
    listed = api.get(f"/api/v1/experiments/{made.name}").json()
    assert len(listed["listed"]) == 5
    assert listed["runs"] == {"running": 5}


@pytest.mark.parametrize(
    "content",
    [
        {"seed": 1},
        {"seed": 1, "listeners": [0], "count": 1},
        {"seed": 1, "listeners": [999_999_999]},
        {"seed": -1, "count": 1},
        {"seed": 2**63, "count": 1},
        {"seed": 1, "listeners": []},
    ],
)
def test_runs_that_cannot_be_are_not_begun(api: Client, made: Experiment, content: dict[str, object]):
    assert post(api, f"experiments/{made.name}/runs", content).status_code == 400
    assert not Run.objects.filter(experiment=made).exists()


def test_runs_are_paused_resumed_and_stopped_one_and_all(api: Client, made: Experiment):
    run, other = post(api, f"experiments/{made.name}/runs", {"count": 2, "seed": 7}).json()["runs"]
    assert post(api, f"runs/{run}/pause").json() == {"id": run, "status": "paused", "changed": True}
    assert post(api, f"runs/{run}/pause").json() == {"id": run, "status": "paused", "changed": False}
    assert post(api, f"runs/{run}/resume").json()["status"] == "running"
    assert post(api, f"experiments/{made.name}/runs/stop").json() == {"changed": 2}
    assert api.get(f"/api/v1/runs/{other}").json()["run"]["status"] == "stopped"


def test_a_run_is_followed_and_its_history_kept(api: Client):
    run = small_runs.make(rounds=2, generations=3).run
    told = api.get(f"/api/v1/runs/{run.pk}").json()
    assert (told["progress"]["round"], told["totals"]["generations"]) == (2, 6)
    history = api.get(f"/api/v1/runs/{run.pk}/history.csv")
    assert history.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(history.content.decode())))
    assert [float(row["best"]) for row in rows] == [row["best"] for row in results.history_rows(run)]


@pytest.mark.parametrize("address", ["experiments/none", "runs/1", f"runs/{2**63 - 1}", "runs/1/history.csv"])
def test_what_is_not_there_is_not_found(api: Client, address: str):
    Run.objects.all().delete()
    assert api.get(f"/api/v1/{address}").status_code == 404
