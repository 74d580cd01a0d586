"""What the searches share whose prompts a language model writes."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from evolution.search import templates
from evolution.search.asking import Request, Writer
from evolution.search.candidates import NEW_SEED, NOVEL, Candidate, Scores
from evolution.search.searcher import MOST_SEED, Evaluate, Population, Searcher, count_of, derived_seed
from models_store import prompts
from models_store.prompts import Lexicon

_HINTS = 4


@dataclass(frozen=True)
class Child:
    """A prompt in the making: whose it is, and what made it of them."""

    prompt: str
    parents: tuple[int, ...] = ()
    operators: tuple[str, ...] = ()


class WrittenSearch(Searcher):
    """Elites, novel prompts and children, all but the elites written by a language model.

    writer: who writes. lexicon: words that inspire novel prompts.
    beginning: gives the first population's prompts, one for each candidate; called in the first step only, so that a
        resumed search asks nobody.
    elites, novel_prompts: fractions of the population that are kept, and written from nothing.
    Every child has a seed of its own that depends on the run's seed, the step and its place alone.
    Raises ValueError for numbers out of range.
    """

    def __init__(
        self,
        *,
        writer: Writer,
        lexicon: Lexicon,
        beginning: Callable[[], Sequence[str]],
        population_size: int,
        seed: int,
        elites: float,
        novel_prompts: float,
    ) -> None:
        super().__init__(population_size=population_size, seed=seed)
        if elites + novel_prompts > 1.0:
            raise ValueError(f"elites + novel_prompts: expected at most 1, got {elites} + {novel_prompts}")
        if elites >= 1.0:
            raise ValueError(f"elites: expected less than 1, or nothing ever changes, got {elites}")
        self._writer = writer
        self._lexicon = lexicon
        self._beginning = beginning
        self._elites = min(count_of(elites, population_size), population_size - 1)
        self._novel = min(count_of(novel_prompts, population_size), population_size - self._elites)
        self._places = population_size - self._elites - self._novel

    @abstractmethod
    def _children(
        self, population: Population, fitness: Sequence[float], novel: Sequence[Request]
    ) -> tuple[list[str], list[Child]]:
        """The prompts of the `novel` requests, and a child for each of the other places."""

    def _first(self) -> Population:
        begun = self._beginning()
        if len(begun) != self.population_size:
            raise ValueError(f"initial prompts: expected {self.population_size}, got {len(begun)}")
        return self._population_of((), [Child(prompt) for prompt in begun])

    def _advance(self, population: Population, evaluate: Evaluate) -> tuple[Population, Scores]:
        fitness = [float(value) for value in evaluate(population).fitness]
        ranked = sorted(range(len(population)), key=lambda position: -fitness[position])
        elites = [
            replace(population[position], parents=(position,), operators=(), elite=True)
            for position in ranked[: self._elites]
        ]
        novel, children = self._children(population, fitness, self._novel_requests())
        made = [Child(prompt, operators=(NOVEL,)) for prompt in novel]
        candidates = self._population_of(elites, [*made, *children], heard={each.prompt for each in population})
        return candidates, evaluate(candidates)

    def _novel_requests(self) -> list[Request]:
        return novel_requests(self._novel, lexicon=self._lexicon, seed=self._seed_for("novel"))

    def _seed_for(self, *purpose: int | str) -> int:
        """A seed of the coming step."""
        return derived_seed(self.seed, self._generations, *purpose)

    def _population_of(
        self, elites: Sequence[Candidate], children: Sequence[Child], heard: Collection[str] = ()
    ) -> Population:
        """Elites, then children. A child whose prompt was `heard` before is another piece of it, and says so.

        No two are equal: one that would be gets the next free seed.
        """
        members = list(elites)
        known = {*heard, *(elite.prompt for elite in elites)}
        identities = {elite.identity for elite in elites}
        for place, child in enumerate(children):
            again = (NEW_SEED,) if heard and child.prompt in known else ()
            seed = self._seed_for("candidate", place)
            made = Candidate(child.prompt, seed, child.prompt, child.parents, (*child.operators, *again))
            while made.identity in identities:
                made = replace(made, seed=(made.seed + 1) % MOST_SEED)
            identities.add(made.identity)
            known.add(child.prompt)
            members.append(made)
        return tuple(members)


def novel_requests(count: int, *, lexicon: Lexicon, seed: int, batch: int = 10) -> list[Request]:
    """Requests for `count` prompts out of nothing, at most `batch` in each, every one inspired by other words."""
    requests = []
    for start in range(0, count, batch):
        rng = random.Random(f"novel prompts {seed} {start}")
        wanted = min(batch, count - start)
        hints = _hints(lexicon, rng)
        requests.append(Request(templates.novel(count=wanted, hints=hints), wanted, rng.randrange(MOST_SEED)))
    return requests


def _hints(lexicon: Lexicon, rng: random.Random) -> list[str]:
    if not any(lexicon.get(slot) for slot in prompts.SLOTS):
        return []
    drawn = [prompts.draw(lexicon, rng) for _ in range(_HINTS)]
    return list(
        dict.fromkeys(word for each in drawn for word in (each.genre, each.mood, *each.instruments[:1]) if word)
    )
