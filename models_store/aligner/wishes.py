"""Wishes: what a listener asks for in words, as a taste can learn it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Edit:
    """What the listener wants of a concept: songs that have it against songs that have not.

    name: the concept's. present: float32 [n, layers, dim], n >= 1 songs that have it. absent: [m, layers, dim], m >= 1
    songs that have not.
    wanted: by how much their likeness shall differ, in typical spreads of a likeness over songs, in [-1, 1];
    0: neither way ("forget this"). weight: of this wish, in ratings; > 0.
    """

    name: str
    present: Tensor
    absent: Tensor
    wanted: float
    weight: float

    def __post_init__(self) -> None:
        for side in ("present", "absent"):
            songs = getattr(self, side)
            if songs.ndim != 3 or not len(songs):
                raise ValueError(f"Edit.{side}: expected [n, layers, dim] with n >= 1, got shape {tuple(songs.shape)}")
            refuse_broken(songs, f"Edit.{side}")
        if self.present.shape[1:] != self.absent.shape[1:]:
            raise ValueError(
                f"Edit: expected songs of one encoder, got {tuple(self.present.shape[1:])} "
                f"and {tuple(self.absent.shape[1:])}"
            )
        if not -1.0 <= self.wanted <= 1.0:
            raise ValueError(f"Edit.wanted: expected -1 to 1, got {self.wanted}")
        if not 0.0 < self.weight < float("inf"):
            raise ValueError(f"Edit.weight: expected a positive number, got {self.weight}")


def refuse_broken(embeddings: Tensor, name: str) -> None:
    """Raises ValueError for songs with a number that is none."""
    broken = ~embeddings.isfinite().flatten(1).all(dim=1)
    if bool(broken.any()):
        raise ValueError(
            f"{name}: expected finite numbers, got NaN or infinity in {int(broken.sum())} of {len(broken)} songs"
        )
