"""Training: an aligner that knows songs it was not trained on, and whose cosine's sign means what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import roc_auc_score

from models_store.aligner import training
from models_store.aligner.model import AlignerConfig, AlignerV2
from tests.unit import small_world

TINY = AlignerConfig(users=30, layers=small_world.LAYERS, dim=small_world.DIM, emb_size=4, hidden=4, projection=4)
SHORT = training.TrainingConfig(batch=16, steps=2, epochs=2)


def test_a_trained_aligner_knows_what_listeners_like_among_new_songs() -> None:
    trained = small_world.trained()
    songs = small_world.songs()
    test = training.split(len(songs), seed=2).test
    unlearned = training.measure(
        AlignerV2(trained.aligner.config, seed=0), songs.embeddings[test], small_world.listeners().likes[:, test]
    )

    assert trained.figures.auc > 0.75
    assert 0.4 < unlearned.auc < 0.6


def test_reference_listeners_score_as_many_songs_positive_as_they_like() -> None:
    songs = small_world.songs(300, seed=77)  # none of them was trained on
    aligner = small_world.trained().aligner
    score = aligner.project_users(aligner.reference_users()) @ aligner.project_songs(songs.embeddings).T

    positive = (score > 0).float().mean(dim=1)
    wanted = small_world.listeners().likes.float().mean(dim=1)

    assert float((positive - wanted).abs().mean()) < 0.09
    assert 0.2 < float(positive.mean()) < 0.45


def test_a_calibration_moves_the_table_and_nothing_else() -> None:
    aligner = AlignerV2(replace(TINY, emb_size=12, hidden=24, projection=12), seed=0)
    before = {name: value.clone() for name, value in aligner.state_dict().items()}
    songs, share = small_world.songs().embeddings[:100], torch.full((30,), 0.3)

    def error() -> float:
        score = aligner.project_users(aligner.reference_users()) @ aligner.project_songs(songs).T
        return float(((score > 0).float().mean(dim=1) - share).abs().mean())

    uncalibrated = error()
    training.calibrate(aligner, songs, share)

    changed = [name for name, value in aligner.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["user_table"]
    assert error() < 0.05 < uncalibrated


def test_songs_are_trained_on_or_tested_on_but_never_both() -> None:
    parts = training.split(101, seed=3)

    everything = torch.cat([parts.train, parts.validation, parts.test])
    assert sorted(everything.tolist()) == list(range(101))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [71, 10, 20]


def test_the_auc_is_the_one_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(5, 40, generator=generator)
    likes = torch.rand(5, 40, generator=generator) < 0.3

    expected = [roc_auc_score(like.numpy(), score.numpy()) for score, like in zip(scores, likes, strict=True)]

    assert training.user_aucs(scores, likes).tolist() == pytest.approx(expected, abs=1e-6)


def test_a_listener_who_likes_everything_has_no_auc() -> None:
    likes = torch.tensor([[True, True, True], [True, False, True]])

    assert len(training.user_aucs(torch.randn(2, 3, generator=torch.Generator().manual_seed(0)), likes)) == 1


def test_training_twice_gives_the_same_aligner() -> None:
    songs, listeners = small_world.songs(), small_world.listeners()

    first, second = (training.train(songs.embeddings, listeners, TINY, SHORT, seed=5).aligner for _ in range(2))

    assert torch.equal(first.user_table, second.user_table)
    assert torch.equal(first.projection.weight, second.projection.weight)


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()

    training.train(small_world.songs().embeddings, small_world.listeners(), TINY, SHORT, seed=5)

    assert torch.equal(torch.get_rng_state(), before)


def test_an_aligner_of_another_number_of_listeners_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected likes of shape \(31, 400\), got \(30, 400\)"):
        training.train(small_world.songs().embeddings, small_world.listeners(), replace(TINY, users=31), SHORT, seed=5)


def test_too_few_songs_to_test_on_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 20 songs, got 19"):
        training.split(19, seed=0)
