"""Who is who in a step of a vector search: genomes by their numbers, children by their parents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from evolution.search.candidates import Candidate, Scores, genome_bytes
from evolution.search.searcher import Evaluate, Population


@dataclass
class Lineage:
    """Whose children the rows of the batch in the making are: positions in the previous generation.

    evotorch does not say which rows a tournament picked, so the picked rows are looked up by their numbers among
    those that the tournament was held in; of equal rows the first is named. A permutation (CosynePermutation) mixes
    all rows: its row counts as a child of the row that stood in its place.
    """

    rows: list[tuple[int, ...]]

    def cross(self, batch: Tensor, first: Tensor, second: Tensor) -> None:
        """Pairs of `first` and `second` make two children each: all first children, then all second ones."""
        positions: dict[bytes, int] = {}
        for position, row in enumerate(batch.numpy()):
            positions.setdefault(row.tobytes(), position)
        fathers = [self.rows[positions[row.tobytes()]] for row in first.numpy()]
        mothers = [self.rows[positions[row.tobytes()]] for row in second.numpy()]
        self.rows = [tuple(dict.fromkeys(father + mother)) for father, mother in zip(fathers, mothers, strict=True)] * 2

    def cut(self, length: int) -> None:
        """Forget all rows but the first `length`."""
        del self.rows[length:]


class Heard:
    """Everybody of one step with their scores: the parents, who are heard first, then the children."""

    def __init__(self, population: Population, evaluate: Evaluate, children: Callable[[Tensor], Population]) -> None:
        """children: makes candidates of rows [N, tokens * dim] that are no parents."""
        self._population = population
        self._evaluate = evaluate
        self._children = children
        self._kept = {
            genome_bytes(candidate): replace(candidate, parents=(position,), operators=(), elite=True)
            for position, candidate in reversed(list(enumerate(population)))
        }
        self._shape = np.shape(population[0].genome)
        self._known: dict[bytes, tuple[Candidate, tuple[float, float, float]]] = {}

    def __call__(self, values: Tensor) -> Tensor:
        """Fitness [N] of rows [N, tokens * dim]. A parent is a parent however it came back."""
        candidates = self._children(values) if self._known else self._population
        scores = self._evaluate(candidates)
        columns = zip(scores.fitness.tolist(), scores.likeness.tolist(), scores.artefacts.tolist(), strict=True)
        for candidate, row in zip(candidates, columns, strict=True):
            genome = genome_bytes(candidate)
            self._known[genome] = (self._kept.get(genome, candidate), row)
        return torch.from_numpy(scores.fitness.copy())

    def roll(self, values: Tensor) -> tuple[Population, Scores]:
        """The candidates and scores of rows [N, tokens * dim] that were heard in this step."""
        genomes = plain(values).numpy().reshape(-1, *self._shape)
        found = [self._known[genome_bytes(Candidate(genome, 0, ""))] for genome in genomes]
        fitness, likeness, artefacts = np.array([row for _, row in found], dtype=np.float32).T
        return tuple(candidate for candidate, _ in found), Scores(fitness, likeness, artefacts)


def values_of(population: Population) -> Tensor:
    """Vector genomes as rows [N, tokens * dim]."""
    return torch.from_numpy(np.stack([np.asarray(candidate.genome).reshape(-1) for candidate in population]))


def plain(values: Tensor) -> Tensor:
    """A contiguous copy as an ordinary tensor: evotorch's own are read-only views."""
    return values.detach().clone().as_subclass(torch.Tensor).contiguous()
