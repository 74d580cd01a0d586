"""The prompt GA: evolution of prompts without a language model, on the words of a lexicon."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar

from evolution.search.candidates import NEW_SEED, NOVEL, Candidate, Scores
from evolution.search.prompt_operators import OPERATORS, PromptOperator
from evolution.search.searcher import MOST_SEED, Evaluate, Population, Searcher, count_of
from evolution.search.selection import ranked_draw
from models_store import prompts
from models_store.prompts import SLOTS, Lexicon

MOST_SHARE: Mapping[str, float] = MappingProxyType(
    {"prompt": 0.125, "genre": 0.2, "mood": 0.2, "instruments": 0.3, "tempo": 0.5}
)
"""The largest share of a population that says the same, so that a listener is never offered one thing only."""

_KEEP_SEED = 0.4
_MOST_TRIALS = 50


class PromptGA(Searcher):
    """Tournaments, then a chain of crossover and mutations on structured prompts.

    lexicon: the words that prompts are made of.
    elites, novel_prompts: fractions of the population that are kept, and drawn anew.
    tournament_size: how many contestants are drawn, uniformly and without replacement, for each child.
    sample, temperature: whether the parents are the best contestants, or drawn from them by a softmax of their
        fitness over `temperature` (0: the best; very large: any).
    initial_prompts: what the first population is made of before prompts are drawn; more than it takes are sampled.
    operators: the chain; a child that nothing changed becomes another piece of its parent's prompt.
    most_share: slot, or "prompt" for the whole text -> the largest share of the population (at least two of it) that
        may say the same there; elites are kept beyond it. A slot not named has no limit.
    Raises ValueError for numbers out of range.
    """

    mode: ClassVar[str] = "prompt GA"

    def __init__(
        self,
        *,
        lexicon: Lexicon,
        population_size: int = 32,
        seed: int,
        elites: float = 0.1,
        novel_prompts: float = 0.1,
        tournament_size: int = 5,
        sample: bool = True,
        temperature: float = 0.1,
        initial_prompts: Sequence[str] = (),
        operators: Sequence[PromptOperator] = OPERATORS,
        most_share: Mapping[str, float] = MOST_SHARE,
    ) -> None:
        super().__init__(population_size=population_size, seed=seed)
        if elites + novel_prompts > 1.0:
            raise ValueError(f"elites + novel_prompts: expected at most 1, got {elites} + {novel_prompts}")
        if elites >= 1.0:
            raise ValueError(f"elites: expected less than 1, or nothing ever changes, got {elites}")
        if not temperature >= 0.0:
            raise ValueError(f"temperature: expected a number >= 0, got {temperature}")
        needed = max((operator.inputs for operator in operators), default=1)
        if tournament_size < needed:
            raise ValueError(f"tournament_size: expected at least {needed} parents' worth, got {tournament_size}")
        self._lexicon = lexicon
        self._elites = min(count_of(elites, population_size), population_size - 1)
        self._novel = min(count_of(novel_prompts, population_size), population_size - self._elites)
        self._tournament_size = tournament_size
        self._temperature = temperature if sample else 0.0
        self._initial_prompts = tuple(initial_prompts)
        self._operators = tuple(operators)
        self._most_share = dict(most_share)

    def initial_population(self) -> Population:
        """What the first step evaluates: the given prompts, then drawn ones. Other searches may begin with them."""
        rng = self._rng()
        given = list(self._initial_prompts)
        if len(given) > self.population_size:
            given = rng.sample(given, self.population_size)
        brood = self._new_brood()
        for text in given:
            brood.add(Candidate(text, _new_seed(rng), text))
        self._add_novel(brood, self.population_size - len(given), rng, operators=())
        return tuple(brood.members)

    def _first(self) -> Population:
        return self.initial_population()

    def _advance(self, population: Population, evaluate: Evaluate) -> tuple[Population, Scores]:
        fitness = [float(value) for value in evaluate(population).fitness]
        rng = self._rng()
        ranked = sorted(range(len(population)), key=lambda position: -fitness[position])
        brood = self._new_brood()
        for position in ranked[: self._elites]:
            kept = population[position]
            brood.add(Candidate(kept.genome, kept.seed, kept.prompt, (position,), (), elite=True))
        self._add_novel(brood, self._novel, rng, operators=(NOVEL,))
        while len(brood.members) < self.population_size:
            self._add_child(brood, population, fitness, rng)
        candidates = tuple(brood.members)
        return candidates, evaluate(candidates)

    def _new_brood(self) -> _Brood:
        most = {slot: max(2.0, share * self.population_size) for slot, share in self._most_share.items()}
        return _Brood(self._lexicon, most)

    def _add_novel(self, brood: _Brood, count: int, rng: random.Random, *, operators: tuple[str, ...]) -> None:
        for _ in range(count):
            for _ in range(_MOST_TRIALS):
                text = prompts.draw(self._lexicon, rng).text()
                if brood.has_room_for(text):
                    break
            brood.add(Candidate(text, _new_seed(rng), text, operators=operators))

    def _add_child(self, brood: _Brood, population: Population, fitness: Sequence[float], rng: random.Random) -> None:
        child = self._bred(population, fitness, rng)
        for _ in range(_MOST_TRIALS):
            if brood.has_room_for(child.prompt):
                break
            child = self._bred(population, fitness, rng)
        brood.add(child)

    def _bred(self, population: Population, fitness: Sequence[float], rng: random.Random) -> Candidate:
        """One child of parents that won a tournament, made by the chain."""
        contestants = rng.sample(range(len(population)), min(self._tournament_size, len(population)))
        ranked = ranked_draw(contestants, fitness, self._temperature, rng)
        child = prompts.parse(population[ranked[0]].prompt, self._lexicon)
        text, parents, applied = population[ranked[0]].prompt, [ranked[0]], []
        for operator in self._operators:
            if rng.random() >= operator.probability:
                continue
            mates = ranked[1 : operator.inputs]
            if len(mates) < operator.inputs - 1:  # a population smaller than the operator's input
                continue
            others = [prompts.parse(population[mate].prompt, self._lexicon) for mate in mates]
            changed = prompts.parse(operator.apply([child, *others], self._lexicon, rng).text(), self._lexicon)
            if changed != child:
                child, text = changed, changed.text()
                parents.extend(mate for mate in mates if mate not in parents)
                applied.append(operator.name)
        seed = population[ranked[0]].seed
        # The seed carries the motif: some children are what was liked in new words, and the others new pieces.
        if not applied or rng.random() >= _KEEP_SEED:
            seed = _new_seed(rng)
            applied.append(NEW_SEED)
        return Candidate(text, seed, text, tuple(parents), tuple(applied))


class _Brood:
    """A population in the making: no two equal candidates, no word in too large a share of them."""

    def __init__(self, lexicon: Lexicon, most: Mapping[str, float]) -> None:
        """most: slot, or "prompt" -> how many may say the same there."""
        self.members: list[Candidate] = []
        self._lexicon = lexicon
        self._most = most
        self._said: Counter[tuple[str, str]] = Counter()
        self._identities: set[tuple[bytes, int]] = set()

    def has_room_for(self, prompt: str) -> bool:
        return all(self._said[word] < self._most[word[0]] for word in self._words(prompt))

    def add(self, candidate: Candidate) -> None:
        """Add it; with the next free seed if the very same is there."""
        while candidate.identity in self._identities:
            candidate = replace(candidate, seed=(candidate.seed + 1) % MOST_SEED)
        self._identities.add(candidate.identity)
        self._said.update(self._words(candidate.prompt))
        self.members.append(candidate)

    def _words(self, text: str) -> list[tuple[str, str]]:
        """What the prompt says in the slots that have a limit."""
        prompt = prompts.parse(text, self._lexicon)
        words = [("prompt", text), *(("instruments", name) for name in prompt.instruments)]
        words += [(slot, getattr(prompt, slot)) for slot in SLOTS if slot != "instruments"]
        return [(slot, word) for slot, word in words if word and slot in self._most]


def _new_seed(rng: random.Random) -> int:
    return rng.randrange(MOST_SEED)
