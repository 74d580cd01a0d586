"""How the load test draws its moments, reads its times and finds what stood in the way."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from benchmarks import load
from benchmarks.load_listeners import moments, quantile


def test_a_quantile_is_a_time_that_was_observed() -> None:
    times = [float(one) for one in range(1, 101)]

    assert [quantile(times, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50.0, 95.0, 99.0, 100.0]
    assert quantile([7.0], 0.95) == 7.0
    assert math.isnan(quantile([], 0.95))


def test_moments_come_at_their_rate_at_random_and_alike_from_one_seed() -> None:
    first = list(moments(50.0, 200.0, random.Random(1)))
    gaps = [later - earlier for earlier, later in itertools.pairwise(first)]

    assert first == list(moments(50.0, 200.0, random.Random(1)))
    assert len(first) == pytest.approx(10_000, rel=0.05)
    assert sum(gap > 1 / 50 for gap in gaps) / len(gaps) == pytest.approx(math.exp(-1), abs=0.02)  # exponential
    assert list(moments(0.0, 10.0, random.Random(1))) == []


@pytest.mark.parametrize(
    ("web", "machine", "told"),
    [(0.97, 1.4, "the web process"), (0.7, 1.95, "the machine"), (0.3, 0.6, "neither")],
)
def test_what_stands_in_the_way_is_who_had_the_processor(web: float, machine: float, told: str) -> None:
    assert load.limit({"web": web, "machine": machine}, web=1, there=2).startswith(told)


def test_a_step_is_borne_when_nothing_failed_and_ratings_were_quick() -> None:
    def step(p95: float, errors: int) -> dict:
        return {"kinds": {"rating": {"p95": p95, "errors": 0}, "page": {"p95": 900.0, "errors": errors}}}

    assert load.bears(step(99.0, 0))
    assert not load.bears(step(101.0, 0))
    assert not load.bears(step(99.0, 1))
