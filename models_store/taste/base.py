"""Taste: what is believed of somebody's liking, with its uncertainty; and who learns one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from models_store.aligner.model import AlignerV2, Heard
from models_store.taste.memory import LIKE, NO_OPINION, Memory


class Taste(ABC):
    """What is believed of somebody's liking.

    aligner: whose songs and reference listeners it is told in.
    """

    aligner: AlignerV2

    @abstractmethod
    def likeness(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """How much songs [N, layers, dim] are liked: mean [N] in [-1, 1], standard deviation [N].

        0 is the border between like and dislike.
        """

    @abstractmethod
    def probability(self, embeddings: Tensor) -> Tensor:
        """The probability that the listener would say "like" of songs [N, layers, dim]: [N]."""

    @abstractmethod
    def draws(self, embeddings: Tensor, *, count: int, seed: int) -> Tensor:
        """The likeness of songs [N, layers, dim] to `count` tastes drawn from the belief: [count, N].

        Each draw is one taste, consistent over all songs: for Thompson sampling and expected information.
        """

    @property
    @abstractmethod
    def vector(self) -> Tensor:
        """The best guess as a direction in the common space of users and songs: [projection], of unit norm."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """What has to be kept; `TasteLearner.restore` makes of it a taste with the same numbers."""


class EmbeddingTaste(Taste):
    """A user embedding, and others that the same ratings would allow: their spread is the uncertainty."""

    def __init__(self, aligner: AlignerV2, user: Tensor, *, alternatives: Tensor | None = None) -> None:
        """A taste in the space of `aligner`.

        user: [emb_size], the best guess.
        alternatives: [K, emb_size], K other guesses; None: the taste is known for certain.
        """
        size = aligner.config.emb_size
        if tuple(user.shape) != (size,):
            raise ValueError(f"EmbeddingTaste.user: expected shape {(size,)}, got {tuple(user.shape)}")
        if alternatives is not None and (alternatives.ndim != 2 or alternatives.shape[1] != size):
            raise ValueError(
                f"EmbeddingTaste.alternatives: expected shape (K, {size}), got {tuple(alternatives.shape)}"
            )
        self.aligner = aligner
        self.user = user.detach()
        self.alternatives = None if alternatives is None or not len(alternatives) else alternatives.detach()

    def likeness(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """See `Taste.likeness`."""
        with torch.no_grad():
            return self._likeness(self.aligner.hear(embeddings))

    def likeness_of_projected(self, songs: Tensor) -> tuple[Tensor, Tensor]:
        """The same for songs that are projected already: [N, projection], of unit norm.

        Where a song sounds different to each listener, these have the place that `project_songs` gave them.
        """
        with torch.no_grad():
            return self._likeness(Heard(self.aligner, songs))

    def probability(self, embeddings: Tensor) -> Tensor:
        """The mean over all guesses of a logistic function, as steep as the aligner was trained to be."""
        with torch.no_grad():
            songs = self.aligner.hear(embeddings)
            cosines = songs.cosines(self._guesses())  # [1 + K, N]
            return (cosines / self.aligner.temperature).sigmoid().mean(dim=0)

    def draws(self, embeddings: Tensor, *, count: int, seed: int) -> Tensor:
        """See `Taste.draws`; the guesses are drawn with replacement."""
        guesses = self._guesses()
        drawn = torch.randint(len(guesses), (count,), generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            return self.aligner.hear(embeddings).cosines(guesses)[drawn].clamp(-1.0, 1.0)

    @property
    def vector(self) -> Tensor:
        """See `Taste.vector`."""
        return self.aligner.project_users(self.user).detach()

    def state(self) -> dict[str, Tensor]:
        """See `Taste.state`."""
        kept = {"user": self.user}
        return kept if self.alternatives is None else {**kept, "alternatives": self.alternatives}

    @classmethod
    def of_state(cls, aligner: AlignerV2, state: Mapping[str, Tensor]) -> EmbeddingTaste:
        """What `state` was taken from. Raises ValueError for another state."""
        if "user" not in state:
            raise ValueError(f"EmbeddingTaste: expected a state with 'user', got {sorted(state)}")
        return cls(aligner, state["user"], alternatives=state.get("alternatives"))

    def _guesses(self) -> Tensor:
        return self.user[None] if self.alternatives is None else torch.cat([self.user[None], self.alternatives])

    def _likeness(self, songs: Heard) -> tuple[Tensor, Tensor]:
        mean = songs.cosines(self.user[None])[0].clamp(-1.0, 1.0)  # [N]
        if self.alternatives is None:
            return mean, torch.zeros_like(mean)
        guesses = songs.cosines(self.alternatives)  # [K, N]
        return mean, (guesses - mean).square().mean(dim=0).sqrt()


def reference_taste(aligner: AlignerV2, user_id: int) -> EmbeddingTaste:
    """The taste of one of the aligner's reference listeners."""
    if not 0 <= user_id < aligner.config.users:
        raise ValueError(f"reference_taste: expected a user from 0 to {aligner.config.users - 1}, got {user_id}")
    return EmbeddingTaste(aligner, aligner.reference_users()[user_id])


def mean_taste(aligner: AlignerV2) -> EmbeddingTaste:
    """The mean reference listener: the best guess before anything is rated. The others are the alternatives."""
    users = aligner.reference_users()
    return EmbeddingTaste(aligner, users.mean(dim=0), alternatives=users)


class TasteLearner(ABC):
    """Learns a taste from ratings."""

    aligner: AlignerV2
    """In whose space."""

    name: ClassVar[str]
    """What configurations and tables call it."""

    @abstractmethod
    def learn(self, memory: Memory, *, start: Tensor | None = None, seed: int) -> Taste:
        """The taste that explains `memory`.

        start: user embedding [emb_size] to begin with (the taste of the round before), for learners that begin
        somewhere; None: the learner's own.
        seed: of whatever is drawn; the same memory, start and seed give the same taste.
        """

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> Taste:
        """The taste of a `Taste.state()`, with the same numbers. Raises ValueError for another state."""

    def loss(self, taste: Taste, memory: Memory) -> float:
        """How badly a taste explains the ratings: mean weighted -log of the probability it gave each; 0 of none."""
        rated = memory.where(memory.ratings != NO_OPINION)
        total = float(rated.weights.sum())
        if not total:
            return 0.0
        like = taste.probability(rated.embeddings).clamp(1e-6, 1.0 - 1e-6)
        surprise = -torch.where(rated.ratings == LIKE, like, 1.0 - like).log()
        return float((surprise * rated.weights).sum()) / total
