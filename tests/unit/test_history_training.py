"""Training on histories: what is learned, that it can be interrupted, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import Tensor

from models_store.aligner import held_out, history_training, measuring
from models_store.aligner.config import Aggregation, AlignerConfig, Projection
from models_store.aligner.descent import DivergedError
from models_store.aligner.held_out import HeldOut, Parts
from models_store.aligner.histories import Histories
from models_store.aligner.history_training import Trained
from models_store.aligner.lesson import Lesson
from models_store.aligner.measuring import MemorySongs
from models_store.aligner.method import Method
from models_store.aligner.model import AlignerV2
from tests.unit import listening_files, small_world

SHORT = Method(batch=32, pool=32, steps=4, epochs=3, lr=3e-3, liked=0.0)


def lesson(histories: Histories | None = None, songs: Tensor | None = None, *, new_users: float = 0.0) -> Lesson:
    told = histories or listening_files.histories()
    embeddings = small_world.songs().embeddings if songs is None else songs
    parts = held_out.split(told, users=(0.0, new_users), seed=1)
    return Lesson(told, MemorySongs(embeddings), torch.arange(len(told.songs)), parts)


def wiring(users: int, **changes: object) -> AlignerConfig:
    size = {"emb_size": 12, "hidden": 24, "projection": 12, **changes}
    return AlignerConfig(users=users, layers=small_world.LAYERS, dim=small_world.DIM, **size)  # type: ignore[arg-type]


def train(method: Method = SHORT, *, seed: int = 2, of: Lesson | None = None, **more: object) -> Trained:
    return history_training.train(of or lesson(), wiring, method, seed=seed, **more)  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def well_trained() -> Trained:
    method = Method(batch=64, pool=64, steps=30, epochs=20, lr=3e-3, weight_decay=0.1, noise=1.0)
    return train(method, of=lesson(new_users=0.1))


def same_weights(first: Trained, second: Trained) -> bool:
    pairs = zip(first.aligner.state_dict().values(), second.aligner.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_a_trained_aligner_knows_new_songs_for_listeners_of_its_table_and_for_others() -> None:
    trained = well_trained()
    unlearned = AlignerV2(trained.aligner.config, seed=0)

    assert trained.known.auc > 0.68
    assert trained.new is not None
    assert trained.new.auc > 0.65
    assert trained.known.pr_auc > trained.known.heard + 0.1
    assert trained.known.auc_low < trained.known.auc < trained.known.auc_high
    assert (trained.known.listeners, trained.new.listeners) == (27, 3)
    assert 0.4 < history_training.measure_known(unlearned, lesson(new_users=0.1)).auc < 0.6


def test_the_sign_of_the_cosine_says_whether_a_listener_likes_a_song() -> None:
    assert 0.2 < well_trained().known.liked < 0.4
    assert not 0.2 < train(SHORT).known.liked < 0.4


def test_the_table_has_a_row_for_each_user_to_train_on_and_none_for_those_held_out() -> None:
    of, trained = lesson(new_users=0.1), well_trained()
    out = {of.histories.users[user] for user in of.held_out.users.test.tolist()}

    assert len(trained.users) == len(trained.aligner.user_table) == 27
    assert not out & set(trained.users)


def test_training_twice_gives_the_same_and_another_seed_something_else() -> None:
    assert same_weights(train(), train())
    assert not same_weights(train(), train(seed=3))


def test_reading_ahead_changes_nothing() -> None:
    assert same_weights(train(replace(SHORT, ahead=0)), train(replace(SHORT, ahead=3)))


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    train()
    assert torch.equal(torch.get_rng_state(), before)


class StoppedError(Exception):
    pass


def stop_after(epochs: int):
    def told(epoch: int, figures: Mapping[str, float]) -> None:
        if epoch > epochs:
            raise StoppedError

    return told


def test_a_training_that_was_interrupted_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    method = replace(SHORT, epochs=6, patience=2)
    undisturbed = train(method)
    for stop in (1, 3):
        with pytest.raises(StoppedError):
            train(method, state_file=tmp_path / "state", resume=True, told=stop_after(stop))
    heard: list[int] = []

    resumed = train(method, state_file=tmp_path / "state", resume=True, told=lambda epoch, _: heard.append(epoch))

    assert heard[0] == 4
    assert resumed.epochs == undisturbed.epochs
    assert same_weights(resumed, undisturbed)


def test_a_training_that_was_begun_is_not_overwritten(tmp_path: Path) -> None:
    train(state_file=tmp_path / "state")
    before = (tmp_path / "state").read_bytes()

    with pytest.raises(ValueError, match=r"state: a training was begun here; --resume goes on"):
        train(state_file=tmp_path / "state")

    assert (tmp_path / "state").read_bytes() == before


@pytest.mark.parametrize("change", ["seed", "method", "songs", "histories"])
def test_a_training_of_something_else_is_not_gone_on_with(tmp_path: Path, change: str) -> None:
    train(state_file=tmp_path / "state")
    other = listening_files.histories().keep_users(torch.arange(30) != 5)
    changed = {
        "seed": {"seed": 9},
        "method": {"method": replace(SHORT, noise=0.5)},
        "songs": {"of": lesson(songs=small_world.songs().embeddings + 1)},
        "histories": {"of": lesson(other)},
    }[change]

    with pytest.raises(ValueError, match="was begun with other histories, songs, options or another seed"):
        train(**changed, state_file=tmp_path / "state", resume=True)  # type: ignore[arg-type]


def test_every_epoch_is_told_with_its_loss_temperature_rate_and_auc() -> None:
    told: dict[int, Mapping[str, float]] = {}
    train(told=lambda epoch, figures: told.update({epoch: figures}))

    assert list(told) == [1, 2, 3]
    assert set(told[1]) == {"loss", "temperature", "rate", "validation_auc", "seconds"}
    assert told[1]["rate"] == pytest.approx(3e-3)
    assert told[1]["temperature"] != told[3]["temperature"]  # it is learned


def test_the_rate_falls_on_a_plateau_and_training_ends_on_a_long_one() -> None:
    rates: list[float] = []
    nothing_to_learn = lesson(songs=torch.zeros_like(small_world.songs().embeddings))
    method = replace(SHORT, epochs=50, patience=4, steps=1)

    trained = train(method, of=nothing_to_learn, told=lambda _, figures: rates.append(figures["rate"]))

    assert trained.epochs < 50
    assert rates[-1] < rates[0]


@pytest.mark.parametrize("projection", ["affine", "bn"])
@pytest.mark.parametrize("aggregation", get_args(Aggregation))
def test_every_wiring_is_trained(aggregation: Aggregation, projection: Projection) -> None:
    def wired(users: int) -> AlignerConfig:
        return wiring(users, aggregation=aggregation, projection_type=projection)

    losses: list[float] = []
    method = replace(SHORT, steps=15, epochs=4, lr=1e-2)
    trained = history_training.train(
        lesson(), wired, method, seed=2, told=lambda _, figures: losses.append(figures["loss"])
    )

    assert losses[-1] < losses[0] - 0.1
    assert not trained.aligner.training


def test_half_precision_trains_to_nearly_the_same_figures() -> None:
    method = replace(SHORT, steps=20, epochs=5)
    whole, half = (train(replace(method, precision=name)).known.auc for name in ("float32", "bfloat16"))

    assert half == pytest.approx(whole, abs=0.02)


def test_a_single_user_is_trained_on() -> None:
    trained = train(of=lesson(listening_files.histories().keep_users(torch.arange(30) == 0)))

    assert (trained.known.listeners, trained.new) == (1, None)


def test_songs_to_train_on_that_nobody_heard_are_refused() -> None:
    told, parts = listening_files.histories(), lesson().held_out
    heard = told.keep_songs(torch.isin(torch.arange(len(told.songs)), parts.songs.test))
    of = lesson(heard)
    nobody = torch.zeros(0, dtype=torch.int64)
    empty = replace(of, held_out=HeldOut(of.held_out.songs, Parts(nobody, nobody, nobody)))

    with pytest.raises(ValueError, match="expected users who listened to a song to train on, got none"):
        train(of=empty)


def test_songs_to_test_on_that_nobody_heard_are_refused() -> None:
    told, parts = listening_files.histories(), lesson().held_out
    unheard = ~torch.isin(told.song_index, parts.songs.test)
    some = Histories.of(
        told.users, told.songs, told.user_index[unheard], told.song_index[unheard], told.counts[unheard]
    )

    with pytest.raises(ValueError, match="expected that somebody listened to one of the 80 songs to test on"):
        train(of=replace(lesson(), histories=some))


def test_a_rate_far_too_high_is_said_to_be_one() -> None:
    with pytest.raises(DivergedError, match=r"the loss is (nan|inf); try a lower rate than 1e\+30"):
        train(replace(SHORT, lr=1e30))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 0}, "batch: expected at least 1, got 0"),
        ({"negatives": 33}, "negatives: expected at most the pool of 32, got 33"),
        ({"liked": 1.0}, "liked: expected a share from 0 to below 1"),
        ({"noise": float("nan")}, "noise: expected 0 or a positive number"),
        ({"steps": 0}, "steps: expected at least 1"),
    ],
)
def test_a_method_that_makes_no_sense_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SHORT, **changes)  # type: ignore[arg-type]


def test_a_rate_or_patience_that_makes_no_sense_is_refused() -> None:
    for changes, message in (
        ({"lr": 0.0}, "lr: expected a positive"),
        ({"patience": 0}, "patience: expected at least"),
    ):
        with pytest.raises(ValueError, match=message):
            train(replace(SHORT, **changes))  # type: ignore[arg-type]


def test_what_is_measured_is_the_score_of_each_table_row() -> None:
    trained, of = well_trained(), lesson(new_users=0.1)
    songs = of.held_out.songs.test
    table = trained.aligner.cosines(trained.aligner.reference_users(), small_world.songs().embeddings[songs])

    by_hand = measuring.ranking(table, of.histories, users=of.users, songs=songs)

    assert by_hand.auc == pytest.approx(trained.known.auc, abs=1e-6)
