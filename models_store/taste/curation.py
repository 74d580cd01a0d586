"""Curation: which songs make the playlist, and why: because they will be liked, or to learn from the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from models_store.aligner.model import AlignerV2
from models_store.taste import asking

NEAR_COPY = 0.4
"""Songs closer than this, in distances between unrelated songs, are one piece to the ear. Nine of ten pairs that
were played from one prompt with two seeds lie farther apart, and all of two prompts (docs/curation.md)."""

MOST_ASKED = 0.25
"""Of a playlist, while nothing is known of the listener: then so much of it is there to be learned from."""

Role = Literal["evolved", "asked"]


@dataclass(frozen=True)
class Pick:
    """A song of the playlist, by its index among the candidates, and whether it is there to learn from."""

    index: int
    role: Role


def variety(embeddings: Tensor) -> float:
    """Mean pairwise Euclidean distance of N items [N, ...]; 0 for fewer than two."""
    if len(embeddings) < 2:
        return 0.0
    return float(torch.pdist(embeddings.reshape(len(embeddings), -1).float()).mean())


def unrelated(aligner: AlignerV2) -> float | None:
    """How far two songs that have nothing in common lie apart, as `aligner.standardise` gives them; None: not known.

    Of standardised features each differs by 2 in the mean square.
    """
    return math.sqrt(2.0 * aligner.config.layers * aligner.config.dim) if aligner.config.standardised else None


def apart(sounds: Tensor, others: Tensor | None, *, scale: float | None) -> Tensor:
    """Which of N songs are no near copies of any of M others: bool [N]; all of them where others is None.

    sounds: [N, ...], others: [M, ...], in one space. scale: see `unrelated`; None: the others' mean distance.
    """
    points = sounds.flatten(1).float()
    if others is None or not len(others):
        return torch.ones(len(points), dtype=torch.bool)
    known = others.flatten(1).float()
    return (torch.cdist(points, known) >= NEAR_COPY * (scale or variety(known))).all(dim=1)


def how_many_to_ask(draws: Tensor, *, count: int) -> int:
    """How many of `count` songs are there to learn from: the fewer, the more the drawn tastes [D, N] agree."""
    return round(MOST_ASKED * count * (1.0 - asking.agreed(draws)))


def compose(
    wanted: Tensor,
    sounds: Tensor,
    *,
    count: int,
    believed: tuple[Tensor, Tensor] | None = None,
    asked: int = 0,
    diversity: float = 0.3,
    least_variety: float = 0.0,
    scale: float | None = None,
    unwanted: Tensor | None = None,
    strict: bool = True,
    seed: int,
) -> list[Pick]:
    """Choose a playlist: mostly what is wanted most, varied, without near copies, and some songs to learn from.

    Greedy maximal marginal relevance (Carbonell and Goldstein 1998): every next song has the best mix of being wanted
    and of distance to the nearest one chosen. Then those are asked whose answers tell most beside the answers to the
    chosen ones (`asking.ask`), of the better half of the candidates; they come in mid-playlist.

    wanted: [N], any scale. sounds: [N, ...], where songs lie that sound alike: the encoder's standardised embeddings.
    count: songs wanted. asked: how many of them are there to learn from, at most half; needs `believed`.
    believed: of the taste, draws [D, N] and the probability [N] of a like; None: nothing is asked.
    diversity: 0 only the most wanted, 1 only the most different.
    least_variety: wanted of the playlist, in `sounds`: diversity is raised until it is reached, or is 1.
    scale: between unrelated songs (see `unrelated`); None: the mean distance between the candidates.
    unwanted: [M, ...], what shall never come again, nor anything that sounds nearly like it.
    strict: rather a shorter playlist than near copies; False: they fill it up.
    seed: breaks ties.
    Returns distinct indices into the candidates, in playing order.
    """
    points = _points(wanted, sounds, count=count, asked=asked, diversity=diversity)
    if not len(points) or not count:
        return []
    scale = scale or _mean_distance(points)
    shuffled = torch.rand(len(points), generator=torch.Generator().manual_seed(seed)) * 1e-6
    pool = _Pool(
        worth=_ranked(wanted) + shuffled,
        distance=torch.cdist(points, points) / scale,
        free=apart(points, unwanted, scale=scale),
        strict=strict,
    )
    curious = min(asked, count // 2) if believed is not None else 0
    chosen: list[Pick] = []
    for step in range(6):
        raised = diversity + (1.0 - diversity) * step / 5
        best = pool.best(count=count - curious, diversity=raised)
        told = pool.telling(believed, beside=best, count=curious, seed=seed) if believed is not None else []
        best += pool.best(count=count - len(best) - len(told), diversity=raised, beside=best + told)
        chosen = _in_order(best, told)
        if variety(points[[pick.index for pick in chosen]]) >= least_variety:
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


def introduce(
    believed: tuple[Tensor, Tensor], sounds: Tensor, *, count: int, scale: float | None = None, seed: int
) -> list[int]:
    """Choose a first playlist, for somebody of whom nothing is known: what splits those best who they may be.

    Greedily the songs whose answers tell most about what is believed of anybody (`asking.ask`); no near copies.

    believed: draws [D, N] and the probability [N] of a like, of the taste before the first rating: of a posterior, or
    of the reference listeners. sounds, scale: see `compose`.
    Returns at most `count` distinct indices, the most telling first.
    """
    points = sounds.flatten(1).float()
    distance = torch.cdist(points, points) / (scale or _mean_distance(points))
    everything = torch.ones(len(points), dtype=torch.bool)
    pool = _Pool(worth=torch.zeros(len(points)), distance=distance, free=everything, strict=True)
    return pool.telling(believed, beside=[], count=count, seed=seed)


def _points(wanted: Tensor, sounds: Tensor, *, count: int, asked: int, diversity: float) -> Tensor:
    """The candidates as float points [N, features]."""
    if len(wanted) != len(sounds):
        raise ValueError(f"compose: expected as many numbers as songs, got {len(wanted)} and {len(sounds)}")
    if count < 0 or asked < 0:
        raise ValueError(f"compose: expected count >= 0 and asked >= 0, got {count} and {asked}")
    if not 0.0 <= diversity <= 1.0:
        raise ValueError(f"compose: expected diversity from 0 to 1, got {diversity}")
    return sounds.reshape(len(sounds), -1).float() if len(sounds) else sounds.float()


def _ranked(wanted: Tensor) -> Tensor:
    """What is wanted over the candidates' spread, the best at 0: comparable with distances between songs."""
    spread = wanted.std(correction=0)
    return (wanted - wanted.max()) / spread.clamp_min(1e-9)


