"""Taste: what is believed of somebody's liking, as a user embedding of an aligner; and who learns one."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from models_store.aligner.model import AlignerV2, Heard
from models_store.taste.memory import Memory


class Taste:
    """A user embedding, and others that the same ratings would allow: their spread is the uncertainty."""

    def __init__(self, aligner: AlignerV2, user: Tensor, *, alternatives: Tensor | None = None) -> None:
        """A taste in the space of `aligner`.

        user: [emb_size], the best guess.
        alternatives: [K, emb_size], K other guesses; None: the taste is known for certain.
        """
        expected = (aligner.config.emb_size,)
        if tuple(user.shape) != expected:
            raise ValueError(f"Taste.user: expected shape {expected}, got {tuple(user.shape)}")
        self.aligner = aligner
        self.user = user.detach()
        self.alternatives = None if alternatives is None else alternatives.detach()

    def likeness(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """How much songs [N, layers, dim] are liked: mean [N] in [-1, 1], standard deviation [N]."""
        with torch.no_grad():
            return self._likeness(self.aligner.hear(embeddings))

    def likeness_of_projected(self, songs: Tensor) -> tuple[Tensor, Tensor]:
        """The same for songs that are projected already: [N, projection], of unit norm.

        Where a song sounds different to each listener, these have the place that `project_songs` gave them.
        """
        with torch.no_grad():
            return self._likeness(Heard(self.aligner, songs))

    def _likeness(self, songs: Heard) -> tuple[Tensor, Tensor]:
        mean = songs.cosines(self.user[None])[0].clamp(-1.0, 1.0)  # [N]
        if self.alternatives is None:
            return mean, torch.zeros_like(mean)
        guesses = songs.cosines(self.alternatives)  # [K, N]
        return mean, (guesses - mean).square().mean(dim=0).sqrt()


def reference_taste(aligner: AlignerV2, user_id: int) -> Taste:
    """The taste of one of the aligner's reference listeners."""
    if not 0 <= user_id < aligner.config.users:
        raise ValueError(f"reference_taste: expected a user from 0 to {aligner.config.users - 1}, got {user_id}")
    return Taste(aligner, aligner.reference_users()[user_id])


def mean_taste(aligner: AlignerV2) -> Taste:
    """The mean reference listener: the best guess before anything is rated. The others are the alternatives."""
    users = aligner.reference_users()
    return Taste(aligner, users.mean(dim=0), alternatives=users)


class TasteLearner(ABC):
    """Learns a taste from ratings."""

    @abstractmethod
    def learn(self, memory: Memory, *, start: Tensor | None = None, seed: int) -> Taste:
        """The taste that explains `memory`.

        start: user embedding [emb_size] to begin with (the taste of the round before); None: the learner's own.
        seed: of whatever is drawn; the same memory, start and seed give the same taste.
        """
