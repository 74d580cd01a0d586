"""`train_aligner` and `evaluate_aligner` on listening histories, of files and of our own listeners."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
import wandb
from django.core.management import CommandError, call_command

from evolution.models import Evaluation
from listening.models import Listener, Playlist
from models_store import checkpoints
from models_store.aligner import history_training, shipped
from tests.integration import small_runs
from tests.unit import listening_files
from tests.unit.test_tracking import contents, events

SIZES = ["--emb-size", "6", "--projection-size", "8", "--hidden", "10", "--batch", "32", "--pool", "48"]
SHORT = [*SIZES, "--steps", "5", "--epochs", "2", "--known", "10", "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play counts and the songs of a small world."""
    made = tmp_path_factory.mktemp("world")
    listening_files.write_play_counts(made / "plays.csv")
    listening_files.store(made / "store")
    return made


def run(command: str, *options: str | Path) -> str:
    told = StringIO()
    call_command(command, *map(str, options), stdout=told, verbosity=0)
    return told.getvalue()


def train(folder: Path, out: Path, *options: str | Path) -> str:
    named = ["--histories", f"play-counts:{folder / 'plays.csv'}", "--store", folder / "store", "--out", out]
    return run("train_aligner", *named, *SHORT, *options)


def test_what_is_trained_is_printed_and_evaluated_to_the_same_figures(folder: Path, tmp_path: Path) -> None:
    told = train(folder, tmp_path / "aligner.pt", "--aggregation", "weighted", "--weights", "counts", "--seed", "4")
    again = run(
        "evaluate_aligner",
        *("--checkpoint", tmp_path / "aligner.pt", "--store", folder / "store"),
        *("--histories", f"play-counts:{folder / 'plays.csv'}", "--device", "cpu"),
    )

    *figures, last = told.splitlines()
    assert last.startswith("2 epochs in ")
    assert figures == again.splitlines()
    assert figures[0].split() == ["in", "the", "table", "held", "out"]
    names = [line.split()[0] for line in figures[1:]]
    assert {"listeners", "songs", "heard", "auc", "auc_low", "auc_high", "pr_auc", "recall"} <= set(names)
    notes = checkpoints.load(tmp_path / "aligner.pt").notes
    assert (notes["method"]["weights"], notes["seed"]) == ("counts", 4)
    assert shipped.load(tmp_path / "aligner.pt").config.aggregation == "weighted"


def test_an_interrupted_training_is_gone_on_with_to_the_same_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(folder, tmp_path / "whole.pt")
    broken = history_training.measure_known

    def killed(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(history_training, "measure_known", killed)
    with pytest.raises(KeyboardInterrupt):
        train(folder, tmp_path / "aligner.pt", "--epochs", "1")
    monkeypatch.setattr(history_training, "measure_known", broken)
    with pytest.raises(CommandError, match=r"a training was begun here; --resume goes on"):
        train(folder, tmp_path / "aligner.pt")
    assert not (tmp_path / "aligner.pt").exists()

    train(folder, tmp_path / "aligner.pt", "--resume")

    whole, resumed = (checkpoints.load(tmp_path / name).weights for name in ("whole.pt", "aligner.pt"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["aligner.pt", "whole.pt"]


def test_figures_go_to_tensorboard_and_to_weights_and_biases(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings.STATE_FOLDER = tmp_path / "state"  # type: ignore[attr-defined]
    train(folder, tmp_path / "aligner.pt", "--tensorboard", tmp_path / "board", "--wandb", "tests")
    wandb.teardown()

    told = [(event.step, value.tag) for event in events(tmp_path / "board") for value in event.summary.value]
    names = ("loss", "temperature", "rate", "validation_auc", "seconds")
    assert sorted(told) == sorted((epoch, f"aligner/{name}") for epoch in (1, 2) for name in names)
    kept = contents(tmp_path / "state")
    assert b"aligner/validation_auc" in kept
    assert str(folder).encode() not in kept


def test_our_own_listeners_ratings_are_trained_on(
    listener: Listener, other_listener: Listener, make_playlist: Callable[..., Playlist], tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    for who in (listener, other_listener):
        playlist = make_playlist(who, tracks=30)
        for place in playlist.places.all():
            embedding = generator.standard_normal(4).astype("<f4").tobytes()
            Evaluation.objects.filter(recording=place.track.recording_id).update(embedding=embedding)
        small_runs.rate(playlist, [1, 1, -1] * 10)

    named = ["--histories", "ratings", "--store", tmp_path / "store", "--new-users", "0"]
    told = run("train_aligner", *named, "--out", tmp_path / "aligner.pt", *SHORT)
    measured = run("evaluate_aligner", *named, "--checkpoint", tmp_path / "aligner.pt", "--device", "cpu")

    assert told.splitlines()[0].split() == ["in", "the", "table"]
    assert told.splitlines()[:-1] == measured.splitlines()
    assert shipped.load(tmp_path / "aligner.pt").config.users == 2
    assert checkpoints.load(tmp_path / "aligner.pt").notes["histories"] == "ratings"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--histories", "play-counts:nowhere.csv"], "--histories FORMAT:PATH and --store DIR together"),
        (["--store", "nowhere"], "--histories FORMAT:PATH and --store DIR together"),
        (["--histories", "lastfm:nowhere.tsv", "--store", "nowhere"], "nowhere: expected a store of embeddings"),
        (["--epochs", "3", "--resume"], "--epochs, --resume: only for listening histories"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(options: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=message):
        run("train_aligner", *options, "--out", tmp_path / "aligner.pt")
    assert not list(tmp_path.glob("*.pt*"))


def test_histories_that_cannot_be_read_are_refused_with_their_path(folder: Path, tmp_path: Path) -> None:
    for name, content in (
        ("empty.csv", b""),
        ("other.csv", b"a,b\n1,2\n"),
        ("latin.csv", "userid,id,count\n\xe9,".encode("latin1")),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CommandError, match=name):
            run(
                "train_aligner",
                *("--histories", f"play-counts:{tmp_path / name}", "--store", folder / "store"),
                *("--out", tmp_path / "aligner.pt"),
            )
    assert not list(tmp_path.glob("*.pt*"))


def test_an_aligner_of_another_encoder_cannot_be_evaluated(folder: Path) -> None:
    named = ["--histories", f"play-counts:{folder / 'plays.csv'}", "--store", folder / "store"]
    with pytest.raises(
        CommandError, match=r"spectral.pt: expected embeddings of .*8 x 64; .* has those of numbers, 2 x 12"
    ):
        run("evaluate_aligner", *named, "--device", "cpu")
