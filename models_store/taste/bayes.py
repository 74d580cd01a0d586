"""Learning a taste by Bayes: several kinds of listener are thought possible, and the ratings decide between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from models_store.aligner.model import AlignerV2
from models_store.taste import features, mixture, posterior
from models_store.taste.base import TasteLearner
from models_store.taste.memory import LIKE, NO_OPINION, Memory
from models_store.taste.priors import Users

MOST_RATINGS = 2000
"""Learned from at most: the newest half of them, and as many evenly from all before, which then weigh more."""


@dataclass(frozen=True)
class Bayes(TasteLearner):
    """A mixture of Gaussian beliefs (`priors`) and of the reference users (`kindred`), weighed by their evidence.

    Nothing is drawn but the tastes that stand for the result, so the same memory and seed give the same taste.
    """

    name: ClassVar[str] = "bayes"

    aligner: AlignerV2
    drifts: bool = True
    supposing: mixture.Suppositions = field(default_factory=mixture.Suppositions)

    def learn(self, memory: Memory, *, start: Tensor | None = None, seed: int) -> posterior.PosteriorTaste:  # noqa: ARG002
        """See `TasteLearner.learn`. It begins nowhere: `start` changes nothing."""
        heard = _heard(memory)
        looked = features.look(self._plain, heard.embeddings, heard.ratings == LIKE)
        belief = mixture.Belief.of(looked, self._users, heard, self.supposing)
        if self.drifts:
            belief = belief.faded()
        return posterior.PosteriorTaste(self.aligner, looked, belief.mixture())

    def restore(self, state: Mapping[str, Tensor]) -> posterior.PosteriorTaste:
        """See `TasteLearner.restore`."""
        return posterior.PosteriorTaste.of_state(self.aligner, state)

    @cached_property
    def _plain(self) -> features.Features:
        return features.plain(self.aligner)

    @cached_property
    def _users(self) -> Users:
        return Users.of(self._plain)


def _heard(memory: Memory) -> Memory:
    """What was liked or disliked, oldest first; at most MOST_RATINGS of it, where some stand for others."""
    rated = ((memory.ratings != NO_OPINION) & (memory.weights > 0)).nonzero().flatten()
    rated = rated[torch.argsort(memory.rounds[rated], stable=True)]
    if torch.equal(rated, torch.arange(len(memory))) and len(rated) <= MOST_RATINGS:
        return memory
    if len(rated) <= MOST_RATINGS:
        return memory.where(rated)
    newest = MOST_RATINGS // 2
    older = len(rated) - newest
    kept = torch.linspace(0, older - 1, MOST_RATINGS - newest).round().long()
    chosen = memory.where(torch.cat([rated[kept], rated[older:]]))
    weights = chosen.weights.clone()
    weights[: len(kept)] *= older / len(kept)
    return replace(chosen, weights=weights)
