"""Curation: which of the candidates make the playlist."""

from __future__ import annotations

import torch
from torch import Tensor

NEAR_COPY = 0.15
"""Candidates closer than this, in mean distances between candidates, sound like the same piece."""


def variety(embeddings: Tensor) -> float:
    """Mean pairwise Euclidean distance of N items [N, ...]; 0 for fewer than two."""
    if len(embeddings) < 2:
        return 0.0
    return float(torch.pdist(embeddings.reshape(len(embeddings), -1).float()).mean())


def compose(
    likeness: Tensor,
    uncertainty: Tensor,
    projected: Tensor,
    *,
    count: int,
    diversity: float = 0.3,
    explorers: int = 1,
    least_variety: float = 0.0,
    seed: int,
) -> list[int]:
    """Choose a playlist: mostly the best, varied, no near copies, a few explorers.

    Greedy maximal marginal relevance (Carbonell and Goldstein 1998): every next track has the best mix of likeness and
    distance to the nearest one chosen. Explorers are the least known of the better half, in mid-playlist.

    likeness: [N], any scale. uncertainty: [N], its standard deviation; all 0 means no explorers.
    projected: [N, ...], the space in which candidates differ: projections or the encoder's embeddings.
    count: tracks wanted; all candidates, if there are fewer. explorers: how many of them explore.
    diversity: 0 only the best, 1 only the most different.
    least_variety: wanted of the playlist, in `projected`: diversity is raised until it is reached, or is 1.
    seed: breaks ties.
    Returns distinct indices into the candidates, in playing order.
    """
    points = _checked(likeness, uncertainty, projected, count=count, diversity=diversity)
    count = min(count, len(points))
    if count == 0:
        return []
    distance = torch.cdist(points, points)  # [N, N]
    scale = float(distance.sum()) / max(1, len(points) * (len(points) - 1))
    distance = distance / scale if scale > 0 else distance
    shuffled = torch.rand(len(points), generator=torch.Generator().manual_seed(seed)) * 1e-6
    wanted = _ranked(likeness) + shuffled
    unknown = uncertainty if bool((uncertainty > 0).any()) else None
    for step in range(6):
        raised = diversity + (1.0 - diversity) * step / 5
        chosen = _greedy(wanted, unknown, distance, count=count, diversity=raised, explorers=explorers)
        if variety(points[chosen]) >= least_variety:
            break
    return chosen


def sample_by_rank(scores: Tensor, *, count: int, seed: int) -> list[int]:
    """Draw without replacement, the best with weight 1, the second 1/2, the third 1/3 ...; the best drawn first.

    scores: [N]. Returns at most `count` distinct indices.
    """
    if not len(scores) or count < 1:
        return []
    ranked = torch.argsort(scores, descending=True, stable=True)
    weights = 1.0 / torch.arange(1, len(ranked) + 1, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(weights, min(count, len(ranked)), generator=generator)
    return [int(ranked[place]) for place in drawn.sort().values]


def introduce(reference_likeness: Tensor, *, count: int) -> list[int]:
    """Choose a first playlist, for somebody of whom nothing is known: what splits the reference listeners best.

    Greedily the song about which the reference listeners still differ most, given what they say about the
    songs chosen so far: the largest conditional variance, a pivoted Cholesky factorisation of the songs'
    covariance over the listeners. Near copies are never chosen, for they would tell nothing new.

    reference_likeness: [users, N]. Returns at most `count` distinct indices, the most telling first.
    """
    if reference_likeness.ndim != 2:
        raise ValueError(f"introduce: expected [users, N], got shape {tuple(reference_likeness.shape)}")
    centred = reference_likeness.double() - reference_likeness.double().mean(dim=0)
    residual = centred.clone()  # [users, N]
    free = torch.ones(centred.shape[1], dtype=torch.bool)
    chosen: list[int] = []
    for _ in range(min(count, centred.shape[1])):
        variance = residual.square().sum(dim=0).masked_fill(~free, -1.0)
        best = int(variance.argmax())
        chosen.append(best)
        free[best] = False
        if variance[best] > 1e-12:
            direction = residual[:, best] / residual[:, best].norm()
            residual = residual - direction[:, None] * (direction @ residual)
    return chosen


def _checked(likeness: Tensor, uncertainty: Tensor, projected: Tensor, *, count: int, diversity: float) -> Tensor:
    """The candidates as float points [N, features]."""
    if len(likeness) != len(projected) or len(uncertainty) != len(projected):
        raise ValueError(
            "compose: expected as many likenesses and uncertainties as candidates, "
            f"got {len(likeness)}, {len(uncertainty)} and {len(projected)}"
        )
    if count < 0:
        raise ValueError(f"compose: expected count >= 0, got {count}")
    if not 0.0 <= diversity <= 1.0:
        raise ValueError(f"compose: expected diversity from 0 to 1, got {diversity}")
    return projected.reshape(len(projected), -1).float() if len(projected) else projected.float()


def _ranked(likeness: Tensor) -> Tensor:
    """Likeness over the candidates' spread, the best at 0: comparable with distances in mean distances."""
    spread = likeness.std(correction=0)
    return (likeness - likeness.max()) / spread.clamp_min(1e-9)


def _greedy(
    wanted: Tensor, unknown: Tensor | None, distance: Tensor, *, count: int, diversity: float, explorers: int
) -> list[int]:
    """Pick `count` candidates one by one; near copies only when nothing else is left."""
    explorers = min(explorers, count // 2) if unknown is not None else 0
    middle = range(count // 2, count // 2 + explorers)
    better = wanted >= wanted.median()
    nearest = torch.full_like(wanted, 2.0)  # [N], distance to the playlist so far
    chosen: list[int] = []
    for place in range(count):
        if unknown is not None and place in middle:
            score = unknown.masked_fill(~better, -1.0)
        else:
            score = (1.0 - diversity) * wanted + diversity * nearest.clamp(max=2.0)
        copies = nearest < NEAR_COPY
        taken = torch.zeros_like(copies)
        taken[chosen] = True
        score = score - 1e3 * copies - 1e6 * taken
        chosen.append(int(score.argmax()))
        nearest = torch.minimum(nearest, distance[chosen[-1]])
    return chosen
