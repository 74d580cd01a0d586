"""Full LLM: a language model reads how the population did and writes the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from evolution.search import templates
from evolution.search.asking import Request, Writer
from evolution.search.searcher import Population
from evolution.search.written import Child, WrittenSearch
from models_store.prompts import Lexicon

WRITTEN = "full LLM"
"""The operator of a child: it has the whole population for parents, so none is named."""


class FullLLM(WrittenSearch):
    """The population, ranked and scored, in one message; the next generation out of its answer.

    template: what the model is told, with `{ranking}` and `{num_generate}`.
    noise_weight: of the fitness, for its range: a score is 0 at -1 - noise_weight, the worst fitness there is, 100 at
        1, the best, and linear between.
    The rest: see WrittenSearch. Raises ValueError for a template without one of its two places.
    """

    mode: ClassVar[str] = "full LLM"

    def __init__(
        self,
        *,
        writer: Writer,
        lexicon: Lexicon,
        beginning: Callable[[], Sequence[str]],
        population_size: int = 32,
        seed: int,
        elites: float = 0.1,
        novel_prompts: float = 0.1,
        template: str = templates.FULL_LLM_PROMPT,
        noise_weight: float = 0.5,
    ) -> None:
        super().__init__(
            writer=writer,
            lexicon=lexicon,
            beginning=beginning,
            population_size=population_size,
            seed=seed,
            elites=elites,
            novel_prompts=novel_prompts,
        )
        if not noise_weight >= 0.0:
            raise ValueError(f"noise_weight: expected a number >= 0, got {noise_weight}")
        templates.full_llm(template, ranked=(), count=1)  # refuses a template that cannot be filled in
        self._template = template
        self._worst = -1.0 - noise_weight

    def _children(
        self, population: Population, fitness: Sequence[float], novel: Sequence[Request]
    ) -> tuple[list[str], list[Child]]:
        requests = list(novel)
        if self._places:
            requests.append(Request(self._told(population, fitness), self._places, self._seed_for("children")))
        written = self._writer.write(requests, taken=[candidate.prompt for candidate in population])
        fresh = [prompt for answer in written[: len(novel)] for prompt in answer]
        return fresh, [Child(prompt, (), (WRITTEN,)) for answer in written[len(novel) :] for prompt in answer]

    def _told(self, population: Population, fitness: Sequence[float]) -> str:
        best_first = sorted(range(len(population)), key=lambda position: -fitness[position])
        ranked = [(self._score(fitness[position]), population[position].prompt) for position in best_first]
        return templates.full_llm(self._template, ranked=ranked, count=self._places)

    def _score(self, fitness: float) -> float:
        share = (fitness - self._worst) / (1.0 - self._worst)
        return 100.0 * min(max(share, 0.0), 1.0)
