"""Synthetic listeners: they rate as a known taste says."""

from __future__ import annotations

import pytest
import torch

from models_store.taste.base import mean_taste, reference_taste
from models_store.taste.synthetic import SyntheticListener
from tests.unit import small_world


def songs(count: int) -> torch.Tensor:
    return small_world.songs(count, seed=50).embeddings


def test_a_listener_likes_what_its_score_calls_positive_and_dislikes_the_rest() -> None:
    taste = reference_taste(small_world.trained().aligner, 3)
    heard = songs(100)

    ratings = SyntheticListener(taste).rate(heard, seed=0)

    score, _ = taste.likeness(heard)
    assert torch.equal(ratings == 1, score > 0)
    assert torch.equal(ratings == -1, score <= 0)
    assert {-1, 1} == set(ratings.tolist())


def test_the_threshold_makes_a_listener_more_demanding() -> None:
    taste = reference_taste(small_world.trained().aligner, 7)

    easy, hard = (
        int((SyntheticListener(taste, threshold=threshold).rate(songs(200), seed=0) == 1).sum())
        for threshold in (-0.3, 0.1)
    )

    assert 0 < hard < easy


def test_noise_is_the_probability_of_the_opposite() -> None:
    taste = reference_taste(small_world.trained().aligner, 0)
    sure, unsure, contrary = (
        SyntheticListener(taste, noise=noise).rate(songs(1000), seed=4) for noise in (0.0, 0.2, 1.0)
    )

    assert float((sure != unsure).float().mean()) == pytest.approx(0.2, abs=0.04)
    assert torch.equal(contrary, -sure)


def test_fatigue_grows_along_the_playlist() -> None:
    taste = reference_taste(small_world.trained().aligner, 0)

    ratings = SyntheticListener(taste, fatigue=0.8).rate(songs(1000), seed=4)

    none = (ratings == 0).float()
    assert none[0] == 0
    assert float(none[:500].mean()) == pytest.approx(0.2, abs=0.06)
    assert float(none[500:].mean()) == pytest.approx(0.6, abs=0.06)


def test_ratings_are_a_function_of_the_seed() -> None:
    judge = SyntheticListener(reference_taste(small_world.trained().aligner, 0), noise=0.5)

    first, again, other = (judge.rate(songs(60), seed=seed) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_track_or_one_is_rated_as_well() -> None:
    judge = SyntheticListener(mean_taste(small_world.trained().aligner), fatigue=1.0)

    assert judge.rate(songs(1)[:0], seed=0).shape == (0,)
    assert abs(int(judge.rate(songs(1), seed=0))) == 1


def test_a_probability_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"noise: expected 0 to 1, got 1\.5"):
        SyntheticListener(mean_taste(small_world.trained().aligner), noise=1.5)


def test_a_listener_who_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="a user from 0 to 29, got 30"):
        reference_taste(small_world.trained().aligner, 30)
