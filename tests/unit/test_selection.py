"""Whom a search picks among contestants."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolution.search.selection import ranked_draw

FITNESS = st.lists(st.floats(-1.5, 1.0, width=32), min_size=1, max_size=9)


@given(FITNESS, st.integers(0, 99))
def test_a_cold_draw_ranks(fitness: list[float], seed: int) -> None:
    order = ranked_draw(range(len(fitness)), fitness, 0.0, random.Random(seed))
    assert [fitness[position] for position in order] == sorted(fitness, reverse=True)


@given(FITNESS, st.floats(0.0, float("inf")), st.integers(0, 99))
def test_at_any_temperature_everybody_comes_once(fitness: list[float], temperature: float, seed: int) -> None:
    order = ranked_draw(range(len(fitness)), fitness, temperature, random.Random(seed))
    assert sorted(order) == list(range(len(fitness)))


def test_the_softmax_prefers_the_fitter_by_its_temperature() -> None:
    rng = random.Random(0)
    wins = sum(ranked_draw([0, 1], [0.0, 1.0], 1.0, rng)[0] for _ in range(4000)) / 4000
    assert wins == pytest.approx(np.e / (1 + np.e), abs=0.03)
    even = sum(ranked_draw([0, 1], [0.0, 1.0], float("inf"), rng)[0] for _ in range(4000)) / 4000
    assert even == pytest.approx(0.5, abs=0.03)
