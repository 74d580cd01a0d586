"""A generation's time in one process, and the share of it that is the search's own: all but playing and hearing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benchmarks import search
from evolution.search.candidates import Candidate, Scores
from evolution.search.fitness import TasteFitness
from models_store import catalog
from models_store.aligner import shipped
from models_store.evaluation import play
from models_store.taste.base import reference_taste

COMMAND = "python -m benchmarks generation"
SECONDS = 5.0
GENERATIONS = 3
GOAL_PERCENT = 5.0
MODES = ("GA", f"CMAES, subspace {search.search_quality.SUBSPACE}")


def measure() -> list[dict[str, Any]]:
    """For a generation of 100 token embeddings, 5 s each: seconds, and the search's own share in percent."""
    rows = []
    for mode in MODES:
        whole, own = _generation(mode)
        share = 100.0 * own / whole
        name = f"{mode}: a generation of {search.POPULATION} x {SECONDS:g} s in one process"
        rows.append(_row(name, round(whole, 2), "s", "", met=True))
        rows.append(_row(f"{name}, the search's own part", round(share, 2), "%", f"< {GOAL_PERCENT:g}", met=share < 5))
    return rows


class _Clocked:
    """An `evaluate` that plays what is new, and knows how long playing and hearing took."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._fitness = TasteFitness(reference_taste(shipped.load_for("spectral"), 0), 0.5)
        self._known: dict[tuple[bytes, int], tuple[float, float, float]] = {}

    def __call__(self, candidates: Sequence[Candidate]) -> Scores:
        unheard = [each for each in candidates if each.identity not in self._known]
        if unheard:
            began = time.perf_counter()
            evaluations = play(
                catalog.generator("soundfont"),
                catalog.encoder("spectral"),
                torch.from_numpy(np.stack([np.asarray(each.genome) for each in unheard])),
                seconds=SECONDS,
                seeds=[each.seed for each in unheard],
            )
            self.seconds += time.perf_counter() - began
            scores = self._fitness(evaluations)
            told = zip(scores.fitness.tolist(), scores.likeness.tolist(), scores.artefacts.tolist(), strict=True)
            self._known.update({each.identity: row for each, row in zip(unheard, told, strict=True)})
        columns = np.array([self._known[each.identity] for each in candidates], dtype=np.float32).T
        return Scores(*columns)


def _generation(mode: str) -> tuple[float, float]:
    """Seconds of a generation, and of those the search's own: medians, after a first generation that warms up."""
    searcher, evaluate = search.built(mode), _Clocked()
    searcher.step(evaluate)
    taken = []
    for _ in range(GENERATIONS):
        played, began = evaluate.seconds, time.perf_counter()
        searcher.step(evaluate)
        whole = time.perf_counter() - began
        taken.append((whole, whole - (evaluate.seconds - played)))
    whole, own = np.median(taken, axis=0)
    return float(whole), float(own)


def _row(name: str, value: float, unit: str, goal: str, *, met: bool) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "met": met, "command": COMMAND}


def main() -> None:
    for row in measure():
        print(f"{row['name']}: {row['value']} {row['unit']} (goal {row['goal'] or 'none'})")


if __name__ == "__main__":
    main()
