"""AlignerV2: listeners and songs in one space, where the cosine says how much the one likes the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from models_store.aligner.aggregations import CrossAttentionAggregation, LayerAggregation, aggregation
from models_store.aligner.attention import Readable
from models_store.aligner.config import Aggregation, AlignerConfig
from models_store.aligner.fitting import fitted
from models_store.aligner.projections import projection
from models_store.aligner.towers import UserTower

__all__ = ["FARTHEST_FEATURE", "Aggregation", "AlignerConfig", "AlignerV2", "Heard"]

FARTHEST_FEATURE = 6.0
"""Standardised features are cut here (standard deviations): one freak of a sound cannot leave the known space."""

PAIRS_AT_ONCE = 8192
"""Of a listener and a song, where a song sounds different to each listener: 64 MiB for a width of 2048."""


class AlignerV2(nn.Module):
    """A table of reference listeners, a user tower, and a music side on an encoder's embeddings.

    `feature_mean`, `feature_scale` [layers, dim] standardise the encoder's features; they are fitted on the training
    songs and frozen.
    """

    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(self, config: AlignerConfig, *, seed: int | None = 0) -> None:
        """An aligner that knows nothing yet.

        seed: of its parameters; None: shapes without memory, which `fill` makes an aligner of.
        """
        super().__init__()
        self.config = config
        # On the meta device torch's modules draw nothing, so the global generator stays as it is.
        with torch.device("meta"):
            self.user_table = nn.Parameter(torch.empty(config.users, config.emb_size))
            self.tower = UserTower(config)
            self.aggregation = aggregation(config)
            self.projection = projection(config)
            self.log_temperature = nn.Parameter(torch.empty(()))
            self.register_buffer("feature_mean", torch.empty(config.layers, config.dim))
            self.register_buffer("feature_scale", torch.empty(config.layers, config.dim))
        if seed is not None:
            self.to_empty(device="cpu")
            self._initialise(torch.Generator().manual_seed(seed))

    @classmethod
    def of_weights(cls, config: AlignerConfig, weights: Mapping[str, Tensor]) -> AlignerV2:
        """The aligner of a config and its `state_dict()`, whose tensors it takes over.

        Raises ValueError that lists what is missing, unexpected, of another shape or not finite.
        """
        aligner = cls(config, seed=None)
        aligner.load_state_dict(fitted(aligner.state_dict(), weights), assign=True)
        return aligner

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        self.user_table.normal_(generator=generator)
        self.log_temperature.fill_(math.log(self.config.temperature))
        self.feature_mean.zero_()
        self.feature_scale.fill_(1.0)
        for module in self.modules():
            if isinstance(module, LayerAggregation):
                module.initialise(generator)
            if isinstance(module, nn.Linear):
                module.weight.normal_(std=module.in_features**-0.5, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
            if isinstance(module, nn.LayerNorm | nn.BatchNorm1d):
                module.reset_parameters()

    @property
    def temperature(self) -> Tensor:
        low, high = self.config.temperature_bounds
        return self.log_temperature.clamp(math.log(low), math.log(high)).exp()

    def reference_users(self) -> Tensor:
        """The embeddings of the reference listeners: [users, emb_size]."""
        return self.user_table.detach()

    def project_users(self, embeddings: Tensor) -> Tensor:
        """User embeddings [..., emb_size] in the common space: [..., projection], of unit norm."""
        return normalize(self.projection.of_users(self._towered(embeddings, "project_users")), dim=-1)

    def standardise(self, embeddings: Tensor) -> Tensor:
        """The encoder's embeddings [N, layers, dim] in standard deviations of the training songs.

        As they are, for an aligner that takes them so.
        """
        expected = (self.config.layers, self.config.dim)
        if embeddings.ndim != 3 or tuple(embeddings.shape[1:]) != expected:
            raise ValueError(
                f"project_songs: expected [N, {expected[0]}, {expected[1]}], got shape {tuple(embeddings.shape)}; "
                "is this the aligner of another encoder?"
            )
        if not self.config.standardised:
            return embeddings
        features = (embeddings - self.feature_mean) / self.feature_scale
        return features.clamp(-FARTHEST_FEATURE, FARTHEST_FEATURE)

    def project_songs(self, embeddings: Tensor, *, listener: Tensor | None = None) -> Tensor:
        """Songs as the encoder heard them [N, layers, dim] in the common space: [N, projection], of unit norm.

        listener: a user embedding [emb_size]: with whose ears, for an aggregation to which a song sounds different for
        each listener (cross-attention, self-cross-attention); None: the mean reference listener's, so that songs
        have one place for all. `cosines` lets everybody use their own. The other aggregations do not ask.
        """
        features = self.standardise(embeddings)
        if isinstance(self.aggregation, CrossAttentionAggregation):
            ears = self.user_table.mean(dim=0) if listener is None else listener
            towered = self._towered(ears, "project_songs: listener")
            heard = self.aggregation.listen(self.aggregation.read(features), towered[None])[0]  # [N, dim]
        else:
            heard = self.aggregation(features)  # [N, dim]
        return normalize(self.projection(heard), dim=-1)

    def hear(self, embeddings: Tensor) -> Heard:
        """Songs [N, layers, dim], ready to be compared with any listeners."""
        if isinstance(self.aggregation, CrossAttentionAggregation):
            return Heard(self, self.aggregation.read(self.standardise(embeddings)))
        return Heard(self, self.project_songs(embeddings))

    def cosines(self, users: Tensor, embeddings: Tensor) -> Tensor:
        """How much each user [M, emb_size] likes each song [N, layers, dim]: [M, N] in [-1, 1]."""
        return self.hear(embeddings).cosines(users)

    def _towered(self, embeddings: Tensor, asked: str) -> Tensor:
        if embeddings.shape[-1:] != (self.config.emb_size,):
            raise ValueError(f"{asked}: expected [..., {self.config.emb_size}], got shape {tuple(embeddings.shape)}")
        towered: Tensor = self.tower(embeddings)  # [..., projection]
        return towered

    @torch.no_grad()
    def fit_features(self, embeddings: Tensor) -> None:
        """Take the standardisation from the training songs [N, layers, dim]."""
        deviation = embeddings.std(dim=0)
        self.feature_mean.copy_(embeddings.mean(dim=0))
        # A feature that never moves says nothing: scale 1 keeps it at zero instead of blowing up its noise.
        self.feature_scale.copy_(torch.where(deviation > 1e-5, deviation, torch.ones_like(deviation)))


@dataclass(frozen=True)
class Heard:
    """Songs of which everything is computed that no listener changes.

    songs: projected [N, projection], or ready to be asked where they sound different to each listener.
    """

    aligner: AlignerV2
    songs: Tensor | Readable

    def __len__(self) -> int:
        return len(self.songs if isinstance(self.songs, Tensor) else self.songs.mean)

    def __getitem__(self, chosen: Tensor) -> Heard:
        """Some of the songs: by their indices, or by a bool for each."""
        if isinstance(self.songs, Tensor):
            return Heard(self.aligner, self.songs[chosen])
        return Heard(self.aligner, Readable(*(part[chosen] for part in self.songs)))

    def cosines(self, users: Tensor) -> Tensor:
        """How much each user [M, emb_size] likes each song: [M, N] in [-1, 1]."""
        projected = self.aligner.project_users(users)  # [M, projection]
        if isinstance(self.songs, Tensor):
            return projected @ self.songs.T
        towered = self.aligner.tower(users)  # [M, projection]
        at_once = max(1, PAIRS_AT_ONCE // max(1, len(self)))
        parts = zip(projected.split(at_once), towered.split(at_once), strict=True)
        return torch.cat([self._asked(*part, self.songs) for part in parts])  # [M, N]

    def _asked(self, projected: Tensor, towered: Tensor, songs: Readable) -> Tensor:
        """The same for few users [m, projection], in the common space and as the tower leaves them: [m, N]."""
        aggregation = self.aligner.aggregation
        if not isinstance(aggregation, CrossAttentionAggregation):
            raise TypeError(f"Heard: {aggregation} asks no listener")
        heard = normalize(self.aligner.projection(aggregation.listen(songs, towered)), dim=-1)  # [m, N, projection]
        return torch.einsum("mp,mnp->mn", projected, heard)
