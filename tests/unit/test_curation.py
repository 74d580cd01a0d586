"""Curation: which of the candidates make the playlist."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models_store.taste.curation import compose, introduce, sample_by_rank, variety


def points(count: int, *, seed: int = 0, dim: int = 4) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 30), st.integers(0, 12), st.floats(0, 1), st.integers(0, 4), st.integers(0, 9))
def test_a_playlist_is_distinct_candidates_as_many_as_wanted_or_all(
    candidates: int, count: int, diversity: float, explorers: int, seed: int
) -> None:
    likeness = points(candidates, seed=seed, dim=1).flatten()

    chosen = compose(
        likeness,
        likeness.abs(),
        points(candidates, seed=seed),
        count=count,
        diversity=diversity,
        explorers=explorers,
        seed=seed,
    )

    assert len(chosen) == len(set(chosen)) == min(count, candidates)
    assert all(0 <= one < candidates for one in chosen)


def test_without_diversity_and_explorers_the_best_are_chosen() -> None:
    likeness = torch.tensor([0.1, 0.9, -0.3, 0.5, 0.7])

    chosen = compose(likeness, torch.zeros(5), points(5), count=3, diversity=0.0, explorers=0, seed=0)

    assert chosen == [1, 4, 3]


def test_a_near_copy_of_a_chosen_track_is_left_out() -> None:
    sounds = points(10)
    sounds[1] = sounds[0] + 1e-3
    likeness = torch.linspace(1.0, 0.0, 10)

    chosen = compose(likeness, torch.zeros(10), sounds, count=5, diversity=0.0, explorers=0, seed=0)

    assert chosen == [0, 2, 3, 4, 5]


def test_a_population_of_copies_still_fills_the_playlist() -> None:
    chosen = compose(torch.ones(6), torch.zeros(6), torch.ones(6, 4), count=4, seed=0)

    assert len(set(chosen)) == 4


def test_more_diversity_gives_more_variety() -> None:
    sounds = points(80)
    likeness = sounds[:, 0]

    narrow, wide = (
        variety(sounds[compose(likeness, torch.zeros(80), sounds, count=8, diversity=how, explorers=0, seed=0)])
        for how in (0.0, 0.9)
    )

    assert wide > 1.2 * narrow


def test_the_least_variety_is_reached_where_the_candidates_allow_it() -> None:
    crowd = 0.05 * points(30)
    others = points(10, seed=1)
    sounds = torch.cat([crowd, others])
    likeness = torch.cat([torch.linspace(2.0, 1.5, 30), torch.linspace(0.0, -1.0, 10)])
    first = variety(points(8, seed=2))

    chosen = compose(
        likeness, torch.zeros(40), sounds, count=8, diversity=0.0, explorers=0, least_variety=first / 2, seed=0
    )

    assert variety(sounds[chosen]) >= first / 2


def test_an_explorer_is_the_least_known_of_the_better_half() -> None:
    likeness = torch.linspace(1.0, -1.0, 20)
    uncertainty = torch.zeros(20)
    uncertainty[9], uncertainty[15] = 0.5, 0.9

    chosen = compose(likeness, uncertainty, points(20), count=4, diversity=0.0, explorers=1, seed=0)

    assert 9 in chosen
    assert 15 not in chosen
    assert chosen[0] == 0


def test_a_first_playlist_is_what_splits_the_reference_listeners() -> None:
    generator = torch.Generator().manual_seed(0)
    split_about = torch.randn(40, 3, generator=generator)
    agreed = torch.ones(40, 5)
    copies = split_about + 1e-4 * torch.randn(40, 3, generator=generator)

    chosen = introduce(torch.cat([agreed, split_about, copies], dim=1), count=3)

    assert {(one - 5) % 3 for one in chosen} == {0, 1, 2}
    assert min(chosen) >= 5


def test_a_first_playlist_is_never_longer_than_there_are_songs() -> None:
    assert sorted(introduce(torch.zeros(5, 3), count=8)) == [0, 1, 2]


def test_variety_is_the_mean_pairwise_distance() -> None:
    triangle = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])

    assert variety(triangle) == pytest.approx((3 + 4 + 5) / 3)
    assert variety(triangle[:1]) == 0.0


def test_unequal_numbers_of_likenesses_and_candidates_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3, 4 and 4"):
        compose(torch.zeros(3), torch.zeros(4), points(4), count=2, seed=0)


def test_sampling_by_rank_takes_the_second_half_as_often_as_the_best() -> None:
    scores = torch.tensor([0.1, 0.9, 0.5])
    drawn = [sample_by_rank(scores, count=1, seed=seed)[0] for seed in range(1100)]
    shares = [drawn.count(index) / len(drawn) for index in (1, 2, 0)]  # 1 : 1/2 : 1/3
    assert shares == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.05)


@given(st.integers(0, 20), st.integers(0, 25), st.integers(0, 9))
def test_sampling_by_rank_draws_nothing_twice_and_plays_the_best_first(candidates: int, count: int, seed: int) -> None:
    scores = points(candidates, seed=seed, dim=1).flatten()
    drawn = sample_by_rank(scores, count=count, seed=seed)
    assert len(set(drawn)) == len(drawn) == min(count, candidates)
    assert scores[drawn].tolist() == sorted(scores[drawn].tolist(), reverse=True)
