"""Neural generators and ears in the whole machinery: tiny random models of the true architectures, in local folders."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, replace
from functools import partial

import pytest
from django.core.management import CommandError

from evolution import evaluation, playing, presence, serving
from evolution.models import Candidate, Evaluation
from evolution.takes import Instruments, Take
from models_store import devices
from models_store.aligner import shipped
from models_store.aligner.model import AlignerConfig, AlignerV2
from tests.integration.evolving import changed, evolve, history, written
from tests.random_models import mert, musicgen, riffusion

pytestmark = pytest.mark.django_db(transaction=True)

LAYERS, DIM = 3, 32
"""Of the tiny MERT."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a model of each kind, and an aligner that knows the ear."""
    folder = tmp_path_factory.mktemp("models")
    for name, module in (("musicgen", musicgen), ("riffusion", riffusion), ("mert", mert)):
        module.write(folder / name)
    shipped.save(AlignerV2(AlignerConfig(users=5, layers=LAYERS, dim=DIM)), folder / "aligner.pt", notes={})
    return folder


def configured(models, *, generator="musicgen", mode, **search):
    section = "riffusion_pipeline" if generator == "riffusion" else "music_generator"
    input_type = search.pop("input_type", None)
    steps = {"inference_steps": 2} if generator == "riffusion" else {}
    return changed(
        epochs=1,
        music_model=generator,
        music_encoder="mert",
        encoder={"model": str(models / "mert")},
        **{section: {"model": str(models / generator), "input_type": input_type, **steps}},
        user_model__aligner={"abs_file_path": str(models / "aligner.pt")},
        evolution__fitness={"mode": "user"},
        evolution__max_seq_len=8,
        evolution__search={"mode": mode, "population_size": 8, **search},
    )


@pytest.mark.parametrize(
    "search",
    [
        {"mode": "prompt GA"},
        {"mode": "token GA"},
        {"mode": "GA", "input_type": "embeddings"},
        {"mode": "CMAES", "subspace": 4, "snap": True},
        {"mode": "SNES", "input_type": "embeddings", "subspace": 4},
        {"mode": "random", "input_type": "embeddings"},
        {"mode": "prompt GA", "generator": "riffusion"},
        {"mode": "SNES", "generator": "riffusion", "input_type": "token_embeddings"},
    ],
    ids=lambda search: "-".join(str(value) for value in search.values()),
)
def test_a_search_runs_on_a_neural_generator_and_is_heard_by_a_neural_ear(models, tmp_path, search):
    evolve(written(tmp_path, configured(models, **search)), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "result.json").read_text())["status"] == "done"
    assert len(history(tmp_path / "out")) == 2
    heard = Evaluation.objects.all()
    assert {(row.layers, row.dim) for row in heard} == {(LAYERS, DIM)}
    assert len({bytes(row.embedding) for row in heard}) > 8  # they are not all the same sound
    texts = {isinstance(genome, str) for genome in Candidate.objects.values_list("genome", flat=True)}
    assert texts == {search["mode"] == "prompt GA"}
    assert all(Candidate.objects.values_list("prompt", flat=True))  # embeddings are read as words
    assert list((tmp_path / "out" / "tracks").glob("*.mp3"))


def test_the_same_seed_gives_the_same_run(models, tmp_path):
    file = written(tmp_path, configured(models, mode="CMAES", subspace=4))
    evolve(file, tmp_path / "first")
    Evaluation.objects.exclude(recording__isnull=False).delete()
    evolve(file, tmp_path / "second")
    assert history(tmp_path / "first") == history(tmp_path / "second")


def instruments(models, **changes):
    return replace(
        Instruments(
            generator="musicgen",
            parameters={"model": str(models / "musicgen"), "input_type": "text"},
            encoder="mert",
            encoder_parameters={"model": str(models / "mert")},
        ),
        **changes,
    )


def test_a_prompt_that_the_model_cannot_read_scores_the_worst_and_the_others_are_heard(models, workers):
    asked = [Take("calm jazz", 1, 0.5), Take("jazz " * 10_000, 2, 0.5), Take("fast techno", 3, 0.5)]
    stored = evaluation.evaluate(asked, instruments(models))
    fine, endless, other = (stored[take.key(instruments(models))] for take in asked)
    assert endless.artefacts == [1.0] * 5
    assert bytes(fine.embedding) != bytes(other.embedding)
    assert [1.0] * 5 not in (fine.artefacts, other.artefacts)


