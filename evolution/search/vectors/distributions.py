"""What the searches share that draw every generation from a distribution and learn where it should be."""

from __future__ import annotations

import inspect
import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from evolution.search.candidates import Scores
from evolution.search.searcher import Evaluate, Population, count_of
from evolution.search.vectors.base import Memory, Unbounded, VectorSearcher
from models_store import seeding
from models_store.generators.base import PromptSpace

_OURS = (
    *("problem", "popsize", "popsize_max", "num_interactions", "obj_index", "center_init"),
    *("distributed", "popsize_weighted_grad_avg"),
)
"""Parameters decided here: one population of `population_size`, heard elsewhere, one fitness, and where it begins."""

STRIDE = 4.0
"""How much further the centre moves than evotorch has it by default. Its rates are for thousands of generations."""

_BEST_SHARE = 0.25
"""Of the first generation: whose mean is the centre to begin with. That of fewer is a prompt that is not left again."""

_FEWEST_DRAWN = 4
"""An algorithm that compares candidates needs some, however many are kept."""

_NARROWEST = 1e-3
_MOST_GIBIBYTES = 4.0

Belief = Mapping[str, Any]


class DistributionSearch(VectorSearcher):
    """A search that draws every generation from a Gaussian, and moves it to where the better ones were.

    The first generation is the initial genomes. The Gaussian begins at the mean of its best, weighted by rank as in
    CMA-ES; its width, unless `stdev_init` says otherwise, follows the pool's spread in each coordinate. A step
    tells evotorch what the generation before scores now, since the taste may have changed, and draws the next.

    elites: the fraction of the population that is kept beside what is drawn, so that what was found is not lost. The
        algorithm learns from what it drew alone, and knows nothing of them.
    evotorch_parameters: of the algorithm, by evotorch's names.
    Raises ValueError for parameters that are unknown or that evotorch refuses, and for a space too large.
    """

    algorithm: ClassVar[type]
    width: ClassVar[float] = 1.0
    """The width to begin with, as a share of the pool's spread."""

    def __init__(
        self,
        *,
        initial: Tensor,
        population_size: int,
        seed: int,
        space: PromptSpace | None = None,
        pool: Tensor | None = None,
        subspace: int | None = None,
        snap: bool = False,
        elites: float = 0.1,
        evotorch_parameters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            initial=initial,
            population_size=population_size,
            seed=seed,
            space=space,
            pool=pool,
            subspace=subspace,
            snap=snap,
        )
        if not 0.0 <= elites < 1.0:
            raise ValueError(f"elites: expected a fraction in [0, 1), got {elites}")
        self._given = dict(evotorch_parameters or {})
        self._elites = self._elites_of(elites)
        known = known_parameters(self.algorithm)
        for name in self._given:
            if name not in known:
                raise ValueError(f"evotorch: expected parameters of {self.mode} among {', '.join(known)}, got {name!r}")
        self._check()
        self._try()

    @property
    def drawn(self) -> int:
        """How many candidates of a generation are drawn; they stand behind the elites."""
        return self.population_size - self._elites

    def _elites_of(self, fraction: float) -> int:
        """How many are kept; something to learn from is drawn in any case."""
        return min(count_of(fraction, self.population_size), max(0, self.population_size - _FEWEST_DRAWN))

    def _check(self) -> None:
        """What can be refused before evotorch is asked. Raises ValueError."""

    def _advance(self, population: Population, evaluate: Evaluate) -> tuple[Population, Scores]:
        fitness = torch.from_numpy(evaluate(population).fitness.copy())
        drawn, belief = self._bred(self._memory, fitness)
        best = torch.argsort(fitness, descending=True, stable=True)[: self._elites]
        kept = tuple(replace(population[place], parents=(place,), operators=(), elite=True) for place in best.tolist())
        self._next = Memory(torch.cat([self._memory.coordinates[best], drawn]), belief)
        candidates = (*kept, *self.candidates(drawn))
        return candidates, evaluate(candidates)

    def _bred(self, memory: Memory, fitness: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """What is drawn next, [drawn, length], and what to go on with."""
        with seeding.seeded(0):  # evotorch takes numbers from PyTorch's global generator beside its own
            if memory.belief:
                learned_from = Memory(memory.coordinates[self._elites :], memory.belief)
                return self._go_on(learned_from, fitness[self._elites :])
            return self._begin(self._center(memory.coordinates, fitness))

    @abstractmethod
    def _begin(self, center: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """The first generation that is drawn, around `center` [length]."""

    @abstractmethod
    def _go_on(self, memory: Memory, fitness: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Learn from what is in memory [drawn, length] and its fitness [drawn], and draw the next."""

    def _problem(self) -> Unbounded:
        return Unbounded(self._bounds, self._step_seed())

    def _center(self, coordinates: Tensor, fitness: Tensor) -> Tensor:
        """Where the Gaussian begins: the best of the first generation, weighted by rank.

        The weights are CMA-ES's (Hansen 2016, equations 6 and 49).
        """
        count = max(1, round(_BEST_SHARE * len(fitness)))
        best = torch.argsort(fitness, descending=True, stable=True)[:count]
        weights = math.log(count + 0.5) - torch.arange(1, count + 1, dtype=torch.float32).log()
        return (weights / weights.sum()) @ coordinates[best]

    def _widths(self) -> Tensor:
        """Standard deviations [length] to begin with, in proportion to the pool's spread."""
        return (self.width * self._space.spread).clamp(min=_NARROWEST)

    def _covariance(self) -> Tensor:
        """A covariance [length, length] to begin with: the pool's, a little wider so that no direction has none."""
        covariance = self.width**2 * self._space.covariance()
        return covariance + torch.eye(len(covariance)) * _NARROWEST**2

    def _try(self) -> None:
        """Two steps, unheard: what evotorch refuses is refused before anything is played."""
        fitness = torch.linspace(0.0, 1.0, self.population_size)
        try:
            drawn, belief = self._bred(Memory(self._initial), fitness)
            self._bred(Memory(torch.cat([self._initial[: self._elites], drawn]), belief), fitness)
        except (TypeError, ValueError, KeyError, RuntimeError, AttributeError) as error:
            raise ValueError(f"{self.mode}: {error} (evotorch parameters given: {self._given})") from error


def known_parameters(algorithm: type) -> tuple[str, ...]:
    """What may stand under `evotorch` for an algorithm: its own parameters, but for those decided here."""
    return tuple(name for name in inspect.signature(algorithm).parameters if name not in _OURS)


def refuse_too_large(mode: str, population: int, length: int, *, tensors: int, remedies: tuple[str, ...]) -> None:
    """Refuse a full covariance whose update needs more than a few GiB.

    evotorch's update holds `tensors` tensors float32 [population, length, length] at once: beside them the
    matrices [length, length] are small. Raises ValueError with the size.
    """
    gibibytes = 4.0 * population * length**2 / 2**30
    if tensors * gibibytes > _MOST_GIBIBYTES:
        raise ValueError(
            f"search.mode {mode!r}: expected a space whose full covariance is learned within {_MOST_GIBIBYTES:g} GiB, "
            f"got {length} dimensions, for which evotorch holds {tensors} tensors "
            f"[{population}, {length}, {length}] of {gibibytes:.0f} GiB each; set {' or '.join(remedies)}"
        )
