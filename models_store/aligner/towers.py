"""How a user embedding comes to the space that listeners and songs share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu

from models_store.aligner.config import AlignerConfig


class UserTower(nn.Module):
    """Two GELU layers with linear skips, then a layer norm: [..., emb_size] -> [..., projection].

    three-skips: the skips have biases, and a third one leads from the embedding straight to the norm.
    """

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        direct = config.tower == "three-skips"
        self.first = nn.Linear(config.emb_size, config.hidden)
        self.first_skip = nn.Linear(config.emb_size, config.hidden, bias=direct)
        self.second = nn.Linear(config.hidden, config.projection)
        self.second_skip = nn.Linear(config.hidden, config.projection, bias=direct)
        self.direct_skip = nn.Linear(config.emb_size, config.projection) if direct else None
        self.norm = nn.LayerNorm(config.projection)

    def forward(self, users: Tensor) -> Tensor:
        hidden = gelu(self.first(users)) + self.first_skip(users)  # [..., hidden]
        reached = gelu(self.second(hidden)) + self.second_skip(hidden)  # [..., projection]
        if self.direct_skip is not None:
            reached = reached + self.direct_skip(users)
        normed: Tensor = self.norm(reached)  # [..., projection]
        return normed