def test_what_is_refused_is_found_by_halves(models, monkeypatch):
    tried = []

    def counted(chunk, items):
        tried.append(len(items))
        return played(chunk, items)

    played = playing._play
    monkeypatch.setattr(playing, "_play", counted)
    items = [{"key": str(number), "genome": "calm jazz", "seed": number} for number in range(15)]
    items.append({"key": "endless", "genome": "jazz " * 10_000, "seed": 3})
    heard = playing._heard({"instruments": asdict(instruments(models)), "seconds": 0.5}, items)
    assert len(heard) == 16
    assert heard.artefacts[15].tolist() == [1.0] * 5
    assert sorted(tried, reverse=True) == [16, 8, 8, 4, 4, 2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere", "nowhere.*expected a folder|weights of .*nowhere"), ("mert", "MusicGen|musicgen")],
)
def test_weights_that_are_missing_or_of_another_model_are_told_and_the_player_lives_on(models, workers, name, message):
    broken = instruments(models, parameters={"model": str(models / name), "input_type": "text"})
    with pytest.raises(evaluation.PlayingError, match=message):
        evaluation.evaluate([Take("calm jazz", 1, 0.5)], broken)
    assert evaluation.evaluate([Take("calm jazz", 1, 0.5)], instruments(models))


def test_a_player_whose_gpu_failed_replies_and_ends(models, workers, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("CUDA error: device-side assert triggered")

    sent = []
    with monkeypatch.context() as patch:
        patch.setattr(playing, "play", fail)
        patch.setattr(serving.os, "kill", lambda pid, number: sent.append((pid, number)))
        for role in ("", "player"):  # a command that plays by itself goes on to tell what happened
            patch.setenv("EVOMUSIC_ROLE", role)
            with pytest.raises(evaluation.PlayingError, match="a reason that is ours"):
                evaluation.evaluate([Take("calm jazz", 1, 0.5)], instruments(models))
            assert bool(sent) == (role == "player")
    assert sent == [(os.getpid(), signal.SIGTERM)]


def test_a_piece_that_no_memory_holds_is_told_as_that(models, workers, monkeypatch):
    def lack(*args, **kwargs):
        raise devices.OutOfMemoryError("one piece alone does not fit into the device's memory: 9 GB")

    with monkeypatch.context() as patch:
        patch.setattr(playing, "play", lack)
        with pytest.raises(evaluation.PlayingError, match=r"one piece alone .* play shorter pieces"):
            evaluation.evaluate([Take("calm jazz", 1, 0.5)], instruments(models))


def test_a_population_of_a_batched_generator_is_one_chunk_for_each_player(models, monkeypatch):
    takes = {f"key {number}": Take("calm jazz", number, 0.5) for number in range(100)}
    cut = partial(evaluation._cut, takes, kind="evaluations", reply="r")
    assert [chunk.size for chunk in cut(instruments=instruments(models))] == [100]
    alone = cut(instruments=Instruments())
    assert [chunk.size for chunk in alone] == [50, 50]  # two chunks for one player: it may be slow
    monkeypatch.setattr(presence, "count", lambda: {"player": 2})
    assert [chunk.size for chunk in cut(instruments=instruments(models))] == [50, 50]


def test_an_aligner_of_another_ear_is_refused_before_anything_is_played(models, tmp_path):
    content = configured(models, mode="prompt GA")
    content["user_model"]["aligner"] = {"abs_file_path": "aligner/spectral.pt"}
    with pytest.raises(CommandError, match=r"expected an aligner for mert's embeddings of 3 x 32, got one for 8 x 64"):
        evolve(written(tmp_path, content), tmp_path / "out")
    assert not Evaluation.objects.exists()


def test_an_ear_without_an_aligner_says_how_to_get_one(models, tmp_path):
    content = configured(models, mode="prompt GA")
    del content["user_model"]["aligner"]
    with pytest.raises(CommandError, match=r"no checkpoint is shipped for the encoder 'mert'.*train_aligner"):
        evolve(written(tmp_path, content), tmp_path / "out")
