"""The README's learner: a user embedding that tells liked songs from disliked ones, the aligner frozen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from models_store.aligner.model import AlignerV2, Heard
from models_store.taste.base import EmbeddingTaste, Taste, TasteLearner
from models_store.taste.memory import LIKE, NO_OPINION, Edit, Memory

Init = Literal["mean", "rand", "rmean"]


@dataclass(frozen=True)
class InfoNCEConfig:
    """How a taste is learned.

    init: where an embedding starts: `mean` of the reference users, `rand` (drawn like a reference user), or
        `rmean`: their mean plus `rmean` times such a draw.
    lr, epochs: of AdamW, on this embedding and nothing else.
    prior: weight of the reference users as a Gaussian prior; at 1 an embedding costs what it is unlikely among them.
    temperature: of the softmax; None: the aligner's own.
    minibatch: ratings per step; None: all of them in every step (classic).
    neutral: weight, in songs, of an imaginary neutral song of score 0 among the disliked ones.
    alternatives: embeddings learned from resampled ratings; their spread is the uncertainty.
    """

    init: Init = "mean"
    rmean: float = 0.5
    lr: float = 0.05
    epochs: int = 50
    prior: float = 1.0
    temperature: float | None = 0.1
    minibatch: int | None = None
    neutral: float = 8.0
    alternatives: int = 8

    def __post_init__(self) -> None:
        if self.init not in ("mean", "rand", "rmean"):
            raise ValueError(f"InfoNCEConfig.init: expected mean, rand or rmean, got {self.init!r}")
        for name in ("epochs", "alternatives"):
            if getattr(self, name) < 1:
                raise ValueError(f"InfoNCEConfig.{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("lr", "neutral"):
            if not getattr(self, name) > 0:
                raise ValueError(f"InfoNCEConfig.{name}: expected a positive number, got {getattr(self, name)}")
        if self.minibatch is not None and self.minibatch < 1:
            raise ValueError(f"InfoNCEConfig.minibatch: expected at least 1 or None, got {self.minibatch}")


@dataclass(frozen=True)
class InfoNCE(TasteLearner):
    """Learns by softmax InfoNCE over liked versus rated songs, and what a score of 0 means.

    With only likes the contrast is the neutral song; with only dislikes the neutral song is what is preferred to
    them; with neither, the taste is the start. Never NaN.
    """

    name: ClassVar[str] = "infonce"

    aligner: AlignerV2
    config: InfoNCEConfig = field(default_factory=InfoNCEConfig)

    def learn(self, memory: Memory, *, start: Tensor | None = None, seed: int) -> EmbeddingTaste:
        """See `TasteLearner.learn`."""
        generator = torch.Generator().manual_seed(seed)
        users = self._start(start, generator)  # [1 + K, emb_size]
        rated = memory.where((memory.ratings != NO_OPINION) & (memory.weights > 0))
        if len(rated) or rated.edits:
            users = self._fit(users, rated, generator)
        return EmbeddingTaste(self.aligner, users[0], alternatives=users[1:])

    def restore(self, state: Mapping[str, Tensor]) -> EmbeddingTaste:
        """See `TasteLearner.restore`."""
        return EmbeddingTaste.of_state(self.aligner, state)

    def loss(self, taste: Taste, memory: Memory) -> float:
        """How badly a taste explains the ratings, without the prior: the loss that learning lowers; 0 of no ratings."""
        if not isinstance(taste, EmbeddingTaste):
            return super().loss(taste, memory)
        rated = memory.where(memory.ratings != NO_OPINION)
        if not len(rated):
            return 0.0
        with torch.no_grad():
            songs = self.aligner.hear(rated.embeddings)
            return float(self._loss(taste.user[None], songs, rated.ratings == LIKE, rated.weights[None]))

    def _start(self, start: Tensor | None, generator: torch.Generator) -> Tensor:
        """The embedding and its alternatives before anything is learned: [1 + K, emb_size]."""
        reference = self.aligner.reference_users()
        size, spread = self.aligner.config.emb_size, reference.std(dim=0, correction=0)
        if start is not None:
            if tuple(start.shape) != (size,):
                raise ValueError(f"InfoNCE.learn: expected a start of shape ({size},), got {tuple(start.shape)}")
            first = start
        else:
            weight = {"mean": 0.0, "rand": 1.0, "rmean": self.config.rmean}[self.config.init]
            first = reference.mean(dim=0) + weight * spread * torch.randn(size, generator=generator)
        # The alternatives start apart: where the ratings say nothing they stay apart, and that is the uncertainty.
        drawn = torch.randint(len(reference), (self.config.alternatives,), generator=generator)
        return torch.cat([first[None], reference[drawn]])

    def _fit(self, users: Tensor, rated: Memory, generator: torch.Generator) -> Tensor:
        """Learn [1 + K, emb_size] from n likes and dislikes, and from wishes."""
        reference = self.aligner.reference_users()
        centre, whiten = reference.mean(dim=0), _whitening(reference)
        with torch.no_grad():
            songs, wishes = self.aligner.hear(rated.embeddings), [_Wish.of(self.aligner, edit) for edit in rated.edits]
        liked, weights = rated.ratings == LIKE, rated.weights * _resampled(len(users), len(rated), generator)
        batch = max(1, min(self.config.minibatch or len(rated), len(rated)))
        # Each alternative has a prior centre of its own, drawn from the prior (Pearce et al. 2020, Uncertainty in
        # neural networks: approximately Bayesian ensembling): what the ratings leave open stays open.
        anchors = torch.cat([centre[None], users[1:]])
        users = users.clone().requires_grad_()
        optimiser = torch.optim.AdamW([users], lr=self.config.lr, weight_decay=0.0)
        for _ in range(self.config.epochs):
            order = torch.randperm(len(songs), generator=generator)
            for chosen in order.split(batch) if len(order) else [order]:
                unlikely = 0.5 * self.config.prior * ((users - anchors) @ whiten).square().sum()
                missed = torch.stack([wish.missed(users) for wish in wishes]).sum() if wishes else torch.zeros(())
                loss = self._loss(users, songs[chosen], liked[chosen], weights[:, chosen])
                loss = loss + (unlikely + missed) / max(1, len(songs))
                (users.grad,) = torch.autograd.grad(loss, [users])
                optimiser.step()
        return users.detach()

    def _loss(self, users: Tensor, songs: Heard, liked: Tensor, weights: Tensor) -> Tensor:
        """The mean over the ratings, summed over the users, which do not know of each other.

        A liked song is told from the disliked ones and the neutral one by InfoNCE, a disliked one from the neutral
        one: the reference users' scores are positive for what they like (see `training.calibrate`), so a
        rating says on which side of 0 a score lies, not only which of two is higher.
        """
        if not len(songs):
            return torch.zeros(())
        scores = songs.cosines(users)  # [U, n]
        scores = scores / (self.config.temperature or float(self.aligner.temperature))
        rejected = (scores + weights.clamp_min(1e-9).log()).masked_fill(liked, float("-inf"))
        neutral = torch.full((len(users), 1), math.log(self.config.neutral))
        contrast = torch.cat([rejected, neutral], dim=1).logsumexp(dim=1, keepdim=True)  # [U, 1]
        each = torch.where(liked, torch.logaddexp(scores, contrast) - scores, softplus(scores))
        loss: Tensor = (each * weights).mean(dim=1).sum()
        return loss


@dataclass(frozen=True)
class _Wish:
    """An edit, as its songs are heard. spread: deviation of the reference users' cosines over them."""

    edit: Edit
    present: Heard
    absent: Heard
    spread: float

    @classmethod
    def of(cls, aligner: AlignerV2, edit: Edit) -> _Wish:
        present, absent = aligner.hear(edit.present), aligner.hear(edit.absent)
        users = aligner.reference_users()
        cosines = torch.cat([present.cosines(users), absent.cosines(users)], dim=1)
        return cls(edit, present, absent, max(float(cosines.std()), 1e-6))

    def missed(self, users: Tensor) -> Tensor:
        """What it costs users [U, emb_size] to be elsewhere: half a spread costs a wish of weight 1 half a nat."""
        apart = self.present.cosines(users).mean(dim=1) - self.absent.cosines(users).mean(dim=1)  # [U]
        return 2.0 * self.edit.weight * (apart / self.spread - self.edit.wanted).square().sum()


def _whitening(users: Tensor) -> Tensor:
    """The matrix that makes the covariance of embeddings [users, emb_size] the identity: [emb_size, emb_size].

    The variances are kept from 0 by a hundredth of their mean: few users need not span the space.
    """
    variance, axes = torch.linalg.eigh(torch.cov(users.T, correction=0))
    whitening: Tensor = axes / (variance + 0.01 * variance.mean() + 1e-9).sqrt()
    return whitening


def _resampled(users: int, ratings: int, generator: torch.Generator) -> Tensor:
    """Weights of the ratings [users, ratings]: all 1 for the first user, a Bayesian bootstrap for the others.

    Rubin (1981), The Bayesian Bootstrap: Dirichlet(1, ..., 1) weights, here with a mean of 1.
    """
    drawn = torch.empty(users, ratings).exponential_(generator=generator)
    weights = drawn / drawn.mean(dim=1, keepdim=True)
    weights[0] = 1.0
    return weights
