"""The infonce learner: from ratings to a taste."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models_store.aligner import training
from models_store.taste.base import Taste, mean_taste, reference_taste
from models_store.taste.infonce import InfoNCE, InfoNCEConfig, Init
from models_store.taste.memory import Memory
from models_store.taste.synthetic import SyntheticListener
from tests.unit import small_world

USERS = range(0, 30, 3)


def learner(config: InfoNCEConfig | None = None) -> InfoNCE:
    return InfoNCE(small_world.trained().aligner, config or InfoNCEConfig())


def new_songs(count: int, *, seed: int = 60) -> torch.Tensor:
    return small_world.songs(400, seed=seed).embeddings[:count]


def memory(ratings: list[int], *, seed: int = 60) -> Memory:
    return Memory.of(new_songs(len(ratings), seed=seed), ratings, [1] * len(ratings))


def auc_of(taste: Taste, truth: Taste) -> float:
    """How well a taste knows what the true one likes among songs that nobody has rated."""
    unrated = new_songs(400, seed=61)
    (guess, _), (score, _) = taste.likeness(unrated), truth.likeness(unrated)
    return float(training.user_aucs(guess[None], (score > 0)[None]))


def learned_auc(ratings: int, config: InfoNCEConfig | None = None) -> float:
    """The mean AUC over some reference listeners after as many ratings."""
    aucs = []
    for user in USERS:
        truth = reference_taste(small_world.trained().aligner, user)
        rated = SyntheticListener(truth).rate(new_songs(ratings), seed=user)
        aucs.append(auc_of(learner(config).learn(memory(rated.tolist()), seed=user), truth))
    return sum(aucs) / len(aucs)


def test_a_taste_is_learned_and_more_ratings_teach_more() -> None:
    few, some, many = (learned_auc(ratings) for ratings in (4, 16, 64))

    assert 0.55 < few < some < many
    assert some > 0.70
    assert many > 0.85


@pytest.mark.parametrize("init", get_args(Init))
def test_a_taste_is_learned_from_every_start(init: Init) -> None:
    assert learned_auc(40, InfoNCEConfig(init=init)) > 0.75


def test_a_taste_is_learned_in_minibatches() -> None:
    assert learned_auc(40, InfoNCEConfig(minibatch=8)) > 0.75


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=12), st.sampled_from(get_args(Init)))
def test_no_ratings_whatsoever_make_a_taste_that_is_not_a_number(ratings: list[int], init: Init) -> None:
    known = memory(ratings) if ratings else Memory.empty(layers=small_world.LAYERS, dim=small_world.DIM)

    taste = learner(InfoNCEConfig(init=init, epochs=5, alternatives=2)).learn(known, seed=1)

    mean, deviation = taste.likeness(new_songs(20))
    assert bool(taste.user.isfinite().all())
    assert bool(((mean >= -1) & (mean <= 1)).all())
    assert bool((deviation >= 0).all())


def test_without_ratings_the_taste_is_the_start() -> None:
    aligner = small_world.trained().aligner
    nothing = Memory.empty(layers=small_world.LAYERS, dim=small_world.DIM)
    start = aligner.reference_users()[5]

    torch.testing.assert_close(learner().learn(nothing, seed=0).user, mean_taste(aligner).user)
    torch.testing.assert_close(learner().learn(nothing, start=start, seed=0).user, start)
    torch.testing.assert_close(learner().learn(memory([0, 0]), start=start, seed=0).user, start)


@pytest.mark.parametrize("opinion", [1, -1])
def test_a_single_kind_of_rating_moves_the_taste_towards_it(opinion: int) -> None:
    known = memory([opinion] * 4)
    before, _ = mean_taste(small_world.trained().aligner).likeness(known.embeddings)

    after, _ = learner().learn(known, seed=0).likeness(known.embeddings)

    assert bool((opinion * after > 0).all())
    assert float((opinion * (after - before)).mean()) > 0.1


def test_what_is_neither_liked_nor_disliked_teaches_nothing() -> None:
    with_indifference = learner().learn(memory([1, -1, 0, 0]), seed=0)
    without = learner().learn(memory([1, -1]), seed=0)

    torch.testing.assert_close(with_indifference.user, without.user)


def test_the_aligner_is_left_as_it_was() -> None:
    aligner = small_world.trained().aligner
    before = {name: value.clone() for name, value in aligner.state_dict().items()}

    learner().learn(memory([1, -1, 1]), seed=0)

    assert all(torch.equal(value, before[name]) for name, value in aligner.state_dict().items())


def test_the_same_seed_learns_the_same_taste_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    config = InfoNCEConfig(init="rand", minibatch=2, epochs=4)

    first, again, other = (learner(config).learn(memory([1, -1, 1, -1]), seed=seed) for seed in (1, 1, 2))

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.user, again.user)
    assert not torch.equal(first.user, other.user)


def test_uncertainty_falls_with_ratings() -> None:
    truth = reference_taste(small_world.trained().aligner, 9)
    spreads = []
    for count in (2, 20, 200):
        rated = SyntheticListener(truth).rate(new_songs(count), seed=0).tolist()
        spreads.append(float(learner().learn(memory(rated), seed=0).likeness(new_songs(100, seed=62))[1].mean()))

    assert spreads[0] > spreads[1] > spreads[2] > 0


def test_a_start_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"start of shape \(12,\), got \(5,\)"):
        learner().learn(memory([1]), start=torch.zeros(5), seed=0)


@pytest.mark.parametrize(("field", "value"), [("lr", 0.0), ("epochs", 0), ("minibatch", 0), ("init", "median")])
def test_a_configuration_that_cannot_learn_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"InfoNCEConfig\.{field}: expected"):
        replace(InfoNCEConfig(), **{field: value})
