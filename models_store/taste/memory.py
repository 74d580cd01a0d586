"""Memory: the ratings that a taste is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LIKE, NO_OPINION, DISLIKE = 1, 0, -1


@dataclass(frozen=True)
class Memory:
    """What one listener said about which sounds, and in which round. Any number of ratings a round, none included.

    embeddings: float32 [N, layers, dim], the encoder's, of what was played.
    ratings: int64 [N], 1 like, -1 dislike, 0 no opinion.
    rounds: int64 [N], the round of each rating; in any order.
    """

    embeddings: Tensor
    ratings: Tensor
    rounds: Tensor

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 3:
            raise ValueError(f"Memory.embeddings: expected [N, layers, dim], got shape {tuple(self.embeddings.shape)}")
        for name in ("ratings", "rounds"):
            shape = tuple(getattr(self, name).shape)
            if shape != (len(self.embeddings),):
                raise ValueError(f"Memory.{name}: expected shape ({len(self.embeddings)},), got {shape}")
        if not bool(torch.isin(self.ratings, torch.tensor([LIKE, NO_OPINION, DISLIKE])).all()):
            raise ValueError(f"Memory.ratings: expected -1, 0 or 1, got {sorted(set(self.ratings.tolist()))}")

    def __len__(self) -> int:
        return len(self.ratings)

    @classmethod
    def empty(cls, *, layers: int, dim: int) -> Memory:
        """The memory of somebody who has rated nothing yet."""
        none = torch.zeros(0, dtype=torch.int64)
        return cls(embeddings=torch.zeros(0, layers, dim), ratings=none, rounds=none)

    @classmethod
    def of(cls, embeddings: Tensor, ratings: Sequence[int], rounds: Sequence[int]) -> Memory:
        """A memory from plain numbers: [N, layers, dim], N ratings and N rounds."""
        return cls(
            embeddings=embeddings.float(),
            ratings=torch.tensor(ratings, dtype=torch.int64),
            rounds=torch.tensor(rounds, dtype=torch.int64),
        )

    @classmethod
    def of_rounds(cls, rounds: Sequence[tuple[Tensor, Sequence[int]]]) -> Memory:
        """A memory from rounds of any lengths, oldest first: (embeddings [n, layers, dim], n ratings) each."""
        if not rounds:
            raise ValueError("Memory.of_rounds: expected at least one round, got none; use Memory.empty")
        numbers = [number for number, (_, ratings) in enumerate(rounds) for _ in ratings]
        return cls.of(torch.cat([heard for heard, _ in rounds]), [one for _, many in rounds for one in many], numbers)

    def last(self, rounds: int) -> Memory:
        """The ratings of the last `rounds` rounds in which something was rated."""
        if rounds < 1:
            raise ValueError(f"Memory.last: expected at least 1 round, got {rounds}")
        kept = torch.isin(self.rounds, self.rounds.unique()[-rounds:])
        return Memory(self.embeddings[kept], self.ratings[kept], self.rounds[kept])

    @property
    def liked(self) -> Tensor:
        """Embeddings of what was liked: [likes, layers, dim]."""
        return self.embeddings[self.ratings == LIKE]

    @property
    def disliked(self) -> Tensor:
        """Embeddings of what was disliked: [dislikes, layers, dim]."""
        return self.embeddings[self.ratings == DISLIKE]
