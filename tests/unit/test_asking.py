"""Asking: which songs' answers tell most about a taste."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models_store.taste import asking
from models_store.taste.asking import STRATEGIES, ask


def drawn(count: int, songs: int, *, seed: int = 0, dim: int = 3) -> torch.Tensor:
    """The likeness of songs to tastes that are drawn from a cloud of directions: [count, songs] in (-1, 1)."""
    generator = torch.Generator().manual_seed(seed)
    tastes, places = torch.randn(count, dim, generator=generator), torch.randn(songs, dim, generator=generator)
    return (tastes @ places.T / 2).tanh()


def likely(draws: torch.Tensor, slope: float = 4.0) -> torch.Tensor:
    return torch.sigmoid(slope * draws).mean(dim=0)


@given(st.sampled_from(sorted(STRATEGIES)), st.integers(1, 20), st.integers(0, 15), st.integers(0, 9))
def test_what_is_asked_is_distinct_and_free_and_not_more_than_wanted(
    strategy: str, songs: int, count: int, seed: int
) -> None:
    draws = drawn(16, songs, seed=seed)
    free = torch.rand(songs, generator=torch.Generator().manual_seed(seed)) < 0.7

    chosen = ask(draws, likely(draws), count=count, strategy=strategy, among=free, seed=seed)

    assert len(chosen) == len(set(chosen)) == min(count, int(free.sum()))
    assert all(bool(free[one]) for one in chosen)


@given(st.sampled_from(sorted(STRATEGIES)), st.integers(0, 9))
def test_the_same_seed_asks_the_same(strategy: str, seed: int) -> None:
    draws = drawn(32, 12, seed=seed)
    first, second = (ask(draws, likely(draws), count=6, strategy=strategy, seed=seed) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("strategy", ["information", "predictive"])
def test_a_copy_of_what_is_asked_tells_nothing_new(strategy: str) -> None:
    draws = drawn(200, 6)
    twins = torch.cat([draws, draws], dim=1)

    chosen = ask(twins, likely(twins), count=3, strategy=strategy, seed=0)

    assert len({one % 6 for one in chosen}) == 3


def test_disagreement_alone_asks_for_copies() -> None:
    draws = drawn(200, 6)
    twins = torch.cat([draws, draws], dim=1)

    chosen = ask(twins, likely(twins), count=2, strategy="disagreement", seed=0)

    assert chosen[0] % 6 == chosen[1] % 6


@pytest.mark.parametrize("strategy", ["information", "predictive", "disagreement"])
def test_a_song_about_which_all_drawn_tastes_agree_is_asked_last(strategy: str) -> None:
    draws = drawn(100, 5)
    draws[:, 2] = 0.0  # a coin to everybody: as uncertain as can be, and nothing to be learned

    assert ask(draws, likely(draws), count=5, strategy=strategy, seed=0)[-1] == 2
    assert ask(draws, likely(draws), count=1, strategy="uncertain", seed=0) != []


def test_what_will_be_answered_anyway_is_not_asked_again_under_another_name() -> None:
    draws = drawn(200, 4)
    twins = torch.cat([draws, draws], dim=1)
    alone = ask(twins, likely(twins), count=1, strategy="information", seed=0)[0]

    beside = ask(twins, likely(twins), count=1, strategy="information", given=[alone], seed=0)[0]

    assert beside % 4 != alone % 4


def test_an_answer_leaves_what_bayes_leaves_of_a_gaussian() -> None:
    draws = drawn(4000, 3)
    belief = asking.Belief.of(draws, likely(draws), seed=0)
    before, noise = belief.left.T @ belief.left / 4000, float(belief.noise[1])

    belief.answer(1)

    after = belief.left.T @ belief.left / 4000
    expected = before - torch.outer(before[1], before[1]) / (before[1, 1] + noise)
    assert torch.allclose(after, expected, atol=1e-9)


def test_the_first_question_halves_what_may_be() -> None:
    camps = torch.cat([torch.ones(50, 1), -torch.ones(50, 1)])
    few = torch.cat([torch.ones(95, 1), -torch.ones(5, 1)])
    draws = torch.cat([few, camps, torch.ones(100, 1)], dim=1)

    assert ask(draws, likely(draws), count=3, strategy="information", seed=0) == [1, 0, 2]


def test_thompson_plays_what_some_drawn_taste_likes_best() -> None:
    draws = drawn(30, 10)
    favourites = set(draws.argmax(dim=1).tolist())

    chosen = {ask(draws, likely(draws), count=1, strategy="thompson", seed=seed)[0] for seed in range(20)}

    assert chosen <= favourites
    assert len(chosen) > 1


@pytest.mark.parametrize("slope", [1.0, 5.0, 40.0])
def test_how_steeply_answers_follow_likeness_is_found(slope: float) -> None:
    draws = drawn(100, 30)

    assert asking.steepness(draws, likely(draws, slope)) == pytest.approx(slope, rel=0.15)
    assert torch.allclose(
        asking.chances(draws, likely(draws, slope)).mean(dim=0), likely(draws, slope).double(), atol=0.03
    )


def test_a_taste_is_the_surer_the_more_its_draws_agree() -> None:
    one = drawn(1, 40).expand(50, -1)
    many = drawn(50, 40, seed=1)

    sure = [asking.agreed((1 - doubt) * one + doubt * many) for doubt in (0.0, 0.3, 0.6, 1.0)]

    assert sure[0] == pytest.approx(1.0)
    assert sure == sorted(sure, reverse=True)
    assert sure[-1] < 0.1


@pytest.mark.parametrize("songs", [0, 1])
def test_nothing_to_choose_from_is_no_failure(songs: int) -> None:
    draws = drawn(8, songs)

    assert ask(draws, likely(draws), count=3, seed=0) == list(range(songs))
    assert asking.agreed(draws) == 1.0


def test_shapes_and_names_that_do_not_fit_are_refused() -> None:
    draws = drawn(8, 4)
    with pytest.raises(ValueError, match=r"got \(8, 4\) and \(3,\)"):
        ask(draws, torch.zeros(3), count=1, seed=0)
    with pytest.raises(ValueError, match=r"expected a strategy of random, .*, got 'oracle'"):
        ask(draws, likely(draws), count=1, strategy="oracle", seed=0)
