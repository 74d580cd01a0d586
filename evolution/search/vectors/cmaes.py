"""CMA-ES, by evotorch: a Gaussian that learns its whole covariance, or only its diagonal (`separable`)."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import torch
from evotorch.algorithms import CMAES
from torch import Tensor

from evolution.search.lineage import plain
from evolution.search.vectors.base import Memory
from evolution.search.vectors.distributions import STRIDE, Belief, DistributionSearch, refuse_too_large

# It makes its weights of rank by a call of torch that warns, each time.
warnings.filterwarnings("ignore", message="To copy construct from a tensor", module="evotorch.tools.misc")

_KEPT = ("m", "sigma", "C", "A", "p_sigma", "p_c")
"""evotorch's names: centre, step size, covariance, its square root, and the two evolution paths."""


class CMAESSearch(DistributionSearch):
    """Covariance matrix adaptation (Hansen 2016).

    Where no `stdev_init` is given, the covariance begins as the pool's, or with `separable` as its diagonal.
    Refuses a full covariance that does not fit in memory, naming what does.
    """

    mode: ClassVar[str] = "CMAES"
    algorithm: ClassVar[type] = CMAES

    def _check(self) -> None:
        if not self._given.get("separable", False):
            # `update_C` holds the outer products of all steps, and those weighted.
            remedies = ("evotorch.separable: true", "subspace: 64")
            refuse_too_large(self.mode, self.population_size, self._space.length, tensors=2, remedies=remedies)

    def _begin(self, center: Tensor) -> tuple[Tensor, dict[str, Any]]:
        algorithm = self._built(center)
        if "stdev_init" not in self._given:
            if algorithm.separable:
                algorithm.widen(self._widths())
            else:
                algorithm.shape(self._covariance())
        return algorithm.ask()

    def _go_on(self, memory: Memory, fitness: Tensor) -> tuple[Tensor, dict[str, Any]]:
        algorithm = self._built(memory.belief["m"])
        algorithm.tell(memory.belief, memory.coordinates, fitness)
        return algorithm.ask()

    def _built(self, center: Tensor) -> _AskAndTell:
        return _AskAndTell(
            self._problem(),
            self._step_seed(),
            popsize=self.drawn,
            center_init=center.numpy(),
            **{"stdev_init": 1.0, "c_m": STRIDE, **self._given},
        )


class _AskAndTell(CMAES):
    """evotorch's CMA-ES with its step cut in two: the generation is heard in between, maybe in another process."""

    def __init__(self, problem: Any, seed: int, **parameters: Any) -> None:
        super().__init__(problem, **parameters)
        self._told: tuple[Tensor, Tensor, Tensor] | None = None
        # A population of zeros was drawn from the same generator: begin from the seed again.
        problem.manual_seed(seed)

    def widen(self, widths: Tensor) -> None:
        """Begin with standard deviations [length]: their mean square as step size, the rest on the diagonal."""
        self.sigma = widths.square().mean().sqrt()
        self.A = widths / self.sigma
        self.C = self.A.square()

    def shape(self, covariance: Tensor) -> None:
        """Begin with a covariance [length, length]: its mean variance as step size, the rest as it is."""
        self.sigma = covariance.diagonal().mean().sqrt()
        self.C = covariance / self.sigma.square()
        self.A = torch.linalg.cholesky(self.C)

    def ask(self) -> tuple[Tensor, dict[str, Any]]:
        """A generation [N, length], and the belief to `tell` its fitness to."""
        local, _, drawn = self.sample_distribution()
        kept = {name: plain(torch.as_tensor(getattr(self, name))) for name in _KEPT}
        return plain(drawn), {**kept, "steps": self._steps_count, "local": plain(local)}

    def tell(self, belief: Belief, drawn: Tensor, fitness: Tensor) -> None:
        """Learn from the generation that this belief drew, and its fitness [N]."""
        for name in _KEPT:
            setattr(self, name, belief[name].clone())
        self._steps_count = int(belief["steps"])
        self._told = belief["local"], drawn, fitness
        self.step()
        self._told = None

    def sample_distribution(self, num_samples: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """evotorch's step begins by drawing: give it what was drawn when it is told, [N, length] three times."""
        if self._told is None:
            drawn: tuple[Tensor, Tensor, Tensor] = super().sample_distribution(num_samples)
            return drawn
        local, coordinates, _ = self._told
        return local, local * self.A if self.separable else local @ self.A.T, coordinates

    def get_population_weights(self, xs: Tensor) -> Tensor:
        """The weights of rank [N], of a generation that was scored outside."""
        if self._told is None:
            raise ValueError("CMA-ES: expected to be told a generation's fitness before it learns, got none")
        ranks = torch.empty(len(xs), dtype=torch.int64)
        ranks[torch.argsort(self._told[2], descending=True, stable=True)] = torch.arange(len(xs))
        weights: Tensor = self.weights[ranks]
        return weights
