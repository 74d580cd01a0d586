"""What a search climbs: likeness to a taste, less the faults of the sound."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from evolution.search.candidates import Scores
from models_store import artefacts
from models_store.aligner.model import AlignerV2
from models_store.evaluation import Evaluations

_SILENCE = artefacts.NAMES.index("silence")


class Likeness(Protocol):
    """Whoever can say how much songs are liked: a taste, for one."""

    def likeness(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Mean [N] in [-1, 1] and standard deviation [N] for songs [N, layers, dim]."""


class SongLikeness:
    """How close songs come to one song, in the space in which an aligner compares songs with users.

    target: the song's embedding [layers, dim], the encoder's.
    """

    def __init__(self, aligner: AlignerV2, target: Tensor) -> None:
        with torch.no_grad():
            self._target = aligner.project_songs(target[None])[0]  # [projection], unit norm
        self._aligner = aligner

    def likeness(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine [N] to the song, and its standard deviation [N], which is 0."""
        with torch.no_grad():
            cosine = (self._aligner.project_songs(embeddings) @ self._target).clamp(-1.0, 1.0)
        return cosine, torch.zeros_like(cosine)


class Fitness(Protocol):
    """Scores what was heard. Which fitness a search is given decides what it looks for."""

    def __call__(self, evaluations: Evaluations) -> Scores:
        """Finite scores of N evaluations, in their order."""


class TasteFitness:
    """fitness = likeness - noise_weight * artefacts, for a taste that was learned or is known.

    What is silent or not a number scores the worst there is: -1 - noise_weight.
    """

    def __init__(self, taste: Likeness, noise_weight: float) -> None:
        if not 0.0 <= noise_weight < float("inf"):
            raise ValueError(f"noise_weight: expected a number >= 0, got {noise_weight}")
        self._taste = taste
        self._noise_weight = noise_weight

    def __call__(self, evaluations: Evaluations) -> Scores:
        measures = evaluations.artefacts
        broken = ~torch.isfinite(measures).all(dim=1) | ~torch.isfinite(evaluations.embeddings).flatten(1).all(dim=1)
        broken |= measures[:, _SILENCE] >= 1.0
        # A broken embedding is replaced before the taste sees it, so that it cannot spoil the others of its batch.
        likeness, _ = self._taste.likeness(torch.where(broken[:, None, None], 0.0, evaluations.embeddings))
        broken |= ~torch.isfinite(likeness)
        likeness = torch.where(broken, -1.0, likeness.clamp(-1.0, 1.0))
        faults = torch.where(broken, 1.0, artefacts.total(measures))
        return Scores(
            fitness=_array(likeness - self._noise_weight * faults),
            likeness=_array(likeness),
            artefacts=_array(faults),
        )


def _array(values: Tensor) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.asarray(values.detach().cpu(), dtype=np.float32)
