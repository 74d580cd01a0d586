"""Memory: what a taste is learned from: ratings, what they weigh, and what the listener asked for in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models_store.aligner.wishes import Edit, refuse_broken

__all__ = ["DISLIKE", "LIKE", "NO_OPINION", "Edit", "Memory"]

LIKE, NO_OPINION, DISLIKE = 1, 0, -1


@dataclass(frozen=True)
class Memory:
    """What one listener said about which sounds, and in which round. Any number of ratings a round, none included.

    embeddings: float32 [N, layers, dim], the encoder's, of what was played; finite.
    ratings: int64 [N], 1 like, -1 dislike, 0 no opinion.
    rounds: int64 [N], the round of each rating; in any order.
    weights: float32 [N], finite and >= 0: 1 an ordinary rating; more for "never again", less for a skip or for a song
    that was listened to and not rated. Empty: 1 for each.
    edits: what the listener asked for in words, one per concept.
    """

    embeddings: Tensor
    ratings: Tensor
    rounds: Tensor
    weights: Tensor = field(default_factory=lambda: torch.ones(0))
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 3:
            raise ValueError(f"Memory.embeddings: expected [N, layers, dim], got shape {tuple(self.embeddings.shape)}")
        if not self.weights.numel():
            object.__setattr__(self, "weights", torch.ones(len(self.embeddings)))
        for name in ("ratings", "rounds", "weights"):
            shape = tuple(getattr(self, name).shape)
            if shape != (len(self.embeddings),):
                raise ValueError(f"Memory.{name}: expected shape ({len(self.embeddings)},), got {shape}")
        refuse_broken(self.embeddings, "Memory.embeddings")
        if not bool(torch.isin(self.ratings, torch.tensor([LIKE, NO_OPINION, DISLIKE])).all()):
            raise ValueError(f"Memory.ratings: expected -1, 0 or 1, got {sorted(set(self.ratings.tolist()))}")
        if not bool((self.weights.isfinite() & (self.weights >= 0)).all()):
            wrong = self.weights[~(self.weights.isfinite() & (self.weights >= 0))]
            raise ValueError(f"Memory.weights: expected finite numbers >= 0, got {float(wrong[0])}")
        for edit in self.edits:
            if edit.present.shape[1:] != self.embeddings.shape[1:]:
                raise ValueError(
                    f"Memory.edits: {edit.name!r}: expected songs of {tuple(self.embeddings.shape[1:])}, "
                    f"got {tuple(edit.present.shape[1:])}"
                )

    def __len__(self) -> int:
        return len(self.ratings)

    @classmethod
    def empty(cls, *, layers: int, dim: int) -> Memory:
        """The memory of somebody who has rated nothing yet."""
        none = torch.zeros(0, dtype=torch.int64)
        return cls(embeddings=torch.zeros(0, layers, dim), ratings=none, rounds=none)

    @classmethod
    def of(
        cls,
        embeddings: Tensor,
        ratings: Sequence[int],
        rounds: Sequence[int],
        *,
        weights: Sequence[float] | None = None,
        edits: Sequence[Edit] = (),
    ) -> Memory:
        """A memory from plain numbers: [N, layers, dim], N ratings, N rounds and N weights (None: 1 each)."""
        weighed = torch.ones(len(embeddings)) if weights is None else torch.tensor(weights, dtype=torch.float32)
        return cls(
            embeddings=embeddings.float(),
            ratings=torch.tensor(ratings, dtype=torch.int64),
            rounds=torch.tensor(rounds, dtype=torch.int64),
            weights=weighed,
            edits=tuple(edits),
        )

    @classmethod
    def of_rounds(cls, rounds: Sequence[tuple[Tensor, Sequence[int]]]) -> Memory:
        """A memory from rounds of any lengths, oldest first: (embeddings [n, layers, dim], n ratings) each."""
        if not rounds:
            raise ValueError("Memory.of_rounds: expected at least one round, got none; use Memory.empty")
        numbers = [number for number, (_, ratings) in enumerate(rounds) for _ in ratings]
        return cls.of(torch.cat([heard for heard, _ in rounds]), [one for _, many in rounds for one in many], numbers)

    def last(self, rounds: int) -> Memory:
        """The ratings of the last `rounds` rounds in which something was rated; all that was asked for in words."""
        if rounds < 1:
            raise ValueError(f"Memory.last: expected at least 1 round, got {rounds}")
        return self.where(torch.isin(self.rounds, self.rounds.unique()[-rounds:]))

    def where(self, kept: Tensor) -> Memory:
        """Some of the ratings, by a bool for each or by their indices; all that was asked for in words."""
        return Memory(self.embeddings[kept], self.ratings[kept], self.rounds[kept], self.weights[kept], self.edits)

    @property
    def liked(self) -> Tensor:
        """Embeddings of what was liked: [likes, layers, dim]."""
        return self.embeddings[self.ratings == LIKE]

    @property
    def disliked(self) -> Tensor:
        """Embeddings of what was disliked: [dislikes, layers, dim]."""
        return self.embeddings[self.ratings == DISLIKE]
