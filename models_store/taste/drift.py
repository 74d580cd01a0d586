"""Does a listener still mean what was said long ago? Old ratings fade when they disagree with new ones."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from models_store.taste import probit

CUTS = (6, 12, 20, 48)
"""How many ratings ago a taste may have changed."""

LEAST_BEFORE = 6
TURNS = 0.05
"""The probability, before looking, that a taste has changed at one of these places."""


def faded(known: probit.Evidence) -> Tensor:
    """What each of n ratings, oldest first, still counts: [n] in [0, 1], the probability that no change came after it.

    A change is believed when two tastes, one before and one after it, explain the ratings better than one does, by
    more than a second taste may cost: the Bayes factor of Adams and MacKay (2007, Bayesian online changepoint
    detection), for a few places of the change.
    known: the ratings as G priors see them, G >= 1, each as likely; wishes are not looked at.
    """
    total = known.songs.shape[1]
    cuts = [cut for cut in CUTS if total - cut >= LEAST_BEFORE]
    if not cuts:
        return torch.ones(total, dtype=torch.float64)
    masks = _masks(total, cuts)  # [1 + 2C, n]
    evidence = probit.fit(_masked(known, masks), sweeps=probit.ROUGH).evidence.reshape(len(masks), -1)  # [1 + 2C, G]
    evidence = evidence.logsumexp(dim=1) - math.log(evidence.shape[1])
    whole, before, after = evidence[0], evidence[1 : 1 + len(cuts)], evidence[1 + len(cuts) :]
    turned = before + after - whole + math.log(TURNS / len(cuts) / (1.0 - TURNS))
    share = torch.cat([turned, turned.new_zeros(1)]).softmax(dim=0)[:-1]  # [C]
    fade = torch.ones(total, dtype=torch.float64)
    for cut, lost in zip(cuts, share, strict=True):
        fade[: total - cut] -= lost
    return fade.clamp(0.0, 1.0)


def _masks(total: int, cuts: list[int]) -> Tensor:
    """All ratings; those before each cut; those after each: [1 + 2C, n]."""
    place = torch.arange(total)
    after = torch.stack([place >= total - cut for cut in cuts])
    return torch.cat([torch.ones(1, total, dtype=torch.bool), ~after, after]).double()


def _masked(known: probit.Evidence, masks: Tensor) -> probit.Evidence:
    """The ratings under each of M masks and G priors, as M * G regressions without wishes."""
    models = len(known.songs)
    weights = masks[:, None] * known.weights.expand(models, -1)[None]  # [M, G, n]

    def repeated(values: Tensor) -> Tensor:
        return values.repeat(len(masks), *[1] * (values.ndim - 1))

    return replace(
        known,
        songs=repeated(known.songs),
        offset=repeated(known.offset),
        weights=weights.flatten(0, 1),  # [M * G, n]
        lapse=repeated(known.lapse),
        wishes=repeated(known.wishes[:, :0]),
        wanted=repeated(known.wanted[:, :0]),
        looseness=repeated(known.looseness[:, :0]),
    )
