"""From played songs to concepts: which words they are told by, which songs have them, and the map they lie on."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from models_store.aligner import concept_words, readouts
from models_store.aligner.concepts import Concepts
from models_store.aligner.listeners import standard
from models_store.aligner.world import DESCRIPTORS, Songs

logger = logging.getLogger(__name__)

POOL = 480
"""Songs that are kept."""

LEAST = 8
"""Songs of the pool that have a concept, and that lack it, at least; of a word with fewer nothing could be said."""

MUCH, CLEARLY = 0.75, 0.55
"""Of what is heard: the quantile from which a song has much of it, and the one below which it lacks it. Little of it is
much of its opposite."""

_FARTHEST = 0.98


class TooFewSongsError(ValueError):
    """No concept has enough songs."""


def concepts(songs: Songs, *, seed: int, pool: int = POOL) -> Concepts:
    """The concepts of these songs that the encoder hears (`readouts.fit`), on a pool of at most `pool` of them.

    The pool is drawn at random, but for songs that are added so that rare concepts have LEAST of them.
    Raises TooFewSongsError.
    """
    tables = _tables(songs)
    learned = readouts.fit(songs.embeddings, tables.has, tables.lacks)
    tables = tables.where(learned.audible)
    chosen = _pool(tables.has, size=min(pool, len(songs)), seed=seed)
    has, lacks = tables.has[:, chosen], tables.lacks[:, chosen]
    kept = (has.sum(dim=1) >= LEAST) & (lacks.sum(dim=1) >= LEAST)
    if not bool(kept.any()):
        raise TooFewSongsError(
            f"concepts: expected some that can be heard and that {LEAST} songs have, got none in {len(songs)} songs"
        )
    embeddings = songs.embeddings[chosen].half().float()  # as they are kept in a file
    centre, axes = _map(embeddings, songs.descriptors[chosen])
    named = tables.where(kept)
    logger.info("%d concepts, of %d that prompts and sounds have", len(named.names), len(learned.aucs))
    return Concepts(
        names=named.names,
        slots=named.slots,
        embeddings=embeddings,
        has=has[kept],
        lacks=lacks[kept],
        readouts=learned.weights[learned.audible][kept].half().float(),
        audible=learned.aucs[learned.audible][kept],
        centre=centre,
        axes=axes,
    )


@dataclass(frozen=True)
class _Tables:
    """C concepts and N songs: names, slots, and which song has and lacks each: bool [C, N]."""

    names: tuple[str, ...]
    slots: tuple[str, ...]
    has: Tensor
    lacks: Tensor

    def where(self, kept: Tensor) -> _Tables:
        """Some of the concepts: bool [C]."""
        places = kept.nonzero().flatten().tolist()
        return _Tables(
            tuple(self.names[place] for place in places),
            tuple(self.slots[place] for place in places),
            self.has[kept],
            self.lacks[kept],
        )


def _tables(songs: Songs) -> _Tables:
    names, slots, has, lacks = [], [], [], []
    for slot, (words, table) in songs.said.items():
        members: dict[str, list[int]] = {}
        for column, word in enumerate(words):
            name = concept_words.concept(slot, word)
            if name is not None:
                members.setdefault(name, []).append(column)
        told = table.any(dim=1)
        for name, columns in members.items():
            said = table[:, columns].any(dim=1)
            names.append(name)
            slots.append(slot)
            has.append(said)
            lacks.append(told & ~said)
    for column, descriptor in enumerate(DESCRIPTORS):
        much, little = concept_words.HEARD[descriptor]
        heard = songs.descriptors[:, column]
        for name, sign in ((much, 1.0), (little, -1.0)):
            names.append(name)
            slots.append("sound")
            has.append(sign * heard >= (sign * heard).quantile(MUCH))
            lacks.append(sign * heard <= (sign * heard).quantile(CLEARLY))
    return _Tables(tuple(names), tuple(slots), torch.stack(has), torch.stack(lacks))


def _pool(has: Tensor, *, size: int, seed: int) -> Tensor:
    """Indices of `size` songs, given which have each concept [C, N]: drawn, but a sixth is kept for rare concepts."""
    order = torch.randperm(has.shape[1], generator=torch.Generator().manual_seed(seed)).tolist()
    spare = size // 6
    chosen, left = order[: size - spare], order[size - spare :]
    count = has[:, chosen].sum(dim=1)
    for _ in range(size - len(chosen)):
        gains = has[:, left][count < LEAST].sum(dim=0)
        # The first of the most useful, in random order: where none is useful any more, the next at random.
        chosen.append(left.pop(int(gains.argmax()) if len(gains) else 0))
        count += has[:, chosen[-1]]
    return torch.tensor(sorted(chosen))


def _map(embeddings: Tensor, descriptors: Tensor) -> tuple[Tensor, Tensor]:
    """Centre [layers * dim] and axes [2, layers * dim] of the map of songs [S, layers, dim], descriptors [S, D]."""
    flat = embeddings.flatten(1)
    deviation = flat.std(dim=0, correction=0)
    scale = torch.where(deviation > 1e-5, deviation, torch.inf)
    features = (flat - flat.mean(dim=0)) / scale
    directions = torch.linalg.svd(features.double(), full_matrices=False)[2][:2].float()  # [2, layers * dim]
    axes = torch.zeros(2, flat.shape[1])
    axes[: len(directions)] = directions / scale
    places = (flat - flat.mean(dim=0)) @ axes.T  # [S, 2]
    heard = standard(descriptors)[:, [DESCRIPTORS.index("brightness"), DESCRIPTORS.index("liveliness")]]
    sign = torch.where((places * heard).sum(dim=0) < 0, -1.0, 1.0)
    reach = places.abs().quantile(_FARTHEST, dim=0).clamp_min(1e-6)
    return flat.mean(dim=0), axes * (sign / reach)[:, None]
