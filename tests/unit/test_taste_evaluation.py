"""Trying learners in worlds in which the taste is known."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from torch import Tensor

from models_store.taste import evaluation, trial_worlds
from models_store.taste.evaluation import Contestant, calibration_error
from models_store.taste.infonce import InfoNCE, InfoNCEConfig
from models_store.taste.trial_worlds import TrialWorld
from tests.unit import small_world

ASKED_KEYS = {"world", "learner", "k", "spearman", "auc", "top20", "ece", "milliseconds"}


@lru_cache(maxsize=3)
def world(name: str, *, seed: int = 1) -> TrialWorld:
    aligner = small_world.trained().aligner
    return trial_worlds.WORLDS[name](aligner, small_world.songs(300, seed=9), listeners=4, seed=seed)


@pytest.mark.parametrize("name", trial_worlds.WORLDS)
def test_songs_that_are_rated_and_songs_held_out_are_apart(name: str) -> None:
    for trial in world(name).trials:
        assert len(trial.played) == len(trial.held_out) == 150
        assert not set(trial.played.tolist()) & set(trial.held_out.tolist())
        assert 0.1 < float((trial.truth > 0).float().mean()) < 0.6


def test_only_strangers_slip_and_in_a_tenth_of_their_answers() -> None:
    slipped = {
        name: float(torch.cat([(one.answers > 0) != (one.truth > 0) for one in world(name).trials]).float().mean())
        for name in trial_worlds.WORLDS
    }

    assert slipped["A"] == 0.0
    assert 0.07 < slipped["B"] < 0.13
    assert 0.07 < slipped["C"] < 0.13


def test_another_seed_makes_other_listeners_and_the_same_one_the_same() -> None:
    first, again, other = (world("B", seed=seed).trials[0].truth for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_figures_of_a_learner_rise_with_ratings_and_have_the_keys_that_programs_read() -> None:
    taking_part = evaluation.contestants(small_world.trained().aligner, ["bayes", "ridge"])

    found = [
        one for figures in evaluation.evaluate(world("A"), taking_part, ratings=(4, 40), seed=0) for one in figures
    ]
    content = json.loads(json.dumps(evaluation.as_json(found)))

    assert [(one["learner"], one["k"]) for one in content] == [("ridge", 4), ("ridge", 40), ("bayes", 4), ("bayes", 40)]
    assert all(set(one) >= ASKED_KEYS for one in content)
    few, many = content[2:]
    assert few["spearman"] < many["spearman"]
    assert few["top20"] < many["top20"] <= 1.0
    assert 0.5 < few["auc"] < many["auc"]
    assert 0.0 <= many["ece"] < 0.2


def test_of_some_variants_the_best_is_shown_at_each_number_of_ratings() -> None:
    aligner = small_world.trained().aligner
    variants = {"good": InfoNCEConfig(), "idle": InfoNCEConfig(lr=1e-9, epochs=1, init="rand")}
    taking_part = [Contestant(name, InfoNCE(aligner, how), best_of="best") for name, how in variants.items()]

    ((few, many),) = evaluation.evaluate(world("A"), taking_part, ratings=(20, 60), seed=0)

    assert (few.learner, few.variant, many.variant) == ("best", "good", "good")


def test_a_contestant_that_asks_chooses_what_is_rated() -> None:
    asked: list[tuple[int, ...]] = []

    def last_ones(draws: Tensor, probability: Tensor, *, count: int, seed: int) -> list[int]:
        asked.append((draws.shape[1], count))
        return list(range(len(probability) - count, len(probability)))

    learner = evaluation.contestants(small_world.trained().aligner, ["bayes"])[0].learner
    asking = Contestant("asking", learner, asks=last_ones)

    next(evaluation.evaluate(world("C"), [asking], ratings=(5, 20), seed=0))

    assert asked[:3] == [(150, 5), (145, 8), (137, 7)]
    assert len(asked) == 3 * 4


def test_calibration_is_perfect_where_what_was_predicted_came_true_as_often() -> None:
    predicted = torch.tensor([0.25] * 4 + [0.75] * 4)
    said = torch.tensor([True, False, False, False, True, True, True, False])

    assert calibration_error(predicted, said) == pytest.approx(0.0)
    assert calibration_error(predicted, ~said) == pytest.approx(0.5)


def test_errors_of_two_worlds_that_go_opposite_ways_cancel_among_listeners_of_both() -> None:
    ridge = evaluation.contestants(small_world.trained().aligner, ["ridge"])
    one, other = (next(evaluation.evaluate(world(name), ridge, ratings=(8,), seed=0))[0] for name in ("A", "B"))
    opposite = replace(one, excess=tuple(-step for step in one.excess))

    assert evaluation.mixed_calibration_error([one]) == pytest.approx(one.ece)
    assert evaluation.mixed_calibration_error([one, opposite]) == pytest.approx(0.0)
    assert evaluation.mixed_calibration_error([one, other]) <= (one.ece + other.ece) / 2 + 1e-9


def test_what_cannot_be_tried_is_refused() -> None:
    aligner = small_world.trained().aligner
    with pytest.raises(ValueError, match=r"learners: expected some of .*; got wishes"):
        evaluation.contestants(aligner, ["wishes"])
    with pytest.raises(ValueError, match="rising numbers from 1 to 150, got"):
        next(evaluation.evaluate(world("A"), evaluation.contestants(aligner, ["ridge"]), ratings=(20, 10), seed=0))
