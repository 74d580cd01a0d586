"""SNES, XNES, PGPE and CEM: evotorch's searches by a Gaussian that moves and changes its width."""

from __future__ import annotations

import inspect
import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from evotorch import SolutionBatch
from evotorch.algorithms import CEM, PGPE, SNES, XNES
from evotorch.algorithms.distributed.gaussian import GaussianSearchAlgorithm
from evotorch.optimizers import ClipUp
from torch import Tensor

from evolution.search.candidates import Scores
from evolution.search.lineage import plain
from evolution.search.searcher import Evaluate, Population
from evolution.search.vectors.base import Memory, Unbounded, VectorSearcher
from models_store import seeding
from models_store.generators.base import TokenVocabulary

_OURS = (
    *("problem", "popsize", "popsize_max", "num_interactions", "obj_index", "center_init"),
    *("distributed", "popsize_weighted_grad_avg"),
)
"""Parameters decided here: one population of `population_size`, heard elsewhere, one fitness, and where it begins."""

STRIDE = 4.0
"""How much further the centre moves than evotorch has it by default. Its rates are for thousands of generations."""

_BEST_SHARE = 0.25
"""Of the first generation: whose mean is the centre to begin with. The mean of many prompts says nothing clearly."""

_WIDTH = 0.3
"""The width to begin with, as a share of the pool's spread: narrower than prompts differ, around the better ones."""

_NARROWEST = 1e-3
_MOST_GIBIBYTES = 4.0

Belief = Mapping[str, Any]


