"""Two listeners, one order: what both would like, and how much it counts that neither is left out."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST_CHANCE = 1e-6
"""A chance of nothing at all would rank everything that one of the two cannot bear alike."""


def shared(first: Tensor, second: Tensor, *, fairness: float) -> Tensor:
    """How much two listeners would like songs together: a geometric mean that leans towards the one who likes it less.

        log s = (1 + fairness) / 2 * log min(p, q) + (1 - fairness) / 2 * log max(p, q)

    With fairness 0 the order is that of the product p * q, the chance that both like it; with 1 it is that of the
    smaller of the two, so that neither has to bear what they dislike (Nash's and Rawls' welfare, and what lies between;
    Moulin, Fair Division and Collective Welfare, 2003, chapter 3).

    first, second: [N] probabilities in [0, 1] that the one and the other would like each song.
    Returns [N] in [0, 1]: between the two, the same whoever is first.
    Raises ValueError for anything else.
    """
    for name, chances in (("first", first), ("second", second)):
        if chances.ndim != 1 or chances.shape != first.shape:
            raise ValueError(
                f"shared.{name}: expected [N] like the other, got shapes {tuple(first.shape)} and {tuple(second.shape)}"
            )
        if not bool(((chances >= 0.0) & (chances <= 1.0)).all()):
            wrong = chances[~((chances >= 0.0) & (chances <= 1.0))]
            raise ValueError(f"shared.{name}: expected probabilities from 0 to 1, got {float(wrong[0])}")
    if not 0.0 <= fairness <= 1.0:
        raise ValueError(f"shared.fairness: expected 0 to 1, got {fairness}")
    one, other = first.double().clamp_min(LEAST_CHANCE).log(), second.double().clamp_min(LEAST_CHANCE).log()
    lean = (1.0 + fairness) / 2.0
    mixed = lean * torch.minimum(one, other) + (1.0 - lean) * torch.maximum(one, other)
    return mixed.exp().float()
