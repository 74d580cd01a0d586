"""Random search: the control that every other search is measured against."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from evolution.search.candidates import Candidate, Scores
from evolution.search.searcher import MOST_SEED, Evaluate, Population, Searcher
from models_store import prompts
from models_store.generators.base import PromptSpace
from models_store.prompts import Lexicon

DRAWN = "random draw"


class RandomSearch(Searcher):
    """Every generation is drawn anew, from a pool of prompts where there is one, else from a lexicon.

    lexicon: the words that prompts are made of.
    pool: prompts to draw from instead; within a generation none comes twice before all have come.
    space: embeds the prompts as genomes [length, dim]; None: the prompts are the genomes.
    length: tokens of an embedded genome.
    Nothing is learned, so the previous population is not scored again. Raises ValueError for neither words nor pool.
    """

    mode: ClassVar[str] = "random"

    def __init__(
        self,
        *,
        population_size: int,
        seed: int,
        lexicon: Lexicon | None = None,
        pool: Sequence[str] = (),
        space: PromptSpace | None = None,
        length: int = 25,
    ) -> None:
        super().__init__(population_size=population_size, seed=seed)
        if lexicon is None and not pool:
            raise ValueError("random search: expected a lexicon or a pool of prompts to draw from, got neither")
        self._lexicon = lexicon
        self._pool = tuple(pool)
        self._space = space
        self._length = length

    def _first(self) -> Population:
        return self._drawn(operators=())

    def _advance(self, population: Population, evaluate: Evaluate) -> tuple[Population, Scores]:  # noqa: ARG002
        candidates = self._drawn(operators=(DRAWN,))
        return candidates, evaluate(candidates)

    def _drawn(self, *, operators: tuple[str, ...]) -> Population:
        rng = self._rng()
        texts = self._texts(rng)
        seeds = rng.sample(range(MOST_SEED), len(texts))
        if self._space is None:
            made = zip(texts, seeds, strict=True)
            return tuple(Candidate(text, seed, text, operators=operators) for text, seed in made)
        genomes = self._space.embed(texts, length=self._length)  # [N, length, dim]
        named = zip(genomes, seeds, self._space.nearest(genomes), strict=True)
        return tuple(Candidate(genome.numpy(), seed, name, operators=operators) for genome, seed, name in named)

    def _texts(self, rng: random.Random) -> list[str]:
        if self._lexicon is not None and not self._pool:
            return [prompts.draw(self._lexicon, rng).text() for _ in range(self.population_size)]
        texts: list[str] = []
        while len(texts) < self.population_size:
            texts += rng.sample(self._pool, min(len(self._pool), self.population_size - len(texts)))
        return texts
