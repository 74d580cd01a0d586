"""Beliefs: what a listener leans to, in their own words, how sure that is, and which ratings told it.

A taste knows music by ear only. For concepts that the ear hardly hears ("strings") the words of the rated songs tell
more: a belief weighs both, the taste as far as the concept is heard.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models_store.aligner.concept_words import OPPOSITES
from models_store.aligner.concepts import Concepts
from models_store.taste.base import Taste
from models_store.taste.memory import LIKE, NO_OPINION, Memory

DRAWS = 192
"""Tastes drawn from the belief: a probability of 0.9 is known to 0.02."""

SURE = 0.9
"""How sure a belief has to be to be said without a doubt."""

LEAST_SURE, LEAST_LEAN = 0.8, 0.15
"""Less than that is no belief worth a word."""

DOUBT = 2.0
"""Ratings, half of them likes as anywhere else, that are added to those of every concept."""

USUAL = 0.6
"""How far people lean to or from a concept, as a standard deviation: what is seen to lean further is partly luck."""

Said = Sequence[Collection[str]]
"""For each song of a memory the concepts that its prompt names (`concept_words.said`); nothing: it says nothing."""


@dataclass(frozen=True)
class Belief:
    """What is believed of one concept.

    lean: in [-1, 1], how much better songs are liked that have it than songs that have not, in typical spreads of a
    liking over songs. spread: its standard deviation. sure: in [0.5, 1], the probability that its sign is right.
    evidence: indices into the memory of the rated songs that told it, what tells most first.
    """

    name: str
    slot: str
    lean: float
    spread: float
    sure: float
    evidence: tuple[int, ...] = ()


def read(taste: Taste, memory: Memory, concepts: Concepts, *, seed: int, said: Said | None = None) -> list[Belief]:
    """What is believed of somebody whose `taste` was learned from `memory`, the strongest first.

    Weak beliefs are left out, and of two that are one, like "bright" and not "dark", the one that denies.
    said: None: which rated songs have what is judged by ear alone.
    Raises ValueError for words of another number of songs.
    """
    presence = _presence(memory, concepts, said)
    found = [
        replace(one, evidence=_evidence(one.lean, presence[place], memory))
        for place, one in enumerate(leanings(taste, concepts, seed=seed, memory=memory, said=said))
        if one.sure >= LEAST_SURE and abs(one.lean) >= LEAST_LEAN
    ]
    liked = {one.name for one in found if one.lean > 0}
    said_already = {one.name for one in found if one.lean < 0 and OPPOSITES.get(one.name) in liked}
    return sorted(
        (one for one in found if one.name not in said_already),
        key=lambda one: abs(one.lean) * (2.0 * one.sure - 1.0),
        reverse=True,
    )


def leanings(
    taste: Taste, concepts: Concepts, *, seed: int, memory: Memory | None = None, said: Said | None = None
) -> list[Belief]:
    """What is believed of every concept, in their order and without evidence.

    memory, said: what the taste was learned from, as in `read`; None: only what the taste tells.
    """
    lean, spread = _of_taste(taste, concepts, seed=seed)
    if memory is not None:
        # 1 for a concept that is always heard, 0 for one that is never.
        heard = (2.0 * concepts.audible.double() - 1.0).square() / spread.square().clamp_min(1e-6)
        told, doubt = _of_ratings(memory, concepts, said)
        weight = heard / (heard + 1.0 / doubt.square())
        lean = weight * lean + (1.0 - weight) * told
        # Both are from the same ratings: they may err together.
        spread = weight * spread + (1.0 - weight) * doubt
    trust = USUAL**2 / (USUAL**2 + spread.square())
    lean, spread = trust * lean, trust.sqrt() * spread
    sure = torch.special.ndtr(lean.abs() / spread.clamp_min(1e-6))
    return [
        Belief(name, slot, max(-1.0, min(1.0, float(lean[place]))), float(spread[place]), float(sure[place]))
        for place, (name, slot) in enumerate(zip(concepts.names, concepts.slots, strict=True))
    ]


def _of_taste(taste: Taste, concepts: Concepts, *, seed: int) -> tuple[Tensor, Tensor]:
    """The lean to each concept by ear, and its standard deviation: [C] each."""
    likeness = taste.draws(concepts.embeddings, count=DRAWS, seed=seed).double()  # [DRAWS, S]
    typical = float(likeness.std(dim=1, correction=0).mean())
    if typical < 1e-9:
        return torch.zeros(len(concepts), dtype=torch.float64), torch.ones(len(concepts), dtype=torch.float64)
    likeness = likeness / typical
    lean = _means(likeness, concepts.has) - _means(likeness, concepts.lacks)  # [DRAWS, C]
    # The few songs that stand for a concept are what they are besides: their mean strays as any sample's does.
    mean = likeness.mean(dim=0, keepdim=True)  # [1, S]
    astray = _stray(mean, concepts.has) + _stray(mean, concepts.lacks)
    return lean.mean(dim=0), (lean.var(dim=0, correction=0) + astray).sqrt()


def _means(likeness: Tensor, chosen: Tensor) -> Tensor:
    """The mean of likeness [D, S] over the songs chosen (bool) [C, S]: [D, C]."""
    return likeness @ chosen.double().T / chosen.sum(dim=1)


def _stray(likeness: Tensor, chosen: Tensor) -> Tensor:
    """The variance of the mean of likeness [1, S] over the songs chosen (bool) [C, S], taken as a sample: [C]."""
    within = _means(likeness.square(), chosen)[0] - _means(likeness, chosen)[0].square()
    return within.clamp_min(0.0) / chosen.sum(dim=1)


def _of_ratings(memory: Memory, concepts: Concepts, said: Said | None) -> tuple[Tensor, Tensor]:
    """The lean to each concept by the ratings of songs that have it and of songs that lack it; its deviation: [C] each.

    A probit model: the difference of the two shares of likes, as quantiles of the normal distribution. What was asked
    for in words takes the place of what the ratings say.
    """
    presence = _presence(memory, concepts, said)
    weights = (memory.weights * (memory.ratings != NO_OPINION)).double()
    likes = weights * (memory.ratings == LIKE)
    base = (float(likes.sum()) + 0.5) / (float(weights.sum()) + 1.0)
    sides = []
    for songs in ((presence > 0).double(), (presence < 0).double()):
        count = songs @ weights + DOUBT  # [C]
        share = (songs @ likes + DOUBT * base) / count
        quantile = torch.special.ndtri(share)
        density = (-0.5 * quantile.square()).exp() / (2.0 * torch.pi) ** 0.5
        sides.append((quantile, share * (1.0 - share) / (count * density.square())))
    lean = sides[0][0] - sides[1][0]
    doubt = (sides[0][1] + sides[1][1]).sqrt()
    for edit in memory.edits:
        if edit.name in concepts.names:
            place = concepts.index(edit.name)
            lean[place], doubt[place] = edit.wanted, edit.weight**-0.5
    return lean, doubt


def _presence(memory: Memory, concepts: Concepts, said: Said | None) -> Tensor:
    """How clearly each rated song has each concept [C, N]: positive where it has it, negative where not, 0: unknown."""
    if said is not None and len(said) != len(memory):
        raise ValueError(f"beliefs: expected what {len(memory)} songs say, got {len(said)}")
    if not len(memory):
        return torch.zeros(len(concepts), 0, dtype=torch.float64)
    heard = concepts.presence(memory.embeddings).double().tanh()
    if said is None:
        return heard
    named = torch.tensor([[name in one for one in said] for name in concepts.names])  # [C, N]
    slots = sorted(set(concepts.slots))
    of_slot = torch.tensor([[slot == other for other in concepts.slots] for slot in slots]).double()  # [slots, C]
    told = (of_slot.T @ (of_slot @ named.double())) > 0  # whether the prompt says anything of the concept's slot
    by_words = torch.where(named, 1.0 + heard.clamp_min(0.0), torch.where(told, -1.0, 0.0))
    silent = torch.tensor([not one for one in said])
    # A prompt does not say how bright it is in the end, and a genome without words says nothing at all.
    by_ear = torch.tensor([slot == "sound" for slot in concepts.slots])[:, None] | silent
    return torch.where(by_ear, heard, by_words)


def _evidence(lean: float, presence: Tensor, memory: Memory) -> tuple[int, ...]:
    """The songs that have the concept and were rated as the lean says: of presence [N], the most telling first."""
    opinion = memory.ratings.double() * (1.0 if lean > 0 else -1.0)
    telling = presence.clamp_min(0.0) * opinion * memory.weights
    order = telling.argsort(descending=True, stable=True).tolist()
    return tuple(place for place in order if telling[place] > 0)
