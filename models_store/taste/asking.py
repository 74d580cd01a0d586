"""Asking well: which songs' answers would tell most about a taste.

Every strategy sees the same: the likeness of N songs to D tastes drawn from what is believed (`Taste.draws`), and the
probability that each song would be liked (`Taste.probability`). docs/curation.md compares them; benchmarks/asking.py
prints the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["BEST", "DRAWS", "STRATEGIES", "Belief", "agreed", "ask", "chances", "steepness"]

DRAWS = 256
"""Tastes that are drawn for asking: enough to know how songs hang together, in a few milliseconds."""

BEST = "information"
"""The strategy that is used."""

LEAST_NOISE = 0.02
"""Variance of an answer: nobody is sure of what they say to more than one in fifty."""

_SLOPES = torch.logspace(-0.5, 2.5, 31, dtype=torch.float64)
"""Of the logistic function between likeness and answer: from 0.3 (nearly a coin) to 300 (nearly a step)."""


@dataclass
class Belief:
    """What is believed of N songs, while some of them are being chosen.

    draws: [D, N], likeness by each drawn taste. probability: [N], of a like.
    left: [D, N], the chance of a like by each drawn taste, less their mean: as far as the answers to what is chosen
    leave it unknown. noise: [N], the mean variance of the answer of a taste that is known.
    step: how many were chosen. luck: of strategies that draw.
    """

    draws: Tensor
    probability: Tensor
    left: Tensor
    noise: Tensor
    luck: torch.Generator
    step: int = 0

    @classmethod
    def of(cls, draws: Tensor, probability: Tensor, *, seed: int) -> Belief:
        """Before anything is chosen. Raises ValueError for shapes that do not belong together."""
        if draws.ndim != 2 or not len(draws) or tuple(probability.shape) != (draws.shape[1],):
            raise ValueError(
                "asking: expected draws [D, N] with D >= 1 and a probability [N], "
                f"got {tuple(draws.shape)} and {tuple(probability.shape)}"
            )
        chance = chances(draws, probability)
        noise = (chance * (1.0 - chance)).mean(dim=0).clamp_min(LEAST_NOISE)
        luck = torch.Generator().manual_seed(seed)
        return cls(draws.double(), probability.double(), chance - chance.mean(dim=0), noise, luck)

    @property
    def variance(self) -> Tensor:
        """[N], of what is unknown of each song."""
        return self.left.square().mean(dim=0)

    def answer(self, index: int) -> None:
        """Take away what the answer to a song would tell of all songs: Kalman's update in Potter's form (1963)."""
        told = self.left[:, index]  # [D]
        variance, noise = float(told.square().mean()), float(self.noise[index])
        if variance > 1e-12:
            covariance = (told @ self.left) / len(self.left)  # [N]
            share = 1.0 / (variance + noise)
            step = share / (1.0 + (share * noise) ** 0.5)
            self.left = self.left - told[:, None] * (step * covariance)[None]
        self.step += 1


def ask(
    draws: Tensor,
    probability: Tensor,
    *,
    count: int,
    strategy: str = BEST,
    given: Sequence[int] = (),
    among: Tensor | None = None,
    seed: int,
) -> list[int]:
    """Choose greedily the songs whose answers tell most, the most telling first; at most `count` distinct indices.

    draws: [D, N] likeness. probability: [N]. strategy: a name of STRATEGIES.
    given: songs that will be answered anyway. among: bool [N], which may be chosen; None: all that are not given.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"ask: expected a strategy of {', '.join(STRATEGIES)}, got {strategy!r}")
    belief = Belief.of(draws, probability, seed=seed)
    free = torch.ones(draws.shape[1], dtype=torch.bool) if among is None else among.clone()
    for index in given:
        belief.answer(index)
        free[index] = False
    chosen: list[int] = []
    for _ in range(min(count, int(free.sum()))):
        chosen.append(int(STRATEGIES[strategy](belief).masked_fill(~free, -torch.inf).argmax()))
        belief.answer(chosen[-1])
        free[chosen[-1]] = False
    return chosen


def steepness(draws: Tensor, probability: Tensor) -> float:
    """How steeply answers follow likeness: the slope of the logistic function that gives these probabilities.

    draws: [D, N]. probability: [N], of a like by all drawn tastes together. Least squares over a grid, 0.3 to 300.
    """
    errors = [
        float((torch.sigmoid(slope * draws.double()).mean(dim=0) - probability.double()).square().sum())
        for slope in _SLOPES
    ]
    return float(_SLOPES[errors.index(min(errors))])


def chances(draws: Tensor, probability: Tensor) -> Tensor:
    """The probability of a like if the drawn taste were the true one: [D, N]."""
    return torch.sigmoid(steepness(draws, probability) * draws.double())


def agreed(draws: Tensor) -> float:
    """How sure the taste is: of the variance of likeness over songs and drawn tastes, the share that all agree about.

    draws: [D, N]. 1 where every drawn taste says the same, 0 where they have nothing in common; 1 for less than two
    songs.
    """
    if draws.shape[1] < 2:
        return 1.0
    known = float(draws.double().mean(dim=0).var(correction=0))
    unknown = float(draws.double().var(dim=0, correction=0).mean())
    return known / (known + unknown) if known + unknown > 1e-12 else 1.0


def random(belief: Belief) -> Tensor:
    """Any song: what asking is compared with."""
    return torch.rand(len(belief.probability), generator=belief.luck, dtype=torch.float64)


def likeliest(belief: Belief) -> Tensor:
    """The song that will be liked soonest: what is played when nothing is asked."""
    return belief.draws.mean(dim=0)


def thompson(belief: Belief) -> Tensor:
    """The favourite of another drawn taste every time (Thompson 1933): what may be liked much, as far as is known."""
    return belief.draws[int(torch.randint(len(belief.draws), (), generator=belief.luck))]


def uncertain(belief: Belief) -> Tensor:
    """The song of whose answer least is known: the probability of a like nearest one half."""
    return -(belief.probability - 0.5).abs()


def disagreement(belief: Belief) -> Tensor:
    """The song about which the drawn tastes differ most, each for itself, however like another it is."""
    return belief.draws.var(dim=0, correction=0)


def information(belief: Belief) -> Tensor:
    """The expected information of the answer about the taste, given the answers to what was chosen before.

    The mutual information of answer and taste (Houlsby et al. 2011, Bayesian active learning by disagreement), for a
    batch (Kirsch et al. 2019, BatchBALD), in the Gaussian approximation: log(1 + variance / noise) / 2.
    """
    return (belief.variance / belief.noise).log1p() / 2


def predictive(belief: Belief) -> Tensor:
    """How much variance of all songs' chances the answer takes away.

    What is asked is to be of use for the songs there are (Bickford Smith et al. 2023, Prediction-oriented Bayesian
    active learning), in the same approximation.
    """
    covariance = belief.left.T @ belief.left / len(belief.left)  # [N, N]
    return covariance.square().sum(dim=0) / (covariance.diagonal() + belief.noise)


STRATEGIES: Mapping[str, Callable[[Belief], Tensor]] = {
    "random": random,
    "likeliest": likeliest,
    "thompson": thompson,
    "uncertain": uncertain,
    "disagreement": disagreement,
    "information": information,
    "predictive": predictive,
}
"""How much each song [N] is worth asking next."""
