"""The one interface of every search: step, state, restore."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from evolution.search.candidates import Candidate, Generation, Scores
from models_store import seeding

Evaluate = Callable[[Sequence[Candidate]], Scores]
"""Plays and scores a population, in its order. What was played before is answered from what is stored."""

Population = tuple[Candidate, ...]

MOST_SEED = 2**31
"""Seeds are below this, so that every generator and database column can hold them."""


class Searcher(ABC):
    """A search that is asked for one generation after another.

    The random choices of a step depend on the run's seed and the number of the step alone, so a step that was
    interrupted can be repeated, and a restored search goes on as if it had never stopped, in any process.
    """

    mode: ClassVar[str]

    def __init__(self, *, population_size: int, seed: int) -> None:
        if population_size < 2:
            raise ValueError(f"population_size: expected at least 2 candidates, got {population_size}")
        if seed < 0:
            raise ValueError(f"seed: expected an integer >= 0, got {seed}")
        self.population_size = population_size
        self.seed = seed
        self._generations = 0
        self._population: Population = ()

    @property
    def generations(self) -> int:
        """How many generations were made."""
        return self._generations

    @property
    def population(self) -> Population:
        """The latest generation's candidates; none before the first step."""
        return self._population

    def step(self, evaluate: Evaluate) -> Generation:
        """Score the previous population again, breed the next, have it evaluated.

        evaluate: called with the previous population first, since the taste may have changed, then with the new.
        Elites keep genome and seed, so a caller that stores evaluations plays nothing twice.
        When `evaluate` raises, the search stays as it was and the step can be repeated.
        """
        scored = _checked(evaluate)
        if self._population:
            candidates, scores = self._advance(self._population, scored)
        else:
            candidates = self._first()
            scores = scored(candidates)
        generation = Generation(self._generations, candidates, scores)
        self._population = candidates
        self._generations += 1
        return generation

    @abstractmethod
    def _first(self) -> Population:
        """The initial population."""

    @abstractmethod
    def _advance(self, population: Population, evaluate: Evaluate) -> tuple[Population, Scores]:
        """The next population and its scores. Changes nothing of the search but by its return value."""

    def state(self) -> dict[str, Any]:
        """Everything that decides how the search goes on: plain values, lists and tensors."""
        return {
            "mode": self.mode,
            "seed": self.seed,
            "generations": self._generations,
            "population": [_candidate_state(candidate) for candidate in self._population],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state()` of a search with the same configuration.

        Raises ValueError for a state of another mode or one that cannot be read; the search is unchanged then.
        """
        missing = {"mode", "seed", "generations", "population"} - state.keys()
        if missing:
            raise ValueError(f"search state: expected the keys of state(), missing {sorted(missing)}")
        if state["mode"] != self.mode:
            raise ValueError(f"search state: expected one of mode {self.mode!r}, got one of {state['mode']!r}")
        population = tuple(_candidate(entry) for entry in state["population"])
        self.seed = int(state["seed"])
        self._generations = int(state["generations"])
        self._population = population

    def _rng(self, purpose: str = "") -> random.Random:
        """The random choices of the coming step, the same however often it is asked."""
        return random.Random(derived_seed(self.seed, self._generations, purpose))


def _checked(evaluate: Evaluate) -> Evaluate:
    """The same `evaluate`, refusing an answer that has not one score for each candidate."""

    def scored(candidates: Sequence[Candidate]) -> Scores:
        scores = evaluate(candidates)
        if len(scores) != len(candidates):
            raise ValueError(f"evaluate: expected scores for {len(candidates)} candidates, got {len(scores)}")
        return scores

    return scored


def derived_seed(*parts: int | str | bytes) -> int:
    """A seed below 2**31 that depends on every part, the same in every process."""
    return seeding.derive(*parts) % MOST_SEED


def count_of(fraction: float, population_size: int) -> int:
    """How many of a population a fraction is: rounded, but at least one unless the fraction is zero."""
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"fraction of the population: expected a number in [0, 1], got {fraction}")
    return max(1, round(fraction * population_size)) if fraction > 0.0 else 0


def _candidate_state(candidate: Candidate) -> dict[str, Any]:
    genome = candidate.genome
    return {
        "genome": genome if isinstance(genome, str) else torch.from_numpy(genome.copy()),
        "seed": candidate.seed,
        "prompt": candidate.prompt,
        "parents": list(candidate.parents),
        "operators": list(candidate.operators),
        "elite": candidate.elite,
    }


def _candidate(state: Mapping[str, Any]) -> Candidate:
    genome = state["genome"]
    return Candidate(
        genome=genome if isinstance(genome, str) else np.asarray(genome, dtype=np.float32),
        seed=int(state["seed"]),
        prompt=str(state["prompt"]),
        parents=tuple(state["parents"]),
        operators=tuple(state["operators"]),
        elite=bool(state["elite"]),
    )
