"""The search's own time: breeding and bookkeeping, without generating, encoding or scoring."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import search_quality
from evolution.search.candidates import Candidate, Scores
from evolution.search.searcher import Searcher

COMMAND = "python -m benchmarks search"
POPULATION = 100
GENERATIONS = 10
GOAL_MILLISECONDS = 400.0
"""5 % of a generation of 100 that takes 8 s."""


def measure() -> list[dict[str, Any]]:
    """Milliseconds of the search itself for a generation of 100, the median of ten, the initial one not counted."""
    names = [name for name in search_quality.VARIANTS if "snap" not in name]
    return [_row(name, milliseconds(built(name))) for name in names]


def built(name: str) -> Searcher:
    """One of `search_quality.VARIANTS` with a population of 100."""
    return search_quality.searcher(name, population=POPULATION, seed=1)


def milliseconds(searcher: Searcher) -> float:
    """The median time of a step, where nothing is played."""
    searcher.step(_score)
    taken = []
    for _ in range(GENERATIONS):
        began = time.perf_counter()
        searcher.step(_score)
        taken.append(1000.0 * (time.perf_counter() - began))
    return float(np.median(taken))


def _score(candidates: Sequence[Candidate]) -> Scores:
    """Scores that cost next to nothing and differ: drawn from the candidate's seed."""
    fitness = np.array([random.Random(candidate.seed).random() for candidate in candidates], dtype=np.float32)
    return Scores(fitness, fitness, np.zeros_like(fitness))


def _row(name: str, taken: float) -> dict[str, Any]:
    return {
        "name": f"search: {name}, own time per generation of {POPULATION}",
        "value": round(taken, 1),
        "unit": "ms",
        "goal": f"<= {GOAL_MILLISECONDS:.0f}",
        "met": taken <= GOAL_MILLISECONDS,
        "command": COMMAND,
    }


def main() -> None:
    for row in measure():
        print(f"{row['name']}: {row['value']} {row['unit']} (goal {row['goal']}, {'met' if row['met'] else 'not met'})")


if __name__ == "__main__":
    main()
