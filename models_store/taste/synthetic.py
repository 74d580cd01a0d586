"""Synthetic listeners: they rate as a known taste says, so that what is learned can be compared with the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models_store.taste.base import Taste
from models_store.taste.memory import DISLIKE, LIKE, NO_OPINION


@dataclass(frozen=True)
class SyntheticListener:
    """Likes what the score of its taste calls positive, dislikes the rest.

    noise: probability of saying the opposite of what it thinks.
    fatigue: probability of no opinion on the last track of a playlist; grows linearly from 0 on the first.
    threshold: the score (cosine) above which it likes.
    """

    taste: Taste
    noise: float = 0.0
    fatigue: float = 0.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        for name in ("noise", "fatigue"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"SyntheticListener.{name}: expected 0 to 1, got {getattr(self, name)}")

    def rate(self, embeddings: Tensor, *, seed: int) -> Tensor:
        """Rate a playlist [N, layers, dim], in the order in which it is heard: int64 [N] of 1, -1 and 0."""
        score, _ = self.taste.likeness(embeddings)
        generator = torch.Generator().manual_seed(seed)
        flips = torch.rand(len(score), generator=generator) < self.noise
        tires = torch.rand(len(score), generator=generator) < self.fatigue * torch.linspace(0, 1, len(score))
        ratings = torch.where((score > self.threshold) ^ flips, LIKE, DISLIKE)
        return torch.where(tires, NO_OPINION, ratings)
