"""How an aggregated song [..., dim] comes to the common space [..., projection], and what listeners share of it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu

from models_store.aligner.config import AlignerConfig


class AffineProjection(nn.Linear):
    """One linear map. Listeners are there already."""

    def of_users(self, users: Tensor) -> Tensor:
        """Users [..., projection] as the tower leaves them."""
        return users


class ResidualLayer(nn.Module):
    """A GELU layer of width `hidden` beside its input: [..., size] -> [..., size]."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Linear(size, hidden)
        self.narrow = nn.Linear(hidden, size)

    def forward(self, values: Tensor) -> Tensor:
        deepened: Tensor = self.narrow(gelu(self.widen(values))) + values
        return deepened


class NormedProjection(nn.Module):
    """A residual layer of the songs' own (linear), one that songs and listeners share (shared), both, or none (ln),
    and a layer norm, which listeners share where they share a layer.

    Where a song's vector is of another size than the common space, a linear map brings it there first.
    """

    def __init__(self, config: AlignerConfig, *, own: bool, shared: bool) -> None:
        super().__init__()
        size = config.projection
        self.entry = _entry(config)
        self.own = ResidualLayer(size, config.hidden) if own else nn.Identity()
        self.shared = ResidualLayer(size, config.hidden) if shared else None
        self.norm = nn.LayerNorm(size)

    def forward(self, songs: Tensor) -> Tensor:
        """Songs [..., dim] -> [..., projection]."""
        return self._meet(self.own(self.entry(songs)))

    def of_users(self, users: Tensor) -> Tensor:
        """Users [..., projection], from the tower."""
        return users if self.shared is None else self._meet(users)

    def _meet(self, values: Tensor) -> Tensor:
        normed: Tensor = self.norm(values if self.shared is None else self.shared(values))
        return normed


class BatchNormProjection(nn.Module):
    """Each number in standard deviations of the training songs: in evaluation nothing depends on the batch."""

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        self.entry = _entry(config)
        self.norm = nn.BatchNorm1d(config.projection)

    def forward(self, songs: Tensor) -> Tensor:
        """Songs [..., dim] -> [..., projection]."""
        entered = self.entry(songs)
        normed: Tensor = self.norm(entered.flatten(0, -2)).reshape(entered.shape)  # [..., projection]
        return normed

    def of_users(self, users: Tensor) -> Tensor:
        """Users [..., projection] as the tower leaves them."""
        return users


def projection(config: AlignerConfig) -> AffineProjection | NormedProjection | BatchNormProjection:
    """The module that a config asks for."""
    match config.projection_type:
        case "affine":
            return AffineProjection(config.dim, config.projection)
        case "linear":
            return NormedProjection(config, own=True, shared=False)
        case "shared":
            return NormedProjection(config, own=False, shared=True)
        case "shared+linear":
            return NormedProjection(config, own=True, shared=True)
        case "ln":
            return NormedProjection(config, own=False, shared=False)
        case "bn":
            return BatchNormProjection(config)


def _entry(config: AlignerConfig) -> nn.Module:
    return nn.Identity() if config.dim == config.projection else nn.Linear(config.dim, config.projection)
