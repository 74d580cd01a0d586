"""A small vocabulary, and a listener who hears its tokens: what searches over tokens are tried on."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from evolution.search.candidates import Candidate, Scores
from models_store import prompts
from models_store.generators.base import TokenVocabulary

LEXICON = {
    "mood": tuple(f"mood{number}" for number in range(12)),
    "genre": tuple(f"genre{number}" for number in range(12)),
    "instruments": tuple(f"instrument{number}" for number in range(20)),
}
LENGTH, DIM = 6, 8


class Words(TokenVocabulary):
    """Every word of the lexicon at a random place; the padding at zero."""

    def __init__(self) -> None:
        self.tokens = ("", *(word for words in LEXICON.values() for word in words))
        places = torch.randn(len(self.tokens), DIM, generator=torch.Generator().manual_seed(1)) / math.sqrt(DIM)
        self.embeddings = places * torch.tensor([token != "" for token in self.tokens])[:, None]

    def ids(self, prompts: Sequence[str], *, length: int) -> Tensor:
        rows = [
            [self.tokens.index(word) for word in text.replace(",", "").split() if word in self.tokens]
            for text in prompts
        ]
        return torch.tensor([(row + [0] * length)[:length] for row in rows])

    def nearest_ids(self, embeddings: Tensor) -> Tensor:
        return torch.cdist(embeddings, self.embeddings.expand(len(embeddings), -1, -1)).argmin(dim=-1)

    def prompts(self, ids: Tensor) -> list[str]:
        return [" ".join(self.tokens[index] for index in row if index) for row in ids.tolist()]


WORDS = Words()


class Listener:
    """Hears a genome as a bend sum of its tokens, and likes what points into a hidden direction."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.ear = draw.normal(size=(DIM, 10))
        self.taste = draw.normal(size=10) / math.sqrt(10)
        self.heard: dict[tuple[bytes, int], float] = {}
        self.calls: list[tuple[Candidate, ...]] = []

    def __call__(self, candidates: Sequence[Candidate]) -> Scores:
        self.calls.append(tuple(candidates))
        fitness = []
        for candidate in candidates:
            song = np.tanh(np.asarray(candidate.genome) @ self.ear).sum(axis=0)
            self.heard[candidate.identity] = float(song @ self.taste / (np.linalg.norm(song) + 1e-6))
            fitness.append(self.heard[candidate.identity])
        likeness = np.array(fitness)
        return Scores(likeness, likeness, np.full(len(likeness), 0.25))


def texts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [prompts.draw(LEXICON, rng).text() for _ in range(count)]


def embedded(count: int, seed: int = 0) -> Tensor:
    return WORDS.embed(texts(count, seed), length=LENGTH)
