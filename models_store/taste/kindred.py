"""The reference users whom a listener may be one of: their posterior, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.special import ndtr


@dataclass(frozen=True)
class Way:
    """A way to answer. spread, lapse: see `priors.Prior`. likely: its probability beforehand."""

    spread: float
    lapse: float
    likely: float


WAYS = (Way(spread=200.0, lapse=0.002, likely=1.0),)
"""Who is just like somebody says just what they would say: then few ratings tell who it is, and a few more tell that it
is nobody. Vaguer ways to be like somebody fit anybody a little, and were slower in both."""


@dataclass(frozen=True)
class Kindred:
    """shares: [K, users], of the posterior of each user under each of K ways to answer; evidence: [K], logs, of how
    probable the way is included.

    spread, lapse: [K], of these ways, see `priors.Prior`.
    """

    shares: Tensor
    evidence: Tensor
    spread: Tensor
    lapse: Tensor


def among(
    scores: Tensor,
    signs: Tensor,
    weights: Tensor,
    *,
    missed: Tensor,
    ways: Sequence[Way] = WAYS,
) -> Kindred:
    """Who of the users would have said the same, each as likely beforehand.

    scores: [users, n], of the rated songs, of deviation 1 over songs. signs, weights: [n]. missed: [users], the log of
    how probable it is that a user wishes what was wished.
    """
    spread, lapse, likely = (
        torch.tensor([getattr(way, name) for way in ways], dtype=torch.float64)
        for name in ("spread", "lapse", "likely")
    )
    agreed = (scores * signs).float()  # [users, n]
    shares = {one: ndtr(one * agreed) for one in {way.spread for way in ways}}
    said = torch.stack([_said(shares[way.spread], weights, way.lapse) for way in ways])  # [K, users]
    total = said + missed
    evidence = total.logsumexp(dim=1) - math.log(len(scores)) + likely.log()
    return Kindred(total.softmax(dim=1), evidence, spread, lapse)


def _said(shares: Tensor, weights: Tensor, lapse: float) -> Tensor:
    """The log probability of all answers [users], from that of each [users, n] without slips."""
    total: Tensor = (lapse + (1.0 - 2.0 * lapse) * shares).log() @ weights.float()
    return total.double()
