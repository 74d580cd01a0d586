"""Curation: which of the candidates make the playlist."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models_store.aligner.config import AlignerConfig
from models_store.aligner.model import AlignerV2
from models_store.taste import curation
from models_store.taste.curation import NEAR_COPY, compose, introduce, sample_by_rank, variety


def points(count: int, *, seed: int = 0, dim: int = 4) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def crowded(count: int, *, seed: int) -> torch.Tensor:
    """Songs of which many are near copies of others."""
    generator = torch.Generator().manual_seed(seed)
    originals = torch.randint(max(1, count // 2), (count,), generator=generator)
    return points(count, seed=seed)[originals] + 0.05 * points(count, seed=seed + 1)


def beliefs(songs: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draws = points(40, seed=seed) @ points(songs, seed=seed + 1).T / 4
    return draws, draws.sigmoid().mean(dim=0)


SCALE = math.sqrt(8.0)
"""Between two points of four normal numbers each."""


@given(st.integers(0, 24), st.integers(0, 12), st.floats(0, 1), st.integers(0, 6), st.integers(0, 9))
def test_a_playlist_is_distinct_songs_no_two_of_them_near_copies(
    songs: int, count: int, diversity: float, asked: int, seed: int
) -> None:
    sounds, wanted = crowded(songs, seed=seed), points(songs, seed=seed, dim=1).flatten()
    unwanted = points(3, seed=seed + 2)

    chosen = compose(
        wanted,
        sounds,
        count=count,
        believed=beliefs(songs),
        asked=asked,
        diversity=diversity,
        scale=SCALE,
        unwanted=unwanted,
        seed=seed,
    )

    indices = [pick.index for pick in chosen]
    kept = sounds[indices]
    assert len(indices) == len(set(indices)) <= count
    assert not len(indices) > 1 or float(torch.pdist(kept).min()) >= NEAR_COPY * SCALE * 0.999
    assert not indices or float(torch.cdist(kept, unwanted).min()) >= NEAR_COPY * SCALE * 0.999
    assert sum(pick.role == "asked" for pick in chosen) <= min(asked, count // 2)


@given(st.integers(0, 24), st.integers(1, 12), st.integers(0, 6), st.integers(0, 9))
def test_a_playlist_is_shorter_than_wanted_only_where_nothing_else_is_left(
    songs: int, count: int, asked: int, seed: int
) -> None:
    sounds = crowded(songs, seed=seed)

    chosen = compose(sounds[:, 0], sounds, count=count, believed=beliefs(songs), asked=asked, scale=SCALE, seed=seed)

    if len(chosen) < count:
        left = torch.cdist(sounds, sounds[[pick.index for pick in chosen]])
        assert songs == 0 or float(left.min(dim=1).values.max()) <= NEAR_COPY * SCALE * 1.001


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 4), st.integers(0, 5))
def test_the_same_seed_composes_the_same_playlist(songs: int, count: int, asked: int, seed: int) -> None:
    sounds = crowded(songs, seed=seed)
    first, second = (
        compose(sounds[:, 0], sounds, count=count, believed=beliefs(songs), asked=asked, seed=seed) for _ in range(2)
    )
    assert first == second


def best(wanted: torch.Tensor, sounds: torch.Tensor, **settings: object) -> list[int]:
    """A playlist in which nothing is asked."""
    return [pick.index for pick in compose(wanted, sounds, seed=0, **{"diversity": 0.0, **settings})]  # type: ignore[arg-type]


def test_without_diversity_the_best_are_chosen() -> None:
    assert best(torch.tensor([0.1, 0.9, -0.3, 0.5, 0.7]), points(5), count=3) == [1, 4, 3]


def test_a_near_copy_of_a_chosen_song_is_left_out() -> None:
    sounds = points(10)
    sounds[1] = sounds[0] + 1e-3

    assert best(torch.linspace(1.0, 0.0, 10), sounds, count=5) == [0, 2, 3, 4, 5]


def test_where_a_playlist_must_have_its_length_copies_fill_it() -> None:
    copies = torch.ones(6, 4)
    copies[5] = 9.0

    assert len(set(best(torch.ones(6), copies, count=4, strict=False))) == 4
    assert len(best(torch.ones(6), copies, count=4)) == 2


def test_how_far_unrelated_songs_lie_apart_does_not_depend_on_what_was_found() -> None:
    converged = 0.01 * points(12)

    assert len(best(converged[:, 0], converged, count=6)) > 1
    assert len(best(converged[:, 0], converged, count=6, scale=SCALE)) == 1


def test_what_is_unwanted_never_comes_again_nor_what_sounds_like_it() -> None:
    sounds = points(8)
    wanted = torch.linspace(1.0, 0.0, 8)

    chosen = best(wanted, sounds, count=8, scale=SCALE, unwanted=sounds[:3] + 1e-3)

    assert not {0, 1, 2} & set(chosen)
    assert chosen


def test_more_diversity_gives_more_variety() -> None:
    sounds = points(80)

    narrow, wide = (variety(sounds[best(sounds[:, 0], sounds, count=8, diversity=how)]) for how in (0.0, 0.9))

    assert wide > 1.2 * narrow


def test_the_least_variety_is_reached_where_the_candidates_allow_it() -> None:
    crowd = 0.05 * points(30)
    sounds = torch.cat([crowd, points(10, seed=1)])
    wanted = torch.cat([torch.linspace(2.0, 1.5, 30), torch.linspace(0.0, -1.0, 10)])
    first = variety(points(8, seed=2))

    chosen = best(wanted, sounds, count=8, least_variety=first / 2, strict=False)

    assert variety(sounds[chosen]) >= first / 2


def test_what_is_asked_tells_what_the_others_do_not_and_comes_in_the_middle() -> None:
    sounds, wanted = points(12), torch.linspace(1.0, 0.0, 12)
    draws = torch.zeros(20, 12)
    draws[:10, 5], draws[10:, 5] = 0.8, -0.8
    draws[::2, 9], draws[1::2, 9] = 0.9, -0.9  # more is unknown of this one, but it is of the worse half
    believed = (draws, draws.sigmoid().mean(dim=0))

    chosen = compose(wanted, sounds, count=5, believed=believed, asked=1, diversity=0.0, scale=SCALE, seed=0)

    assert [(pick.index, pick.role) for pick in chosen][2] == (5, "asked")
    assert [pick.role for pick in chosen].count("evolved") == 4
    assert chosen[0].index == 0


def test_the_surer_the_taste_is_the_less_is_asked() -> None:
    known = points(1, dim=60).expand(50, -1)
    counts = [curation.how_many_to_ask(known + doubt * points(50, dim=60), count=10) for doubt in (0.0, 0.5, 1.0, 10.0)]

    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] == round(10 * curation.MOST_ASKED)


def test_unrelated_songs_lie_where_the_standardised_features_put_them() -> None:
    aligner = AlignerV2(AlignerConfig(users=3, layers=4, dim=16, emb_size=4, projection=4, hidden=8))
    songs = aligner.standardise(points(200, dim=64).reshape(200, 4, 16))

    assert variety(songs) == pytest.approx(curation.unrelated(aligner), rel=0.05)


def test_a_first_playlist_is_what_splits_those_who_it_may_be() -> None:
    listeners = 40
    split_about = points(listeners, dim=3)
    agreed = torch.ones(listeners, 5)
    copies = split_about + 1e-4 * points(listeners, seed=1, dim=3)
    draws = torch.cat([agreed, split_about, copies], dim=1)

    chosen = introduce((draws, draws.sigmoid().mean(dim=0)), points(11), count=3, scale=SCALE, seed=0)

    assert {(one - 5) % 3 for one in chosen} == {0, 1, 2}
    assert min(chosen) >= 5


@given(st.integers(0, 20), st.integers(0, 10), st.integers(0, 9))
def test_a_first_playlist_has_no_near_copies_and_is_never_longer_than_wanted(songs: int, count: int, seed: int) -> None:
    sounds = crowded(songs, seed=seed)

    chosen = introduce(beliefs(songs), sounds, count=count, scale=SCALE, seed=seed)

    assert len(set(chosen)) == len(chosen) <= count
    assert not len(chosen) > 1 or float(torch.pdist(sounds[chosen]).min()) >= NEAR_COPY * SCALE * 0.999


def test_variety_is_the_mean_pairwise_distance() -> None:
    triangle = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])

    assert variety(triangle) == pytest.approx((3 + 4 + 5) / 3)
    assert variety(triangle[:1]) == 0.0


def test_unequal_numbers_and_songs_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3 and 4"):
        compose(torch.zeros(3), points(4), count=2, seed=0)


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