def _mean_distance(points: Tensor) -> float:
    """Between N points; 1 where there is none."""
    return variety(points) or 1.0


@dataclass(frozen=True)
class _Pool:
    """The candidates: what each is worth [N], their distances [N, N], which may be chosen [N], copies if need be."""

    worth: Tensor
    distance: Tensor
    free: Tensor
    strict: bool

    def best(self, *, count: int, diversity: float, beside: Sequence[int] = ()) -> list[int]:
        """At most `count` of what is worth most and different from what is chosen; near copies last, or never."""
        chosen: list[int] = []
        for _ in range(count):
            nearest, free = self._nearest([*beside, *chosen])
            copies = nearest < NEAR_COPY
            if self.strict:
                free = free & ~copies
            if not bool(free.any()):
                break
            score = (1.0 - diversity) * self.worth + diversity * nearest - 1e3 * copies
            chosen.append(int(score.masked_fill(~free, -torch.inf).argmax()))
        return chosen

    def telling(self, believed: tuple[Tensor, Tensor], *, beside: Sequence[int], count: int, seed: int) -> list[int]:
        """At most `count` of the better half whose answers tell most beside the answers to `beside`; no near copies."""
        hopeful = self.worth >= self.worth.median() if len(self.worth) else self.worth.bool()
        told: list[int] = []
        for _ in range(count):
            given = [*beside, *told]
            nearest, free = self._nearest(given)
            found = asking.ask(
                *believed, count=1, given=given, among=free & hopeful & (nearest >= NEAR_COPY), seed=seed
            )
            if not found:
                break
            told += found
        return told

    def _nearest(self, chosen: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The distance of each candidate to the nearest that is chosen, 2 at most; and which are free still."""
        if not chosen:
            return torch.full_like(self.worth, 2.0), self.free
        free = self.free.clone()
        free[list(chosen)] = False
        return self.distance[list(chosen)].min(dim=0).values.clamp(max=2.0), free


def _in_order(best: list[int], told: list[int]) -> list[Pick]:
    """What is asked comes in mid-playlist, for first and last impressions are to be good ones."""
    middle = (len(best) + 1) // 2
    evolved, asked = [Pick(one, "evolved") for one in best], [Pick(one, "asked") for one in told]
    return evolved[:middle] + asked + evolved[middle:]
