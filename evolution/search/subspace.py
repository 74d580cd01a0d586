"""The coordinates that a vector search moves in: every number of a genome, or the pool's principal directions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import blake2b

import torch
from torch import Tensor

_SMALLEST_SHARE = 1e-10
"""Directions with less than this share of the largest variance are rounding errors."""


class Space(ABC):
    """Genomes [N, tokens, dim] as coordinates [N, length] and back.

    shape: tokens and dim of a genome. length: how many coordinates it has.
    spread: float32 [length], the standard deviation of the pool's coordinates; 0 where they do not differ.
    digest: tells spaces apart; coordinates of one mean nothing in another.
    """

    shape: tuple[int, int]
    length: int
    spread: Tensor
    digest: str

    @abstractmethod
    def covariance(self) -> Tensor:
        """How the pool's coordinates go together, float32 [length, length]."""

    @abstractmethod
    def encode(self, genomes: Tensor) -> Tensor:
        """Coordinates float32 [N, length] of genomes [N, tokens, dim]."""

    @abstractmethod
    def decode(self, coordinates: Tensor) -> Tensor:
        """Genomes float32 [N, tokens, dim] of coordinates [N, length]."""


class FullSpace(Space):
    """Every number of a genome is a coordinate."""

    def __init__(self, pool: Tensor) -> None:
        """pool: float [P, tokens, dim], embedded prompts."""
        rows = _rows(pool)
        self.shape = (int(pool.shape[1]), int(pool.shape[2]))
        self.length = rows.shape[1]
        self.spread = rows.std(dim=0, correction=0).float()
        self.digest = f"full {self.shape[0]} x {self.shape[1]}"
        self._pool = pool

    def covariance(self) -> Tensor:
        return torch.cov(_rows(self._pool).T, correction=0).float()

    def encode(self, genomes: Tensor) -> Tensor:
        return genomes.detach().to("cpu", torch.float32).flatten(1).contiguous()

    def decode(self, coordinates: Tensor) -> Tensor:
        return coordinates.reshape(-1, *self.shape)  # [N, tokens, dim]


class PrincipalSubspace(Space):
    """The `directions` in which the pool's embedded prompts differ most, each scaled to a spread of 1 in the pool.

    A principal component analysis: the leading eigenvectors of the pool's covariance, by way of the smaller of its
    two Gram matrices. Their signs are chosen so that the largest component of each is positive. What a genome has
    outside the subspace is lost by `encode`; `decode` gives the pool's mean there.
    Raises ValueError for more directions than the pool has, with their number.
    """

    def __init__(self, pool: Tensor, *, directions: int) -> None:
        """pool: float [P, tokens, dim], embedded prompts."""
        if directions < 1:
            raise ValueError(f"subspace: expected at least 1 direction, got {directions}")
        rows = _rows(pool)
        self.shape = (int(pool.shape[1]), int(pool.shape[2]))
        self.length = directions
        self.spread = torch.ones(directions)
        self._mean = rows.mean(dim=0)
        vectors, deviations = _principal(rows - self._mean)
        possible = len(deviations)
        if directions > possible:
            raise ValueError(
                f"subspace: expected at most {possible}, the number of directions in which the pool's {len(rows)} "
                f"prompts of {self.shape[0]} x {self.shape[1]} numbers differ, got {directions}"
            )
        self._vectors, self._deviations = vectors[:directions], deviations[:directions]  # [K, tokens * dim], [K]
        content = blake2b(pool.detach().to("cpu", torch.float32).contiguous().numpy().tobytes(), digest_size=16)
        self.digest = f"{directions} of {self.shape[0]} x {self.shape[1]}, pool {content.hexdigest()}"

    def covariance(self) -> Tensor:
        return torch.eye(self.length)

    def encode(self, genomes: Tensor) -> Tensor:
        rows = genomes.detach().to("cpu", torch.float64).flatten(1)
        return ((rows - self._mean) @ self._vectors.T / self._deviations).float()

    def decode(self, coordinates: Tensor) -> Tensor:
        # In double precision, so that a genome does not depend on its batch in the last bit of its 32.
        scaled = coordinates.detach().to("cpu", torch.float64) * self._deviations
        return (scaled @ self._vectors + self._mean).float().reshape(-1, *self.shape)


def _principal(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Directions [R, tokens * dim] and deviations [R] of rows [P, tokens * dim] around zero, the widest first."""
    count, numbers = centred.shape
    wide = numbers > count
    gram = (centred @ centred.T if wide else centred.T @ centred) / count
    values, vectors = torch.linalg.eigh(gram)  # ascending
    values, vectors = values.flip(0), vectors.flip(1).T  # [R], a row for each
    kept = values > max(float(values[0]), 0.0) * _SMALLEST_SHARE
    values, vectors = values[kept], vectors[kept]
    if wide:
        vectors = vectors @ centred
        vectors = vectors / vectors.norm(dim=1, keepdim=True)
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True)) if len(vectors) else vectors[:, :1]
    return vectors * largest.sign(), values.sqrt()


def _rows(pool: Tensor) -> Tensor:
    """The pool as float64 [P, tokens * dim]."""
    if pool.ndim != 3 or len(pool) == 0:
        raise ValueError(f"pool: expected [P, tokens, dim] of at least one prompt, got shape {tuple(pool.shape)}")
    rows = pool.detach().to("cpu", torch.float64).flatten(1)
    if not torch.isfinite(rows).all():
        raise ValueError("pool: expected finite numbers, got NaN or infinity")
    return rows
