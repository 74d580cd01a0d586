"""The token GA: evolution on the numbers of tokens, for any generator with a vocabulary."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from evolution.search.candidates import Candidate, Generation, Scores, genome_bytes
from evolution.search.searcher import Evaluate, Population, Searcher, count_of, derived_seed
from models_store.generators.base import TokenVocabulary

CROSSOVER = "one-point crossover"
SWAP = "token swap"

_MOST_TRIALS = 50

Row = tuple[int, ...]


class TokenGA(Searcher):
    """Tournaments, one-point crossover, tokens swapped for tokens of other prompts; the best are kept.

    initial_prompts: the first generation, one for each candidate.
    vocabulary: reads prompts as tokens, and plays tokens as their embeddings [length, dim]: the genomes.
    length: tokens of a genome.
    pool: prompts whose tokens may come in beside those of the population, so that none is lost for good.
    elites: the fraction of the population that is kept.
    tournament_size: contestants drawn, uniformly and without replacement, for each of a child's two parents.
    swap_rate: the share of tokens that are swapped, each for the one at the same place of another prompt.
    The seed of a genome is derived from its tokens and the run's seed. Raises ValueError for numbers out of range.
    """

    mode: ClassVar[str] = "token GA"

    def __init__(
        self,
        *,
        initial_prompts: Sequence[str],
        population_size: int,
        seed: int,
        vocabulary: TokenVocabulary,
        length: int,
        pool: Sequence[str] = (),
        elites: float = 0.1,
        tournament_size: int = 5,
        swap_rate: float = 0.05,
    ) -> None:
        super().__init__(population_size=population_size, seed=seed)
        if len(initial_prompts) != population_size:
            raise ValueError(f"initial_prompts: expected {population_size}, got {len(initial_prompts)}")
        if not 0.0 <= elites < 1.0:
            raise ValueError(f"elites: expected a fraction in [0, 1), got {elites}")
        if tournament_size < 2:
            raise ValueError(f"tournament_size: expected at least 2 contestants, got {tournament_size}")
        if not 0.0 <= swap_rate <= 1.0:
            raise ValueError(f"swap_rate: expected a share in [0, 1], got {swap_rate}")
        self._vocabulary = vocabulary
        self._elites = min(count_of(elites, population_size), population_size - 1)
        self._tournament_size = min(tournament_size, population_size)
        self._swap_rate = swap_rate
        self._rows = _rows(vocabulary.ids(initial_prompts, length=length))
        self._pool = _rows(vocabulary.ids(pool, length=length)) if pool else ()
        self._next: tuple[Row, ...] | None = None

    def step(self, evaluate: Evaluate) -> Generation:
        self._next = None
        generation = super().step(evaluate)
        if self._next is not None:  # only now: an interrupted step has changed nothing
            self._rows, self._next = self._next, None
        return generation

    def state(self) -> dict[str, Any]:
        return {**super().state(), "tokens": torch.tensor(self._rows)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state()`; raises ValueError, changing nothing, for one of other lengths too."""
        rows = self._rows_in(state) if state.get("mode") == self.mode else self._rows
        super().restore(state)
        self._rows, self._next = rows, None

    def _rows_in(self, state: Mapping[str, Any]) -> tuple[Row, ...]:
        tokens = state.get("tokens")
        expected = (self.population_size, len(self._rows[0]))
        if not isinstance(tokens, Tensor) or tuple(tokens.shape) != expected:
            shape = tuple(tokens.shape) if isinstance(tokens, Tensor) else tokens
            raise ValueError(f"search state: expected tokens {list(expected)}, got {shape}")
        return _rows(tokens)

    def _first(self) -> Population:
        return self._candidates(self._rows)

    def _advance(self, population: Population, evaluate: Evaluate) -> tuple[Population, Scores]:
        fitness = evaluate(population).fitness.tolist()
        rng = self._rng()
        ranked = sorted(range(len(population)), key=lambda position: -fitness[position])
        kept = ranked[: self._elites]
        elites = [
            Candidate(population[at].genome, population[at].seed, population[at].prompt, (at,), (), elite=True)
            for at in kept
        ]
        rows, parents, operators = [self._rows[at] for at in kept], [], []
        while len(rows) < self.population_size:
            row, by, applied = self._bred(fitness, rng, known=set(rows))
            rows.append(row)
            parents.append(by)
            operators.append(applied)
        children = self._candidates(rows[len(kept) :], parents, operators)
        self._next = tuple(rows)
        candidates = (*elites, *children)
        return candidates, evaluate(candidates)

    def _bred(
        self, fitness: Sequence[float], rng: random.Random, *, known: set[Row]
    ) -> tuple[Row, tuple[int, ...], tuple[str, ...]]:
        """A child that is not among the known ones, unless none comes; its parents and what made it."""
        for _ in range(_MOST_TRIALS):
            first, second = self._winner(fitness, rng), self._winner(fitness, rng)
            row, parents, applied = self._rows[first], [first], []
            crossed = _crossed(row, self._rows[second], rng)
            if crossed != row:
                row, parents = crossed, [first, second]
                applied.append(CROSSOVER)
            swapped = self._swapped(row, rng)
            if swapped != row:
                row = swapped
                applied.append(SWAP)
            if row not in known:
                break
        return row, tuple(dict.fromkeys(parents)), tuple(applied)

    def _winner(self, fitness: Sequence[float], rng: random.Random) -> int:
        return max(rng.sample(range(len(fitness)), self._tournament_size), key=lambda position: fitness[position])

    def _swapped(self, row: Row, rng: random.Random) -> Row:
        others = (*self._rows, *self._pool)
        return tuple(rng.choice(others)[at] if rng.random() < self._swap_rate else own for at, own in enumerate(row))

    def _candidates(
        self,
        rows: Sequence[Row],
        parents: Sequence[tuple[int, ...]] | None = None,
        operators: Sequence[tuple[str, ...]] | None = None,
    ) -> Population:
        ids = torch.tensor(rows).reshape(len(rows), -1)
        genomes, named = self._vocabulary.embeddings[ids], self._vocabulary.prompts(ids)  # [N, length, dim], N
        made = []
        for at, (genome, name) in enumerate(zip(genomes, named, strict=True)):
            unseeded = Candidate(genome.numpy(), 0, name)
            seed = derived_seed(self.seed, genome_bytes(unseeded))
            by, applied = (parents[at], operators[at]) if parents and operators else ((), ())
            made.append(Candidate(unseeded.genome, seed, name, by, applied))
        return tuple(made)


def _crossed(first: Row, second: Row, rng: random.Random) -> Row:
    """The beginning of one and the end of the other, cut where both give something; `first` when they cannot."""
    differing = [at for at, (one, other) in enumerate(zip(first, second, strict=True)) if one != other]
    if len(differing) < 2:
        return first
    cut = rng.randint(differing[0] + 1, differing[-1])
    return first[:cut] + second[cut:]


def _rows(ids: Tensor) -> tuple[Row, ...]:
    return tuple(tuple(row) for row in ids.tolist())
