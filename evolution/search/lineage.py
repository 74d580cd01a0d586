"""Who is who in a step of a vector GA: genomes by their coordinates, children by their parents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from evolution.search.candidates import Candidate, Scores
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

    def __init__(
        self,
        population: Population,
        coordinates: Tensor,
        evaluate: Evaluate,
        children: Callable[[Tensor], Population],
    ) -> None:
        """What is known before the step.

        coordinates: of the population, [N, length].
        children: makes candidates of coordinates [M, length] that are no parents'.
        """
        self._population = population
        self._evaluate = evaluate
        self._children = children
        self._kept = {
            row: replace(candidate, parents=(position,), operators=(), elite=True)
            for position, (candidate, row) in reversed(
                list(enumerate(zip(population, _keys(coordinates), strict=True)))
            )
        }
        self._known: dict[bytes, tuple[Candidate, tuple[float, float, float]]] = {}

    def __call__(self, coordinates: Tensor) -> Tensor:
        """Fitness [N] of coordinates [N, length]. A parent is a parent however it came back."""
        candidates = self._children(coordinates) if self._known else self._population
        scores = self._evaluate(candidates)
        columns = zip(scores.fitness.tolist(), scores.likeness.tolist(), scores.artefacts.tolist(), strict=True)
        for key, candidate, told in zip(_keys(coordinates), candidates, columns, strict=True):
            self._known[key] = (self._kept.get(key, candidate), told)
        return torch.from_numpy(scores.fitness.copy())

    def roll(self, coordinates: Tensor) -> tuple[Population, Scores]:
        """The candidates and scores of coordinates [N, length] that were heard in this step."""
        found = [self._known[key] for key in _keys(coordinates)]
        fitness, likeness, artefacts = np.array([told for _, told in found], dtype=np.float32).T
        return tuple(candidate for candidate, _ in found), Scores(fitness, likeness, artefacts)


def values_of(population: Population) -> Tensor:
    """Vector genomes as rows [N, tokens * dim]."""
    return torch.from_numpy(np.stack([np.asarray(candidate.genome).reshape(-1) for candidate in population]))


def plain(values: Tensor) -> Tensor:
    """A contiguous copy as an ordinary tensor: evotorch's own are read-only views."""
    return values.detach().clone().as_subclass(torch.Tensor).contiguous()


def _keys(coordinates: Tensor) -> list[bytes]:
    """Rows as bytes; -0.0 is 0.0, as in a genome."""
    return [row.tobytes() for row in (plain(coordinates) + 0.0).numpy()]
