"""Read-outs: whether a song has a concept, by ear alone: one linear function of the encoder's features for each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

AUDIBLE = 0.6
"""ROC AUC on songs that were not learned from, from which a concept is heard at all (0.5: by luck)."""

BEYOND_LUCK = 3.0
"""Standard errors by which the AUC of a rare concept has to be above 0.5 besides."""

TRUSTED = 0.6
"""Of the songs that are said to have a concept by ear, how many shall have it."""

_FEWEST = 5


@dataclass(frozen=True)
class Readouts:
    """Linear functions of a song's embedding, one for each of C concepts.

    weights: float32 [C, layers * dim + 1], the last for a feature that is 1. A song has the concept where the function
    is positive; 1 is a standard deviation of it over songs.
    aucs: [C], of telling songs that have the concept from songs that lack it, on songs not learned from; NaN where
    there are none. audible: bool [C], whether that is heard, and not by luck.
    """

    weights: Tensor
    aucs: Tensor
    audible: Tensor


def fit(embeddings: Tensor, has: Tensor, lacks: Tensor) -> Readouts:
    """Ridge regression on songs [N, layers, dim] of which has and lacks (bool) [C, N] are known.

    Each feature is standardised; the penalty is the number of features. What the songs not learned from would get is
    the leave-one-out prediction in closed form (Hastie, Tibshirani and Friedman 2009, section 7.10). The border
    is where as many songs are above it as have the concept, or higher, so that TRUSTED of those above it have it.
    """
    flat = embeddings.flatten(1).double()
    deviation = flat.std(dim=0, correction=0)
    scale = torch.where(deviation > 1e-5, deviation, torch.inf)
    features = (flat - flat.mean(dim=0)) / scale  # [N, F]
    known = has | lacks
    share = has.sum(dim=1) / known.sum(dim=1).clamp_min(1)  # [C]
    # What is not known stands in the middle: it pulls neither way.
    wanted = torch.where(known, has.double(), share[:, None].double()).T - share.double()  # [N, C]
    gram = features @ features.T  # [N, N]
    penalty = torch.eye(len(flat), dtype=torch.float64) * features.shape[1]
    influence = torch.linalg.solve(gram + penalty, gram) + 1.0 / len(flat)  # the mean is fitted, too
    leverage = influence.diagonal()[:, None].clamp(max=0.999)
    mean = wanted.mean(dim=0)
    told = influence @ (wanted - mean) + mean
    blind = ((told - leverage * wanted) / (1.0 - leverage)).T  # [C, N]
    direction = features.T @ torch.linalg.solve(gram + penalty, wanted - mean)  # [F, C]
    border = torch.stack([_border(*row) for row in zip(blind, has, known, strict=True)])  # [C]
    size = blind.std(dim=1, correction=0).clamp_min(1e-9)
    slope = (direction / scale[:, None]).T / size[:, None]  # [C, F]
    offset = (mean - border) / size - slope @ flat.mean(dim=0)
    aucs = torch.stack([_auc(*row) for row in zip(blind, has, lacks, strict=True)])
    # By luck the ranks of n among many songs have an AUC with the variance 1 / (12 n) (Mann and Whitney 1947).
    luck = (1.0 / (12.0 * has.sum(dim=1).clamp_min(1))).sqrt()
    audible = aucs >= 0.5 + (BEYOND_LUCK * luck).clamp_min(AUDIBLE - 0.5)
    return Readouts(torch.cat([slope, offset[:, None]], dim=1).float(), aucs.float(), audible)


def read(weights: Tensor, embeddings: Tensor) -> Tensor:
    """How clearly songs [N, layers, dim] have the concepts of read-outs [C, layers * dim + 1]: [C, N]."""
    return weights[:, :-1] @ embeddings.float().flatten(1).T + weights[:, -1:]


def _border(blind: Tensor, has: Tensor, known: Tensor) -> Tensor:
    """The value above which a song is said to have the concept; far above all where nothing could be trusted."""
    ordered, order = blind[known].sort(descending=True)
    right = has[known][order].cumsum(dim=0) / torch.arange(1, len(order) + 1)
    most = max(_FEWEST, int(has.sum()))
    good = (right[_FEWEST - 1 : most] >= TRUSTED).nonzero().flatten()
    if not len(good):
        return blind.max() + 10.0 * blind.std()
    last = int(good[-1]) + _FEWEST - 1
    return ordered[last : last + 2].mean()


def _auc(blind: Tensor, has: Tensor, lacks: Tensor) -> Tensor:
    """ROC AUC, by ranks (Mann and Whitney 1947)."""
    positive, negative = int(has.sum()), int(lacks.sum())
    if not positive or not negative:
        return blind.new_tensor(torch.nan)
    ranks = torch.cat([blind[has], blind[lacks]]).argsort().argsort() + 1.0
    return (ranks[:positive].sum() - positive * (positive + 1) / 2).double() / (positive * negative)
