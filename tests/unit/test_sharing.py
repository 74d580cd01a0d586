from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models_store.taste.sharing import LEAST_CHANCE, shared

chance = st.floats(min_value=0.001, max_value=1.0)
fairness = st.floats(min_value=0.0, max_value=1.0)
pairs = st.lists(st.tuples(chance, chance), min_size=2, max_size=8)


def of(songs, how):
    first, second = (torch.tensor(column, dtype=torch.float64) for column in zip(*songs, strict=True))
    return shared(first, second, fairness=how)


def agree(scores, key):
    """Whether no song is above another one whose key is clearly larger."""
    return all(
        scores[a] >= scores[b] - 1e-6 for a in range(len(key)) for b in range(len(key)) if key[a] > key[b] * (1 + 1e-5)
    )


@given(pairs, fairness)
def test_it_does_not_matter_who_is_first(songs, how):
    turned = [(second, first) for first, second in songs]
    assert torch.equal(of(songs, how), of(turned, how))


@given(pairs, fairness)
def test_the_two_meet_between_what_each_of_them_wants(songs, how):
    for score, both in zip(of(songs, how), songs, strict=True):
        assert min(both) * (1 - 1e-5) <= score <= max(both) * (1 + 1e-5)


@given(pairs)
def test_without_fairness_the_order_is_that_of_the_product(songs):
    assert agree(of(songs, 0.0), [first * second for first, second in songs])


@given(pairs)
def test_with_all_fairness_the_order_is_that_of_the_one_who_likes_it_less(songs):
    scores = of(songs, 1.0)
    assert agree(scores, [min(both) for both in songs])
    assert torch.allclose(scores, torch.tensor([min(both) for both in songs]), rtol=1e-5)


@given(pairs, fairness, fairness)
def test_the_fairer_the_less_it_helps_that_one_of_them_loves_it(songs, less, more):
    less, more = sorted((less, more))
    assert bool((of(songs, more) <= of(songs, less) + 1e-6).all())


@given(chance, chance, chance, fairness)
def test_who_likes_a_song_better_never_pushes_it_down(one, other, partner, how):
    low, high = sorted((one, other))
    scores = of([(low, partner), (high, partner)], how)
    assert scores[0] <= scores[1] + 1e-6


def test_what_one_of_them_cannot_bear_is_last_but_still_ordered():
    scores = of([(0.0, 0.9), (0.0, 0.1), (0.5, 0.5)], 0.0)
    assert scores[2] > scores[0] > scores[1] > 0
    assert float(scores[0]) == pytest.approx((LEAST_CHANCE * 0.9) ** 0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("first", "second", "how", "message"),
    [
        (torch.ones(2), torch.ones(3), 0.5, "expected .N. like the other"),
        (torch.ones(2, 1), torch.ones(2, 1), 0.5, "expected .N. like the other"),
        (torch.tensor([0.5, 1.5]), torch.ones(2), 0.5, "from 0 to 1, got 1.5"),
        (torch.ones(2), torch.tensor([0.5, float("nan")]), 0.5, "second: expected probabilities"),
        (torch.ones(2), torch.ones(2), 1.1, "fairness: expected 0 to 1, got 1.1"),
        (torch.ones(2), torch.ones(2), float("nan"), "fairness"),
    ],
)
def test_bad_input_is_refused_with_what_came(first, second, how, message):
    with pytest.raises(ValueError, match=message):
        shared(first, second, fairness=how)


def test_no_songs_have_no_scores():
    assert shared(torch.zeros(0), torch.zeros(0), fairness=0.5).shape == (0,)
