from __future__ import annotations

import json

import pytest
import soundfile
from django.core.management import CommandError, call_command
from PIL import Image

from evolution import config
from evolution.models import Candidate, Experiment, Generation, Round, Run
from laboratory import folder
from listening.models import Listener
from models_store import catalog
from tests.integration.evolving import changed, evolve, rows, state, written

pytestmark = pytest.mark.django_db(transaction=True)

FIRST_COLUMNS = ["round", "generation", "best", "mean", "median", "worst", "seconds"]
FIXED_KEYS = ["mode", "best_fitness", "final_best", "final_mean", "final_median"]
FIXED_KEYS += ["generations", "evaluations", "seconds", "seed"]


@pytest.fixture(scope="module")
def evolved(django_db_setup, django_db_blocker, tmp_path_factory):
    """What a run of two rounds leaves; its rows are gone."""
    folder = tmp_path_factory.mktemp("evolved")
    with django_db_blocker.unblock(), state(folder):
        evolve(written(folder, changed()), folder / "out")
        call_command("flush", interactive=False, verbosity=0)
    return folder / "out"


def test_evolve_leaves_the_files_that_people_and_scripts_rely_on(evolved):
    names = {path.relative_to(evolved).as_posix() for path in evolved.rglob("*") if path.is_file()}
    plots = {f"plots/{name}.png" for name in ("fitness", "likeness-and-artefacts", "taste-learning", "taste-map")}
    files = {"config.yaml", "history.csv", "candidates.csv", "result.json", "run.json", "tracking.csv"}
    assert names - {name for name in names if name.endswith(".mp3")} == files | plots | {"tracks/playlist.m3u8"}


def test_the_history_has_a_row_for_each_generation(evolved):
    history = rows(evolved / "history.csv")
    assert list(history[0])[:7] == FIRST_COLUMNS
    assert [(row["round"], row["generation"]) for row in history] == [("1", "1"), ("2", "1"), ("2", "2")]
    for row in history:
        best, mean, median, worst = (float(row[name]) for name in ("best", "mean", "median", "worst"))
        assert best >= max(mean, median)
        assert min(mean, median) >= worst


def test_the_candidates_tell_where_they_come_from_and_what_they_scored(evolved):
    candidates = rows(evolved / "candidates.csv")
    assert len(candidates) == 3 * 8
    last = [row for row in candidates if (row["round"], row["generation"]) == ("2", "2")]
    assert [row["position"] for row in last] == [str(position) for position in range(8)]
    assert sum(row["elite"] == "True" for row in last) == 1
    assert any(row["operators"] for row in last)
    assert all(0 <= int(parent) < 8 for row in last for parent in row["parents"].split())
    best = rows(evolved / "history.csv")[-1]["best"]
    assert max(float(row["fitness"]) for row in last) == float(best)


def test_the_result_has_the_keys_that_programs_read(evolved):
    result = json.loads((evolved / "result.json").read_text())
    assert list(result)[: len(FIXED_KEYS)] == FIXED_KEYS
    history = rows(evolved / "history.csv")
    assert result["mode"] == "prompt GA"
    assert result["seed"] == 5
    assert result["generations"] == 3
    assert 8 < result["evaluations"] < 3 * 8  # elites are not played again
    assert result["best_fitness"] == max(float(row["best"]) for row in history)
    assert (result["final_best"], result["final_mean"], result["final_median"]) == tuple(
        float(history[-1][name]) for name in ("best", "mean", "median")
    )
    (user,) = result["users"]
    assert user["reference_user"] == 3
    assert user["ratings"] == 6
    assert {"loss", "spread", "spearman", "cosine", "absolute_error", "squared_error"} <= user["taste"].keys()


def test_the_playlist_names_its_tracks_by_safe_relative_names(evolved):
    lines = (evolved / "tracks" / "playlist.m3u8").read_text().splitlines()
    assert lines[0] == "#EXTM3U"
    assert [line.startswith("#EXTINF:2,") for line in lines[1::2]] == [True, True, True]
    files = lines[2::2]
    assert sorted(files) == sorted(path.name for path in (evolved / "tracks").glob("*.mp3"))
    for file in files:
        assert soundfile.info(evolved / "tracks" / file).duration == pytest.approx(1.5, abs=0.2)


