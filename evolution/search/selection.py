"""Whom a search picks among contestants."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence


def ranked_draw(
    contestants: Sequence[int], fitness: Sequence[float], temperature: float, rng: random.Random
) -> list[int]:
    """The contestants in the order of a softmax draw without replacement (Gumbel top-k, Kool et al. 2019).

    contestants: positions in `fitness`, at least one. Temperature 0 ranks by fitness, infinity draws uniformly;
    nothing overflows at any other.
    """
    best = max(fitness[position] for position in contestants)

    def key(position: int) -> tuple[float, float]:
        if temperature == 0.0:
            return fitness[position], 0.0
        gumbel = -math.log(-math.log(max(rng.random(), 1e-300)))
        return (fitness[position] - best) / temperature + gumbel, fitness[position]

    return sorted(contestants, key=key, reverse=True)