class DistributionSearch(VectorSearcher):
    """A search that draws every generation from a Gaussian, and moves it to where the better ones were.

    The first generation is the initial genomes. The Gaussian begins at the mean of its best, weighted by rank as in
    CMA-ES; its width, unless `stdev_init` says otherwise, follows the pool's spread in each coordinate. A step
    tells evotorch what the generation before scores now, since the taste may have changed, and draws the next.

    evotorch_parameters: of the algorithm, by evotorch's names.
    There are no elites: everybody is drawn anew, as the algorithm has it.
    Raises ValueError for parameters that are unknown or that evotorch refuses, and for a space too large.
    """

    algorithm: ClassVar[type]

    def __init__(
        self,
        *,
        initial: Tensor,
        population_size: int,
        seed: int,
        vocabulary: TokenVocabulary | None = None,
        pool: Tensor | None = None,
        subspace: int | None = None,
        snap: bool = False,
        evotorch_parameters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            initial=initial,
            population_size=population_size,
            seed=seed,
            vocabulary=vocabulary,
            pool=pool,
            subspace=subspace,
            snap=snap,
        )
        self._given = dict(evotorch_parameters or {})
        known = known_parameters(self.algorithm)
        for name in self._given:
            if name not in known:
                raise ValueError(f"evotorch: expected parameters of {self.mode} among {', '.join(known)}, got {name!r}")
        self._check()
        self._try()

    def _check(self) -> None:
        """What can be refused before evotorch is asked. Raises ValueError."""

    def _advance(self, population: Population, evaluate: Evaluate) -> tuple[Population, Scores]:
        fitness = torch.from_numpy(evaluate(population).fitness.copy())
        coordinates, belief = self._bred(self._memory, fitness)
        self._next = Memory(coordinates, belief)
        candidates = self.candidates(coordinates)
        return candidates, evaluate(candidates)

    def _bred(self, memory: Memory, fitness: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """The next generation's coordinates [population_size, length], and what to go on with."""
        with seeding.seeded(0):  # evotorch takes numbers from PyTorch's global generator beside its own
            if memory.belief:
                return self._go_on(memory, fitness)
            return self._begin(self._center(memory.coordinates, fitness))

    @abstractmethod
    def _begin(self, center: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """The first generation that is drawn, around `center` [length]."""

    @abstractmethod
    def _go_on(self, memory: Memory, fitness: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Learn from the generation in memory and its fitness [N], and draw the next."""

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
        return (_WIDTH * self._space.spread).clamp(min=_NARROWEST)

    def _try(self) -> None:
        """Two steps, unheard: what evotorch refuses is refused before anything is played."""
        fitness = torch.linspace(0.0, 1.0, self.population_size)
        try:
            coordinates, belief = self._bred(Memory(self._initial), fitness)
            self._bred(Memory(coordinates, belief), fitness)
        except (TypeError, ValueError, KeyError, RuntimeError, AttributeError) as error:
            raise ValueError(f"{self.mode}: {error} (evotorch parameters given: {self._given})") from error


class GaussianSearch(DistributionSearch):
    """What evotorch's own family of Gaussian searches has in common."""

    algorithm: ClassVar[type[GaussianSearchAlgorithm]]

    def _defaults(self) -> dict[str, Any]:
        """Parameters of the algorithm where none are given."""
        return {}

    def _parameters(self) -> dict[str, Any]:
        widths = {} if {"stdev_init", "radius_init"} & self._given.keys() else {"stdev_init": self._widths()}
        return {**self._defaults(), **widths, **self._given}

    def _built(self, center: Tensor) -> Any:
        return _telling(self.algorithm)(
            self._problem(), popsize=self.population_size, center_init=center, **self._parameters()
        )

    def _begin(self, center: Tensor) -> tuple[Tensor, dict[str, Any]]:
        algorithm = self._built(center)
        algorithm.step()
        return algorithm.drawn(), algorithm.belief()

    def _go_on(self, memory: Memory, fitness: Tensor) -> tuple[Tensor, dict[str, Any]]:
        algorithm = self._built(memory.belief["mu"])
        algorithm.remember(memory.belief, memory.coordinates, fitness)
        algorithm.step()
        return algorithm.drawn(), algorithm.belief()


class SNESSearch(GaussianSearch):
    """Separable natural evolution strategies (Schaul, Glasmachers, Schmidhuber 2011)."""

    mode: ClassVar[str] = "SNES"
    algorithm: ClassVar[type[GaussianSearchAlgorithm]] = SNES

    def _defaults(self) -> dict[str, Any]:
        return {"center_learning_rate": STRIDE}


class XNESSearch(GaussianSearch):
    """Exponential natural evolution strategies (Glasmachers and others 2010): a full covariance."""

    mode: ClassVar[str] = "XNES"
    algorithm: ClassVar[type[GaussianSearchAlgorithm]] = XNES

    def _defaults(self) -> dict[str, Any]:
        return {"center_learning_rate": STRIDE}

    def _check(self) -> None:
        if self._given.get("optimizer") is not None:
            raise ValueError(
                f"evotorch.optimizer: expected none for XNES, whose update in evotorch takes none, "
                f"got {self._given['optimizer']!r}"
            )
        # `_compute_gradients` holds the outer products, those less the identity, and those weighted.
        refuse_too_large(self.mode, self.population_size, self._space.length, tensors=3, remedies=("subspace: 64",))


class PGPESearch(GaussianSearch):
    """Policy gradients with parameter-based exploration (Sehnke and others 2010), with ClipUp (Toklu and others 2020).

    population_size must be even, for candidates are drawn in pairs around the centre, unless `symmetric` is false.
    """

    mode: ClassVar[str] = "PGPE"
    algorithm: ClassVar[type[GaussianSearchAlgorithm]] = PGPE

    def _check(self) -> None:
        if self.population_size % 2 and self._given.get("symmetric", True):
            raise ValueError(
                f"population_size: expected an even number for PGPE, which draws pairs around its centre (or "
                f"evotorch.symmetric: false), got {self.population_size}"
            )

    def _defaults(self) -> dict[str, Any]:
        # ClipUp's steps all have one length: a quarter of how far prompts lie from their mean.
        return {"center_learning_rate": 0.25 * float(self._space.spread.norm()), "stdev_learning_rate": 0.1}


class CEMSearch(GaussianSearch):
    """The cross-entropy method (Rubinstein 1999; Duan and others 2016)."""

    mode: ClassVar[str] = "CEM"
    algorithm: ClassVar[type[GaussianSearchAlgorithm]] = CEM

    def _defaults(self) -> dict[str, Any]:
        return {"parenthood_ratio": max(0.25, 2 / self.population_size)}

    def _check(self) -> None:
        ratio = {**self._defaults(), **self._given}["parenthood_ratio"]
        if not isinstance(ratio, int | float) or not 0 < ratio <= 1 or int(self.population_size * ratio) < 2:
            raise ValueError(
                f"evotorch.parenthood_ratio: expected a share of at least two of the population of "
                f"{self.population_size}, got {ratio!r}"
            )


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


def _telling(algorithm: type[GaussianSearchAlgorithm]) -> type[Any]:
    """The evotorch algorithm, able to go on from a belief and a generation that was scored outside.

    Its step, but for the first, follows the gradients of the generation before and then draws the next.
    """

    class Telling(algorithm):
        _distribution: Any

        def remember(self, belief: Belief, coordinates: Tensor, fitness: Tensor) -> None:
            """Stand where the step that drew `coordinates` [N, length] ended, now with their fitness [N]."""
            numbers = {name: belief[name] for name in ("mu", "sigma", "sigma_inv") if name in belief}
            self._distribution = self._distribution.modified_copy(**numbers)
            _restore_optimizer(self._optimizer, belief)
            self._population = SolutionBatch(self.problem, popsize=len(coordinates), empty=True)
            self._population.set_values(coordinates)
            self._population.set_evals(fitness)
            self._first_iter = False

        def drawn(self) -> Tensor:
            return plain(self._population.values)

        def belief(self) -> dict[str, Any]:
            numbers = {name: plain(self._distribution.parameters[name]) for name in ("mu", "sigma")}
            if "sigma_inv" in self._distribution.parameters:
                numbers["sigma_inv"] = plain(self._distribution.parameters["sigma_inv"])
            return {**numbers, **_optimizer_state(self._optimizer)}

    return Telling


def _optimizer_state(optimizer: Any) -> dict[str, Any]:
    if optimizer is None:
        return {}
    if isinstance(optimizer, ClipUp):
        return {"velocity": plain(optimizer._velocity)}
    return {"moments": _copied(optimizer.contained_optimizer.state_dict()["state"])}


def _restore_optimizer(optimizer: Any, belief: Belief) -> None:
    if "velocity" in belief:
        optimizer._velocity = belief["velocity"].clone()
    elif "moments" in belief:
        groups = optimizer.contained_optimizer.state_dict()["param_groups"]
        optimizer.contained_optimizer.load_state_dict({"state": _copied(belief["moments"]), "param_groups": groups})


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return plain(value)
    return {key: _copied(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value
