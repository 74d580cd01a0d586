"""The same configuration and seed give the same history: in one process or several, undisturbed or interrupted."""

from __future__ import annotations

import json
import signal
import time

import pytest
import torch
from django.core.management import CommandError, call_command

from evolution import generations as generations_module
from evolution import presence, runs
from evolution.models import Evaluation, Generation, Run
from evolution.tracking import Tracker
from listening import conducting, goals, playlists
from models_store import catalog
from models_store.evaluation import play
from tests.integration.evolving import begun, changed, evolve, history, rows, state, written

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = {"evolution__generations": 3, "evolution__search": {"mode": "prompt GA", "population_size": 10}}
"""Ten candidates: one process plays them five and five, two players three, three, three and one."""
PATIENCE = 120.0  # seconds


@pytest.fixture(scope="module")
def undisturbed(django_db_setup, django_db_blocker, tmp_path_factory):
    """A run from beginning to end in one process; its rows are gone, so nobody finds its evaluations."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with django_db_blocker.unblock(), state(folder):
        evolve(written(folder, changed(**ROUNDS)), folder / "out")
        call_command("flush", interactive=False, verbosity=0)
    return folder / "out"


def candidates(out):
    return (out / "candidates.csv").read_text()


def same(out, other):
    assert history(out) == history(other)
    assert candidates(out) == candidates(other)


@pytest.mark.parametrize("seconds", [1.0, 2.0])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_what_is_heard_of_a_piece_depends_on_no_other_to_the_last_digit(size, seconds):
    generator, encoder = catalog.generator("soundfont"), catalog.encoder("spectral")
    prompts = ["calm jazz with piano", "loud metal with drums", "slow ambient with pad", "fast techno"] * 3
    seeds = list(range(len(prompts)))
    together = play(generator, encoder, prompts, seconds=seconds, seeds=seeds)
    for start in range(0, len(prompts), size):
        place = slice(start, start + size)
        apart = play(generator, encoder, prompts[place], seconds=seconds, seeds=seeds[place])
        assert torch.equal(apart.embeddings, together.embeddings[place])
        assert torch.equal(apart.artefacts, together.artefacts[place])


def test_a_run_spread_over_workers_is_the_run_of_one_process(undisturbed, workers, tmp_path):
    with presence.present("player"):  # it counts as two players: the population is cut elsewhere
        evolve(written(tmp_path, changed(**ROUNDS)), tmp_path / "out", workers=None)
    assert Evaluation.objects.count() > 20  # played, not remembered
    same(tmp_path / "out", undisturbed)


def test_a_run_with_players_of_its_own_is_the_run_of_one_process(undisturbed, redis_url, tmp_path):
    out = tmp_path / "out"
    process = begun(written(tmp_path, changed(**ROUNDS)), out, tmp_path, redis_url, workers=2)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    same(out, undisturbed)
    assert not presence.count().get("player")  # they went with the command


def test_another_seed_is_another_run(undisturbed, tmp_path):
    evolve(written(tmp_path, changed(**ROUNDS)), tmp_path / "out", seed=6, rounds=1)
    assert history(tmp_path / "out")[0] != history(undisturbed)[0]


def generations(out):
    return len(rows(out / "history.csv")) if (out / "history.csv").exists() else 0


def disturbed(process, out, number, *, after):
    """Send a signal once so many generations are stored; gives the exit code and what was printed."""
    give_up = time.monotonic() + PATIENCE
    while generations(out) < after:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < give_up
        time.sleep(0.02)
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def test_a_killed_run_goes_on_as_if_it_had_not_been(undisturbed, redis_url, tmp_path):
    out = tmp_path / "out"
    process = begun(written(tmp_path, changed(**ROUNDS)), out, tmp_path, redis_url)
    code, _ = disturbed(process, out, signal.SIGKILL, after=2)
    assert code == -signal.SIGKILL
    assert 2 <= Generation.objects.count() < 4
    assert generations(out) >= 2  # whole files, whenever it was
    assert Run.objects.get().status == Run.Status.RUNNING
    with state(tmp_path):
        evolve(None, out, seed=None, resume=True)
    same(out, undisturbed)


def test_ctrl_c_leaves_whole_files_and_says_how_to_go_on(undisturbed, redis_url, tmp_path):
    out = tmp_path / "out"
    process = begun(written(tmp_path, changed(**ROUNDS)), out, tmp_path, redis_url)
    code, said = disturbed(process, out, signal.SIGINT, after=1)
    assert code == 130
    assert "Traceback" not in said
    assert f"--resume --out {out}" in said
    kept = json.loads((out / "result.json").read_text())
    assert 1 <= kept["generations"] == generations(out) < 4
    with state(tmp_path):
        evolve(None, out, seed=None, resume=True)
    same(out, undisturbed)
    assert json.loads((out / "result.json").read_text())["status"] == "done"


PLACES = [
    (generations_module, "_store"),  # a generation is played and not stored
    (goals, "measure"),  # the last one is stored, the round is not over
    (playlists, "compose"),  # there is no playlist yet
    (conducting, "rate"),  # the round is over, its playlist is not rated
]


@pytest.mark.parametrize(("module", "name"), PLACES, ids=lambda part: getattr(part, "__name__", part))
def test_wherever_a_run_is_interrupted_it_goes_on_as_if_it_had_not_been(
    undisturbed, tmp_path, monkeypatch, module, name
):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(module, name, interrupted)
        with pytest.raises(SystemExit) as ended:
            evolve(written(tmp_path, changed(**ROUNDS)), out)
    assert ended.value.code == 130
    evolve(None, out, seed=None, resume=True)
    same(out, undisturbed)


def test_a_run_that_somebody_paused_goes_on_when_it_is_resumed(undisturbed, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def paused(self, generation):
        runs.pause(generation.round.run)

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "generation", paused)
        with pytest.raises(CommandError, match=r"(?s)paused.*--resume"):
            evolve(written(tmp_path, changed(**ROUNDS)), out)
    evolve(None, out, seed=None, resume=True)
    same(out, undisturbed)
