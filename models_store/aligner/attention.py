"""Attention over the layers of a song, with one head: what its listener, or a query that was learned, asks of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear


class Readable(NamedTuple):
    """Songs as they can be asked: keys and values [N, layers, dim], and what is said unasked [N, dim]."""

    keys: Tensor
    values: Tensor
    mean: Tensor


class Attention(nn.Module):
    """Scaled dot-product attention with one head (Vaswani et al. 2017, section 3.2).

    `into` is the map to queries, keys and values, one above the other as in torch's own module; `out` is what follows.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.into = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def queries(self, asked: Tensor) -> Tensor:
        """[..., dim] -> [..., dim]."""
        return linear(asked, self.into.weight[: self.dim], self.into.bias[: self.dim])

    def read(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [N, layers, dim] of [N, layers, dim]; `out` is in the values already.

        Attention weights add up to 1, so `out`, bias included, may be applied before the values are weighed: once per
        song instead of once per song and listener.
        """
        keys, values = linear(features, self.into.weight[self.dim :], self.into.bias[self.dim :]).chunk(2, dim=-1)
        return keys, self.out(values)

    def ask(self, asked: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """What each of M askers [M, dim] is told by each of N songs: [M, N, dim]."""
        weights = torch.einsum("md,nld->mnl", self.queries(asked) / self.dim**0.5, keys).softmax(dim=-1)
        return torch.einsum("mnl,nld->mnd", weights, values)

    def forward(self, features: Tensor) -> Tensor:
        """What the layers of a song tell each other: [N, layers, dim] -> [N, layers, dim]."""
        keys, values = self.read(features)
        weights = torch.einsum("nqd,nld->nql", self.queries(features) / self.dim**0.5, keys).softmax(dim=-1)
        return torch.einsum("nql,nld->nqd", weights, values)


class SelfAttentionLayer(nn.Module):
    """One layer of a transformer's encoder, normalised after each of its halves (Vaswani et al. 2017, section 3.1)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.attention = Attention(dim)
        self.attended_norm = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, hidden)
        self.narrow = nn.Linear(hidden, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, features: Tensor) -> Tensor:
        attended = self.attended_norm(features + self.attention(features))  # [N, layers, dim]
        normed: Tensor = self.norm(attended + self.narrow(gelu(self.widen(attended))))  # [N, layers, dim]
        return normed
