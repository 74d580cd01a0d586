"""How close an estimated taste comes to the true one, where that is known."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.functional import cosine_similarity

from models_store.taste.base import EmbeddingTaste, Taste

Ranks = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Estimated against true scores of the same songs.

    spearman: rank correlation, in [-1, 1]; 0 where one of them ranks nothing.
    auc: probability that a song with a positive true score is estimated above one without (Mann-Whitney U over the
        number of pairs); 0.5 where all songs are of one kind.
    cosine: of the two score vectors. Scores that ignore the user reach a high one already: never quote it alone.
    """

    spearman: float
    auc: float
    cosine: float


def agreement(estimated: Tensor, true: Tensor) -> Agreement:
    """Compare scores [N] with scores [N], N >= 1. Raises ValueError for other shapes."""
    if estimated.ndim != 1 or estimated.shape != true.shape or not len(true):
        raise ValueError(
            f"agreement: expected two vectors of one length >= 1, got {tuple(estimated.shape)} and {tuple(true.shape)}"
        )
    first, second = (rankdata(scores.double().numpy()) for scores in (estimated, true))
    positive = true.numpy() > 0
    return Agreement(
        spearman=_correlation(first, second),
        auc=_auc(first, positive),
        cosine=float(cosine_similarity(estimated.double(), true.double(), dim=0)),
    )


def compare(estimated: Taste, true: Taste, embeddings: Tensor) -> dict[str, float]:
    """A learned taste against the true one, on songs [N, layers, dim].

    Gives spearman, auc and cosine of the scores; embedding_cosine, absolute_error and squared_error (means over the
    embedding's numbers) of the user embeddings, as the prototype measured them; of the two directions in the common
    space, where one of the tastes is no user embedding.
    """
    scores, truth = estimated.likeness(embeddings)[0], true.likeness(embeddings)[0]
    places = estimated.vector, true.vector
    if isinstance(estimated, EmbeddingTaste) and isinstance(true, EmbeddingTaste):
        places = estimated.user, true.user
    difference = places[0] - places[1]
    return {
        **asdict(agreement(scores, truth)),
        "embedding_cosine": float(cosine_similarity(*places, dim=0)),
        "absolute_error": float(difference.abs().mean()),
        "squared_error": float(difference.square().mean()),
        "true_spread": float(torch.std(truth, correction=0)),
    }


def _correlation(first: Ranks, second: Ranks) -> float:
    spread = float(first.std() * second.std())
    if spread == 0.0:
        return 0.0
    return float(((first - first.mean()) * (second - second.mean())).mean() / spread)


def _auc(ranks: Ranks, positive: NDArray[np.bool_]) -> float:
    liked, others = int(positive.sum()), int((~positive).sum())
    if not liked or not others:
        return 0.5
    return float((ranks[positive].sum() - liked * (liked + 1) / 2) / (liked * others))
