"""AlignerV2: listeners and songs in one space, where the cosine says how much the one likes the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

Aggregation = Literal["gating", "mean"]

FARTHEST_FEATURE = 6.0
"""Standardised features are cut here (standard deviations): one freak of a sound cannot leave the known space."""


@dataclass(frozen=True)
class AlignerConfig:
    """The sizes of an aligner. They are part of its checkpoint.

    users: reference listeners in the user table.
    layers, dim: of the encoder's embeddings.
    emb_size: of a user embedding. hidden: width of the user tower. projection: of the common space.
    aggregation: how the encoder's layers become one vector.
    temperature: of the InfoNCE loss at the start; it is learned.
    """

    users: int
    layers: int
    dim: int
    emb_size: int = 32
    hidden: int = 96
    projection: int = 32
    aggregation: Aggregation = "gating"
    temperature: float = 0.1

    def __post_init__(self) -> None:
        for name in ("users", "layers", "dim", "emb_size", "hidden", "projection"):
            if getattr(self, name) < 1:
                raise ValueError(f"AlignerConfig.{name}: expected at least 1, got {getattr(self, name)}")
        if not self.temperature > 0:
            raise ValueError(f"AlignerConfig.temperature: expected a positive number, got {self.temperature}")


class GatingAggregation(nn.Module):
    """The sum of what each layer says, in a language of its own and as loud as its gate lets it.

    A gated linear unit per layer (Dauphin et al. 2017, Language modeling with gated convolutional networks,
    section 2): an encoder's layers may speak of different things, so they do not share weights.
    """

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.empty(config.layers, config.dim, config.dim))
        self.gate = nn.Parameter(torch.zeros(config.layers, config.dim, config.dim))
        self.openness = nn.Parameter(torch.zeros(config.layers, config.dim))

    def forward(self, features: Tensor) -> Tensor:
        value = torch.einsum("nld,lde->nle", features, self.value)
        gate = (torch.einsum("nld,lde->nle", features, self.gate) + self.openness).sigmoid()
        heard: Tensor = (gate * value).sum(dim=1) / features.shape[1] ** 0.5  # [N, dim]
        return heard


class MeanAggregation(nn.Module):
    """The mean over the layers."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=1)  # [N, dim]


def aggregation(config: AlignerConfig) -> nn.Module:
    """The module [N, layers, dim] -> [N, dim] that a config asks for."""
    match config.aggregation:
        case "gating":
            return GatingAggregation(config)
        case "mean":
            return MeanAggregation()
    raise ValueError(f"AlignerConfig.aggregation: expected 'gating' or 'mean', got {config.aggregation!r}")


class UserTower(nn.Module):
    """Two GELU layers with linear skips, then a layer norm: [..., emb_size] -> [..., projection]."""

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        linear = nn.Linear
        self.first = nn.utils.skip_init(linear, config.emb_size, config.hidden)
        self.first_skip = nn.utils.skip_init(linear, config.emb_size, config.hidden, bias=False)
        self.second = nn.utils.skip_init(linear, config.hidden, config.projection)
        self.second_skip = nn.utils.skip_init(linear, config.hidden, config.projection, bias=False)
        self.norm = nn.LayerNorm(config.projection)

    def forward(self, users: Tensor) -> Tensor:
        hidden = gelu(self.first(users)) + self.first_skip(users)  # [..., hidden]
        normed: Tensor = self.norm(gelu(self.second(hidden)) + self.second_skip(hidden))  # [..., projection]
        return normed


class AlignerV2(nn.Module):
    """A table of reference listeners, a user tower, and a music side on an encoder's embeddings.

    `feature_mean`, `feature_scale` [layers, dim] standardise the encoder's features; they are fitted on the training
    songs and frozen.
    """

    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(self, config: AlignerConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.user_table = nn.Parameter(torch.zeros(config.users, config.emb_size))
        self.tower = UserTower(config)
        self.aggregation = aggregation(config)
        self.projection = nn.utils.skip_init(nn.Linear, config.dim, config.projection)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.temperature)))
        self.register_buffer("feature_mean", torch.zeros(config.layers, config.dim))
        self.register_buffer("feature_scale", torch.ones(config.layers, config.dim))
        self._initialise(seed)

    @torch.no_grad()
    def _initialise(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.user_table.normal_(generator=generator)
        for module in self.modules():
            if isinstance(module, GatingAggregation):
                module.value.normal_(std=self.config.dim**-0.5, generator=generator)
            if isinstance(module, nn.Linear):
                module.weight.normal_(std=module.in_features**-0.5, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()

    @property
    def temperature(self) -> Tensor:
        return self.log_temperature.clamp(math.log(0.02), math.log(1.0)).exp()

    def reference_users(self) -> Tensor:
        """The embeddings of the reference listeners: [users, emb_size]."""
        return self.user_table.detach()

    def project_users(self, embeddings: Tensor) -> Tensor:
        """User embeddings [..., emb_size] in the common space: [..., projection], of unit norm."""
        if embeddings.shape[-1] != self.config.emb_size:
            raise ValueError(
                f"project_users: expected [..., {self.config.emb_size}], got shape {tuple(embeddings.shape)}"
            )
        return normalize(self.tower(embeddings), dim=-1)

    def standardise(self, embeddings: Tensor) -> Tensor:
        """The encoder's embeddings [N, layers, dim] in standard deviations of the training songs."""
        expected = (self.config.layers, self.config.dim)
        if embeddings.ndim != 3 or tuple(embeddings.shape[1:]) != expected:
            raise ValueError(
                f"project_songs: expected [N, {expected[0]}, {expected[1]}], got shape {tuple(embeddings.shape)}; "
                "is this the aligner of another encoder?"
            )
        features = (embeddings - self.feature_mean) / self.feature_scale
        return features.clamp(-FARTHEST_FEATURE, FARTHEST_FEATURE)

    def project_songs(self, embeddings: Tensor) -> Tensor:
        """Songs as the encoder heard them [N, layers, dim] in the common space: [N, projection], of unit norm."""
        return normalize(self.projection(self.aggregation(self.standardise(embeddings))), dim=-1)

    @torch.no_grad()
    def fit_features(self, embeddings: Tensor) -> None:
        """Take the standardisation from the training songs [N, layers, dim]."""
        deviation = embeddings.std(dim=0)
        self.feature_mean.copy_(embeddings.mean(dim=0))
        # A feature that never moves says nothing: scale 1 keeps it at zero instead of blowing up its noise.
        self.feature_scale.copy_(torch.where(deviation > 1e-5, deviation, torch.ones_like(deviation)))
