"""The simple methods that a learner has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from models_store.aligner.model import AlignerV2
from models_store.taste.base import Taste, TasteLearner
from models_store.taste.bayes import Bayes
from models_store.taste.infonce import InfoNCE, InfoNCEConfig
from models_store.taste.kindred import Way
from models_store.taste.memory import NO_OPINION, Memory
from models_store.taste.mixture import Suppositions
from models_store.taste.posterior import PosteriorTaste

_PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)

_WAYS = tuple(
    Way(spread, lapse, often * rarely)
    for spread, often in ((0.8, 0.3), (2.0, 0.3), (6.0, 0.2), (24.0, 0.2))
    for lapse, rarely in ((0.002, 0.8), (0.1, 0.2))
)
"""How surely a listener may answer, where the ratings decide."""

_MIXTURE = {"like_users": 0.65, "anywhere": 0.35}

PROTOTYPE = {
    **{
        f"{init}, {'minibatch' if minibatch else 'classic'}": InfoNCEConfig(
            init=init,
            minibatch=minibatch,
            lr=0.001,
            epochs=5,
            prior=0.0,
            neutral=1e-6,
            temperature=None,
            alternatives=1,
        )
        for init in ("mean", "rand", "rmean")
        for minibatch in (None, 8)
    },
    "mean, classic, lr 0.05, 100 epochs": InfoNCEConfig(
        lr=0.05, epochs=100, prior=0.0, neutral=1e-6, temperature=None, alternatives=1
    ),
}
"""The prototype's learner in the settings of its README, and one that goes far enough to learn something."""


def prototype(aligner: AlignerV2) -> dict[str, TasteLearner]:
    """Seven variants of the prototype's learner: no prior, and no neutral song."""
    return {name: InfoNCE(aligner, config) for name, config in PROTOTYPE.items()}


def posterior_over_users(aligner: AlignerV2) -> Bayes:
    """The listener is one of the reference users, and answers as steeply as the shipped aligner was trained to score.

    That is a spread of about 1 (a probit of 6 times the cosine is a logistic function of 10 times it: a temperature of
    0.1, over cosines of deviation 0.16), with a slip now and then.
    """
    return Bayes(aligner, drifts=False, supposing=Suppositions(kindred=1.0, ways=(Way(1.0, 0.05, 1.0),)))


def posterior_by_evidence(aligner: AlignerV2) -> Bayes:
    """The same, where the ratings decide how surely the listener answers: in world A, all there is to know."""
    return Bayes(aligner, drifts=False, supposing=Suppositions(kindred=1.0, ways=_WAYS))


def gaussian(aligner: AlignerV2) -> Bayes:
    """One Gaussian prior, around the reference users and as they lie, as wide as the evidence says."""
    return Bayes(aligner, drifts=False, supposing=Suppositions(kindred=0.0, mixtures=(_MIXTURE,), finalists=1))


@dataclass(frozen=True)
class Ridge(TasteLearner):
    """Ridge regression of the answers on the encoder's standardised features; no prior knowledge of listeners.

    with_users: the expected answer of the posterior over the reference users is added to the prediction.
    The penalty is chosen by leave-one-out errors, in closed form (Hastie, Tibshirani and Friedman 2009, 7.10).
    """

    name: ClassVar[str] = "ridge"

    aligner: AlignerV2
    with_users: bool = False

    def learn(self, memory: Memory, *, start: Tensor | None = None, seed: int) -> RidgeTaste:  # noqa: ARG002
        """See `TasteLearner.learn`."""
        rated = memory.where(memory.ratings != NO_OPINION)
        heard = _heard(self.aligner, rated.embeddings)  # [n, features]
        answers = rated.ratings.double()
        middle = answers.mean() if len(answers) else torch.zeros((), dtype=torch.float64)
        kernel = heard @ heard.T
        scale = float(kernel.diagonal().mean().clamp_min(1e-9)) if len(answers) else 1.0
        slope = torch.zeros(heard.shape[1], dtype=torch.float64)
        if len(answers):
            slope = heard.T @ _dual(kernel, answers - middle, [scale * penalty for penalty in _PENALTIES])
        users = posterior_over_users(self.aligner).learn(memory, seed=seed) if self.with_users else None
        return RidgeTaste(self.aligner, torch.cat([slope, middle[None]]), users)

    def restore(self, state: Mapping[str, Tensor]) -> RidgeTaste:
        """See `TasteLearner.restore`."""
        users = posterior_over_users(self.aligner).restore(state) if self.with_users else None
        return RidgeTaste(self.aligner, state["slope"], users)


class RidgeTaste(Taste):
    """A linear function of the encoder's features, which knows nothing of its uncertainty."""

    def __init__(self, aligner: AlignerV2, slope: Tensor, users: PosteriorTaste | None) -> None:
        """slope: [features + 1], the last number is the intercept. users: what is added."""
        self.aligner = aligner
        self.slope = slope
        self.users = users

    def likeness(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """See `Taste.likeness`."""
        score = (_heard(self.aligner, embeddings) @ self.slope[:-1] + self.slope[-1]).float()
        if self.users is not None:
            score = 0.5 * (score + 2.0 * self.users.probability(embeddings) - 1.0)
        mean = score / (1.0 + score.square()).sqrt()
        return mean, torch.zeros_like(mean)

    def probability(self, embeddings: Tensor) -> Tensor:
        """The regression's own guess: it was taught with 1 and -1."""
        mean = self.likeness(embeddings)[0]
        score = mean / (1.0 - mean.square()).sqrt()
        return (0.5 + 0.5 * score).clamp(0.01, 0.99)

    def draws(self, embeddings: Tensor, *, count: int, seed: int) -> Tensor:  # noqa: ARG002
        """See `Taste.draws`: all the same."""
        return self.likeness(embeddings)[0].expand(count, -1)

    @property
    def vector(self) -> Tensor:
        """See `Taste.vector`: that of the users, for a regression has no place among them."""
        if self.users is not None:
            return self.users.vector
        return normalize(self.aligner.project_users(self.aligner.reference_users()).mean(dim=0), dim=0).detach()

    def state(self) -> dict[str, Tensor]:
        """See `Taste.state`."""
        return {"slope": self.slope, **(self.users.state() if self.users is not None else {})}


def _heard(aligner: AlignerV2, embeddings: Tensor) -> Tensor:
    with torch.no_grad():
        return aligner.standardise(embeddings).flatten(1).double()  # [N, layers * dim]


def _dual(kernel: Tensor, answers: Tensor, penalties: list[float]) -> Tensor:
    """The weights of the songs [n] under the penalty with the least leave-one-out errors."""
    size, axes = torch.linalg.eigh(kernel)
    best, least = torch.zeros_like(answers), float("inf")
    for penalty in penalties:
        inverse = (axes / (size.clamp_min(0.0) + penalty)) @ axes.T
        dual = inverse @ answers
        error = float((dual / inverse.diagonal()).square().mean())
        if error < least:
            best, least = dual, error
    return best
