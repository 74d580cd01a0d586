"""SNES, XNES, PGPE and CEM: evotorch's searches by a Gaussian that moves and changes its width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from evotorch import SolutionBatch
from evotorch.algorithms import CEM, PGPE, SNES, XNES
from evotorch.algorithms.distributed.gaussian import GaussianSearchAlgorithm
from evotorch.optimizers import ClipUp
from torch import Tensor

from evolution.search.lineage import plain
from evolution.search.vectors.base import Memory
from evolution.search.vectors.distributions import STRIDE, Belief, DistributionSearch, refuse_too_large


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
        return _telling(self.algorithm)(self._problem(), popsize=self.drawn, center_init=center, **self._parameters())

    def _begin(self, center: Tensor) -> tuple[Tensor, dict[str, Any]]:
        algorithm = self._built(center)
        self._shape(algorithm)
        algorithm.step()
        return algorithm.drawn(), algorithm.belief()

    def _shape(self, algorithm: Any) -> None:
        """Give the Gaussian of a new algorithm a shape that evotorch's parameters cannot describe."""

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

    def _shape(self, algorithm: Any) -> None:
        if not {"stdev_init", "radius_init"} & self._given.keys():
            algorithm.shape(self._covariance())

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

    Candidates are drawn in pairs around the centre, unless `symmetric` is false: of an odd number one more is kept.
    """

    mode: ClassVar[str] = "PGPE"
    algorithm: ClassVar[type[GaussianSearchAlgorithm]] = PGPE

    def _elites_of(self, fraction: float) -> int:
        elites = super()._elites_of(fraction)
        in_pairs = self._given.get("symmetric", True)
        return elites + 1 if elites and in_pairs and (self.population_size - elites) % 2 else elites

    def _check(self) -> None:
        if self.drawn % 2 and self._given.get("symmetric", True):
            raise ValueError(
                f"population_size: expected an even number for PGPE, which draws pairs around its centre (or "
                f"elites, or evotorch.symmetric: false), got {self.population_size}"
            )

    def _defaults(self) -> dict[str, Any]:
        # ClipUp's steps have one length, here a share of how far prompts lie from their mean. With longer ones the
        # centre leaves the tokens' sphere so far behind that the width around it no longer tells anything apart.
        return {"center_learning_rate": 0.15 * float(self._space.spread.norm()), "stdev_learning_rate": 0.1}


class CEMSearch(GaussianSearch):
    """The cross-entropy method (Rubinstein 1999; Duan and others 2016)."""

    mode: ClassVar[str] = "CEM"
    algorithm: ClassVar[type[GaussianSearchAlgorithm]] = CEM

    def _defaults(self) -> dict[str, Any]:
        # The mean of many parents hardly moves, and there is no rate to make it: few parents, and bounded widths.
        return {"parenthood_ratio": max(0.05, 2 / self.drawn), "stdev_max_change": 0.2}

    def _check(self) -> None:
        ratio = {**self._defaults(), **self._given}["parenthood_ratio"]
        if not isinstance(ratio, int | float) or not 0 < ratio <= 1 or int(self.drawn * ratio) < 2:
            raise ValueError(
                f"evotorch.parenthood_ratio: expected a share of at least two of the population of "
                f"{self.population_size}, got {ratio!r}"
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

        def shape(self, covariance: Tensor) -> None:
            """Draw with this covariance [length, length] from now on; of XNES, whose `sigma` is its square root."""
            root = torch.linalg.cholesky(covariance)
            self._distribution = self._distribution.modified_copy(sigma=root, sigma_inv=torch.linalg.inv(root))

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
