from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_store.taste import anytime


def test_nothing_is_known_of_no_numbers():
    assert anytime.share(0, 0) == anytime.Interval(mean=None, low=0.0, high=1.0, count=0)
    won = anytime.bets([])
    assert won.interval == anytime.Interval(mean=None, low=-1.0, high=1.0, count=0)
    assert (won.wealth, won.highest, won.after, won.opposite_after) == (1.0, 1.0, None, None)


@pytest.mark.parametrize(("total", "count"), [(-1, 3), (4, 3), (0, -1)])
def test_a_share_of_more_than_all_is_refused(total, count):
    with pytest.raises(ValueError, match="expected a total from 0 to the count"):
        anytime.share(total, count)


@pytest.mark.parametrize("number", [1.01, -2.0, math.nan, math.inf])
def test_bets_on_numbers_out_of_bounds_are_refused(number):
    with pytest.raises(ValueError, match="expected numbers from -1 to 1"):
        anytime.bets([0.5, number])


@given(st.integers(1, 400).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
@settings(max_examples=60, deadline=None)
def test_an_interval_holds_its_mean_and_mirrors_with_the_opinions(likes):
    total, count = likes
    found, mirrored = anytime.share(total, count), anytime.share(count - total, count)
    assert 0.0 <= found.low <= found.mean <= found.high <= 1.0
    assert found.low == pytest.approx(1.0 - mirrored.high)
    assert found.high == pytest.approx(1.0 - mirrored.low)


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 1 / 3, 0.7, 1.0]), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_a_proof_now_and_an_interval_above_zero_are_the_same(numbers):
    won = anytime.bets(numbers)
    assert -1.0 <= won.interval.low <= won.interval.mean + 1e-12
    assert won.interval.mean - 1e-12 <= won.interval.high <= 1.0
    assert (won.wealth >= 1 / 0.04) == (won.interval.low >= 0.0)


def test_more_numbers_make_intervals_narrower():
    widths = [anytime.share(0.7 * count, count) for count in (10, 40, 160, 640, 2560)]
    sizes = [one.high - one.low for one in widths]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.08
    assert anytime.bets([1.0, 0.0] * 1000).interval.low > 0.42


def test_shares_of_drifting_opinions_are_covered_at_every_look():
    """At most 5 % of 200 listeners are ever misled; 12 of 200 is what 5 % leaves open (binomial, 1 in 5)."""
    missed = 0
    for seed in range(200):
        rng = random.Random(seed)
        slope, likes, expected = rng.choice([-1, 1]), 0, 0.0
        for count in range(1, 161):
            chance = 0.5 + slope * 0.4 * math.cos(count / 50) * (0.6 if likes % 2 else 1.0)  # by the past, too
            likes += rng.random() < chance
            expected += chance
            if count % 4 == 0:
                found = anytime.share(likes, count)
                if not found.low <= expected / count <= found.high:
                    missed += 1
                    break
    assert missed <= 12


def test_a_constant_difference_is_covered_at_every_look():
    missed = 0
    for seed in range(150):
        rng = random.Random(seed)
        numbers = []
        for count in range(1, 81):
            numbers.append(sum(rng.random() < 0.7 for _ in range(6)) / 6 - (rng.random() < 0.35))
            if count % 8 == 0:
                found = anytime.bets(numbers).interval
                if not found.low <= 0.35 <= found.high:
                    missed += 1
                    break
    assert missed <= 10


def test_what_was_won_first_stays_won():
    rng = random.Random(5)
    numbers = [rng.uniform(-0.4, 1.0) for _ in range(60)] + [-0.5] * 60
    after = anytime.bets(numbers).after
    assert after is not None
    for looked in range(len(numbers)):
        assert (anytime.bets(numbers[:looked]).after is not None) == (looked >= after)


def test_certain_wins_and_certain_losses_are_still_numbers():
    won, lost = anytime.bets([1.0] * 3000), anytime.bets([-1.0] * 3000)
    assert won.interval.low > 0.98
    assert math.isfinite(won.wealth)
    assert lost.opposite_after is not None
    assert lost.interval.high < -0.98
    assert lost.wealth < 1e-20
