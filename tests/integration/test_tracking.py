from __future__ import annotations

import json
import logging

import pytest

from evolution import tracking
from evolution.models import Generation, Run
from tests.integration.evolving import changed, evolve, rows, written
from tests.unit.test_tracking import TOKEN, contents, events

pytestmark = pytest.mark.django_db(transaction=True)

SHORT = {"epochs": 1, "evolution__generations": 2, "evolution__fitness": {"mode": "user"}}


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path, settings):
    monkeypatch.setenv("WANDB_MODE", "offline")
    settings.STATE_FOLDER = tmp_path


def evolved(tmp_path, **logger):
    evolve(written(tmp_path, changed(**SHORT, evolution__logger=logger)), tmp_path / "out")
    return tmp_path / "out"


def test_every_tracker_gets_the_figures_and_the_best_of_each_generation(tmp_path):
    out = evolved(tmp_path, wandb=True, tensorboard=True, visualizations=True, wandb_token=TOKEN)
    board = [(event.step, value) for event in events(out / "tensorboard") for value in event.summary.value]
    numbers = {(step, value.tag): value.simple_value for step, value in board if value.HasField("simple_value")}
    for row in rows(out / "tracking.csv"):
        assert numbers[int(row["step"]), row["figure"]] == pytest.approx(float(row["value"]), rel=1e-6)
    assert [step for step, value in board if value.tag == "best audio"] == [1, 2]
    best = [row for row in rows(out / "candidates.csv") if row["generation"] == "2"]
    heard = next(value for step, value in board if value.tag == "best audio" and step == 2)
    assert heard.metadata.summary_description == max(best, key=lambda row: float(row["fitness"]))["prompt"]
    assert heard.audio.length_frames / heard.audio.sample_rate == pytest.approx(1.5, abs=0.2)
    assert {value.tag for _, value in board if value.HasField("image")} >= {"fitness", "taste-map"}
    (run,) = (out / "wandb").glob(f"offline-run-*-{tracking.identity(Run.objects.get())}")
    assert len(list((run / "files" / "media" / "audio").iterdir())) == 2


def test_no_tracker_and_no_file_shows_the_token(tmp_path, caplog):
    out = evolved(tmp_path, wandb=True, wandb_token=TOKEN)
    assert b"fitness/best" in contents(out / "wandb")
    assert TOKEN.encode() not in contents(out)
    assert "${EVOMUSIC_WANDB_TOKEN}" in (out / "config.yaml").read_text()
    assert TOKEN not in caplog.text + json.dumps(Run.objects.get().experiment.configuration)


def test_what_was_told_is_not_told_again(tmp_path):
    out = evolved(tmp_path, tensorboard=True)
    before = (out / "tracking.csv").read_text(), len(events(out / "tensorboard"))
    evolve(None, out, seed=None, resume=True)
    told = [event for event in events(out / "tensorboard") if event.summary.value]
    assert (out / "tracking.csv").read_text() == before[0]
    assert len(told) == before[1] - 1  # but for the heading of the first file


def test_what_a_killed_process_did_not_tell_is_told_by_the_next(tmp_path):
    out = evolved(tmp_path)
    whole = (out / "tracking.csv").read_text()
    first = "".join(line for line in whole.splitlines(keepends=True) if line.startswith(("step", "1,")))
    assert first != whole
    (out / "tracking.csv").write_text(first)
    with tracking.of(Run.objects.get(), out) as tracker:
        for generation in Generation.objects.order_by("number"):
            tracker.generation(generation)
    told = (out / "tracking.csv").read_text()
    assert told.startswith(first)
    assert sorted(told.splitlines()) == sorted(line for line in whole.splitlines() if "taste/" not in line)


def test_a_tracker_that_fails_says_so_once_and_stops_nothing(tmp_path, caplog):
    out = evolved(tmp_path, tensorboard=True)
    run, generations = Run.objects.get(), list(Generation.objects.order_by("number"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "tensorboard").write_text("a file where the folder should be")
    caplog.clear()
    with caplog.at_level(logging.WARNING), tracking.of(run, tmp_path / "full") as tracker:
        for generation in generations:
            tracker.generation(generation)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["TensorBoard"]
    told = rows(tmp_path / "full" / "tracking.csv")
    assert told == [row for row in rows(out / "tracking.csv") if row["generation"]]


def test_a_csv_file_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    evolved(tmp_path)
    (tmp_path / "full" / "tracking.csv").mkdir(parents=True)
    with caplog.at_level(logging.WARNING), tracking.of(Run.objects.get(), tmp_path / "full") as tracker:
        tracker.generation(Generation.objects.first())
    assert "the CSV file" in caplog.text


def test_runs_of_the_service_have_files_only_where_a_tracker_is_configured(tmp_path):
    evolved(tmp_path)
    run = Run.objects.get()
    with tracking.of(run) as tracker:
        tracker.generation(Generation.objects.first())
    assert not (tmp_path / "tracking").exists()
    run.experiment.configuration["evolution"]["logger"]["tensorboard"] = True
    run.experiment.save()
    with tracking.of(run) as tracker:
        tracker.generation(Generation.objects.first())
        tracker.figures(1, {"loss": 0.5, "spread": float("nan")})
    told = rows(tmp_path / "tracking" / tracking.identity(run) / "tracking.csv")
    assert [row["figure"] for row in told if not row["generation"]] == ["taste/loss"]