def test_the_configuration_is_complete_and_reads_again(evolved):
    configuration = config.load(evolved / "config.yaml")
    assert configuration.evolution.search.population_size == 8
    assert config.to_yaml(configuration) == (evolved / "config.yaml").read_text()


def test_the_plots_are_pictures(evolved):
    for file in (evolved / "plots").glob("*.png"):
        with Image.open(file) as image:
            assert image.width > 600
            assert len(image.convert("RGB").getcolors(maxcolors=1 << 24)) > 20


def test_the_tracking_file_has_the_figures_of_every_generation_and_round(evolved):
    told = {
        (row["round"], row["generation"], row["figure"]): float(row["value"]) for row in rows(evolved / "tracking.csv")
    }
    for row in rows(evolved / "history.csv"):
        for name, figure in (("best", "best"), ("mean", "average"), ("median", "median"), ("worst", "worst")):
            assert told[row["round"], row["generation"], f"fitness/{figure}"] == float(row[name])
    for number in "12":
        for name in ("loss", "absolute_error", "squared_error", "embedding_cosine", "cosine", "spread"):
            assert (number, "", f"taste/{name}") in told


def test_several_users_have_a_folder_each_and_a_summary(tmp_path):
    users = [{"user_type": "synth", "target_user_id": user} for user in (3, 7)]
    content = changed(epochs=1, evolution__fitness={"mode": "user"}, user_model__users=users)
    content["user_model"]["user_conf"] = {"amount": 2}
    said = evolve(written(tmp_path, content), tmp_path / "out", rounds=1)
    each = [json.loads((tmp_path / "out" / f"user-{number}" / "result.json").read_text()) for number in (1, 2)]
    both = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [user["reference_user"] for user in both["users"]] == [3, 7]
    assert both["final_mean"] == pytest.approx((each[0]["final_mean"] + each[1]["final_mean"]) / 2)
    assert both["evaluations"] == each[0]["evaluations"] + each[1]["evaluations"]
    assert each[0]["seed"] == both["seed"] == 5 != each[1]["seed"]
    assert (tmp_path / "out" / "user-2" / "plots" / "fitness.png").exists()
    assert "Results:" in said


def test_without_users_a_reference_listener_is_taken_and_said(tmp_path, settings):
    settings.STATE_FOLDER = tmp_path
    content = changed(epochs=1, evolution__generations=1, user_model__users=None)
    said = evolve(written(tmp_path, content), None, seed=None)
    assert "reference user 0" in said
    assert Listener.objects.get().reference_user == 0
    result = json.loads((tmp_path / "evolved" / "small" / "result.json").read_text())
    assert result["seed"] == Run.objects.get().seed  # it was drawn, and is told
    assert str(result["seed"]) in said


def test_the_command_conducts_its_run_itself(tmp_path):
    evolve(written(tmp_path, changed(epochs=1, evolution__generations=1)), tmp_path / "out")
    run = Run.objects.get()
    assert (run.conductor, run.status) == (Run.Conductor.COMMAND, Run.Status.DONE)


def test_the_sound_of_every_candidate_is_kept_where_that_is_asked(tmp_path):
    content = changed(epochs=1, evolution__fitness={"mode": "user"}, evolution__logger={"delete_generated": False})
    evolve(written(tmp_path, content), tmp_path / "out")
    new = [row for row in rows(tmp_path / "out" / "candidates.csv") if row["elite"] == "False"]
    names = sorted(f"01-{int(row['generation']):03d}-{int(row['position']):03d}.mp3" for row in new)
    assert sorted(path.name for path in (tmp_path / "out" / "generated").iterdir()) == names


