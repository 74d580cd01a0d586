"""A belief about a liking: a mixture of Gaussians over linear functions of a song's numbers, and of certain ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.special import ndtr

from models_store.aligner.model import AlignerV2
from models_store.taste.base import Taste
from models_store.taste.features import Features

SOFTNESS = 2.0
"""Spreads of a liking over songs at which likeness reaches 0.71: no song that is played comes near 1."""

_NODES = 9


@dataclass(frozen=True)
class Mixture:
    """C parts of a belief. In each, the score of a song is its numbers times a Gaussian vector.

    means: float32 [C, size]. roots: float16 [C', size, D], vector = mean + root @ z for standard normal z, of the first
    C' parts; the vectors of the others are certain. shares: [C], sum to 1. spread: [C], the deviation over songs that
    was expected of a score. lapse: [C]; P(like) = lapse + (1 - 2 lapse) Phi(score).
    """

    means: Tensor
    roots: Tensor
    shares: Tensor
    spread: Tensor
    lapse: Tensor

    def __len__(self) -> int:
        return len(self.shares)

    def scores(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the score of songs [N, size] in each part: [C, N] each, float64."""
        mean = self.means.double() @ numbers.T
        variance = torch.zeros_like(mean)
        for part, root in enumerate(self.roots):
            variance[part] = (numbers.float() @ root.float()).square().sum(dim=1).double()
        return mean, variance

    def drawn(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` vectors and the spread of each: [count, size], [count].

        Each part comes as often as its share says, give or take one (systematic resampling).
        """
        ticks = (torch.arange(count, dtype=torch.float64) + torch.rand((), generator=generator)) / max(count, 1)
        chosen = torch.searchsorted(self.shares.double().cumsum(0), ticks).clamp(max=len(self) - 1)
        chosen = chosen[torch.randperm(count, generator=generator)]
        normals = torch.randn(count, self.roots.shape[2], generator=generator)
        vectors = self.means[chosen].clone()
        for part, root in enumerate(self.roots):
            vectors[chosen == part] += normals[chosen == part] @ root.float().T
        return vectors.double(), self.spread[chosen].double()


class PosteriorTaste(Taste):
    """What is believed of a liking, as a `Mixture` over what `Features` tell of a song."""

    def __init__(self, aligner: AlignerV2, features: Features, belief: Mixture) -> None:
        self.aligner = aligner
        self.features = features
        self.belief = belief

    def likeness(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """See `Taste.likeness`. The moments in each part are integrated by Gauss and Hermite."""
        mean, variance = self.belief.scores(self.features.of(embeddings))
        unit = SOFTNESS * self.belief.spread.double()[:, None]
        places, weights = _quadrature()
        each = _squashed((mean[:, :, None] + variance.sqrt()[:, :, None] * places) / unit[:, :, None])  # [C, N, nodes]
        shares = self.belief.shares.double()
        liked = shares @ (each @ weights)  # [N]
        spread = shares @ ((each - liked[:, None]).square() @ weights)
        return liked.float(), spread.clamp_min(0.0).sqrt().float()

    def probability(self, embeddings: Tensor) -> Tensor:
        """See `Taste.probability`; slips included: it is the answer that is predicted."""
        mean, variance = self.belief.scores(self.features.of(embeddings))
        lapse = self.belief.lapse.double()[:, None]
        each = lapse + (1.0 - 2.0 * lapse) * ndtr(mean / (1.0 + variance).sqrt())  # [C, N]
        expected: Tensor = self.belief.shares.double() @ each
        return expected.float()

    def draws(self, embeddings: Tensor, *, count: int, seed: int) -> Tensor:
        """See `Taste.draws`."""
        vectors, spread = self.belief.drawn(count, torch.Generator().manual_seed(seed))
        return _squashed(vectors @ self.features.of(embeddings).T / (SOFTNESS * spread[:, None])).float()

    @property
    def vector(self) -> Tensor:
        """See `Taste.vector`: the mean of the belief, as far as the common space tells it."""
        shares = (self.belief.shares / self.belief.spread).double()
        mean = shares @ self.belief.means[:, : self.features.places].double()  # [places]
        if self.features.axes is not None:
            mean = self.features.axes.double() @ mean
        if float(mean.norm()) < 1e-9:
            mean = self.aligner.project_users(self.aligner.reference_users()).mean(dim=0).double()
        return normalize(mean, dim=0).float().detach()

    def state(self) -> dict[str, Tensor]:
        """See `Taste.state`."""
        return {**self.features.state(), **vars(self.belief)}

    @classmethod
    def of_state(cls, aligner: AlignerV2, state: Mapping[str, Tensor]) -> PosteriorTaste:
        """What `state` was taken from. Raises ValueError for another state."""
        needed = ["means", "roots", "shares", "spread", "lapse", "sounds", "peaks", "width"]
        if not set(needed) <= set(state):
            raise ValueError(f"PosteriorTaste: expected a state with {', '.join(needed)}, got {sorted(state)}")
        features = Features.of_state(aligner, state)
        belief = Mixture(*(state[name] for name in needed[:5]))
        if tuple(belief.means.shape) != (len(belief), features.size):
            raise ValueError(
                f"PosteriorTaste: expected means of shape {(len(belief), features.size)}, "
                f"got {tuple(belief.means.shape)}; is this the state of another aligner?"
            )
        return cls(aligner, features, belief)


def _squashed(units: Tensor) -> Tensor:
    """Into (-1, 1). Algebraic: far out it still rises, so that a search can climb it."""
    return units / (1.0 + units.square()).sqrt()


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Tensor, Tensor]:
    """Places and weights for the mean under a standard normal distribution."""
    places, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return torch.from_numpy(places), torch.from_numpy(weights / math.sqrt(2.0 * math.pi))