def test_a_failed_round_ends_the_command_and_can_be_resumed(tmp_path, monkeypatch):
    file, out = written(tmp_path, changed(epochs=1)), tmp_path / "out"

    def broken(name, **parameters):
        raise ValueError("the SoundFont is gone")

    with monkeypatch.context() as patch:
        patch.setattr(catalog, "generator", broken)
        with pytest.raises(CommandError, match=r"(?s)the SoundFont is gone.*--resume --out"):
            evolve(file, out)
    assert json.loads((out / "result.json").read_text())["generations"] == 0
    evolve(None, out, seed=None, resume=True)
    assert json.loads((out / "result.json").read_text())["status"] == "done"


def test_a_full_disk_is_named_and_costs_no_round(tmp_path, monkeypatch):
    file, out = written(tmp_path, changed()), tmp_path / "out"
    real = folder.keep_tables

    def full(run, place):
        if Generation.objects.filter(round__run=run).exists():
            raise OSError(28, "No space left on device")
        real(run, place)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "keep_tables", full)
        with pytest.raises(CommandError, match="No space left on device"):
            evolve(file, out)
    assert Round.objects.get(number=1).status == Round.Status.DONE
    evolve(None, out, seed=None, resume=True)
    assert json.loads((out / "result.json").read_text())["status"] == "done"
    assert len((out / "history.csv").read_text().splitlines()) == 1 + Generation.objects.count()


def test_a_run_that_is_over_is_not_run_again(tmp_path):
    file, out = written(tmp_path, changed(epochs=1, evolution__generations=1)), tmp_path / "out"
    evolve(file, out)
    before = (out / "history.csv").read_text()
    (out / "history.csv").unlink()
    evolve(None, out, seed=None, resume=True)
    assert (out / "history.csv").read_text() == before
    assert Generation.objects.count() == 1


def test_a_resumed_run_keeps_its_configuration(tmp_path):
    file, out = written(tmp_path, changed(epochs=1, evolution__generations=1)), tmp_path / "out"
    evolve(file, out)
    evolve(file, out, seed=None, resume=True)  # the same one may be named again
    older = Experiment.objects.get()
    del older.configuration["encoder"]  # a section that an earlier version did not know
    older.save()
    evolve(file, out, seed=None, resume=True)
    written(tmp_path, changed(epochs=1, evolution__generations=3))
    with pytest.raises(CommandError, match="is not the one in"):
        evolve(file, out, seed=None, resume=True)


def test_results_are_never_mixed_with_other_files(tmp_path):
    file, out = written(tmp_path, changed()), tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(CommandError, match="expected a new or an empty folder"):
        evolve(file, out)
    assert not Experiment.objects.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": None}, "expected --config FILE"),
        ({"config": None, "resume": True}, "expected --out DIR"),
        ({"rounds": 0}, "--rounds: expected at least 1, got 0"),
        ({"seed": -1}, "--seed: expected 0"),
        ({"seed": 2**63}, "--seed: expected 0"),
        ({"workers": -1}, "--workers: expected at least 0, got -1"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(tmp_path, options, message):
    given = {"config": written(tmp_path, changed()), **options}
    with pytest.raises(CommandError, match=message):
        call_command("evolve", **given)


def test_there_is_nothing_to_resume_where_nothing_began(tmp_path):
    with pytest.raises(CommandError, match=r"expected a folder of an earlier run, with its run\.json"):
        evolve(None, tmp_path, seed=None, resume=True)
    (tmp_path / "run.json").write_text('{"experiment": "elsewhere", "seed": 1, "runs": [77]}')
    with pytest.raises(CommandError, match="not in this database"):
        evolve(None, tmp_path, seed=None, resume=True)


def test_a_generator_that_plays_several_kinds_runs_on_token_embeddings_too(tmp_path):
    content = changed(
        epochs=1,
        evolution__search={
            "mode": "GA",
            "population_size": 8,
            "GA_operators": [{"name": "OnePointCrossOver", "parameters": {"tournament_size": 2}}],
        },
    )
    evolve(written(tmp_path, content), tmp_path / "out")
    assert isinstance(Candidate.objects.first().genome, dict)
    assert rows(tmp_path / "out" / "candidates.csv")[0]["prompt"]
