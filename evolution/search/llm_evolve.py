"""LLM evolve: tournaments as in a genetic algorithm, with operators that a language model carries out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from evolution.search import templates
from evolution.search.asking import Request, Writer
from evolution.search.searcher import Population
from evolution.search.selection import ranked_draw
from evolution.search.templates import LLMOperator
from evolution.search.written import Child, WrittenSearch
from models_store.prompts import Lexicon


@dataclass
class _Family:
    """Children of one tournament on their way through the chain.

    applies: for each operator, whether it is applied to this family.
    """

    members: list[Child]
    applies: tuple[bool, ...]
    number: int
    last: int = field(init=False)

    def __post_init__(self) -> None:
        self.last = max((stage for stage, applied in enumerate(self.applies) if applied), default=-1)

    def take(self, operator: LLMOperator, prompts: Sequence[str]) -> None:
        """What the operator made of all members is the family from now on."""
        parents = tuple(dict.fromkeys(parent for member in self.members for parent in member.parents))
        before = tuple(dict.fromkeys(name for member in self.members for name in member.operators))
        self.members = [Child(prompt, parents, (*before, operator.name)) for prompt in prompts]


class LLMEvolve(WrittenSearch):
    """Families of children, each from a tournament of its own, pass through a chain of operators.

    operators: the chain, in order. Each is carried out for all families at once, so a generation lasts as long as
        one answer for each operator.
    tournament_size: how many contestants are drawn, uniformly and without replacement, for each family.
    sample, temperature: whether its parents are the best contestants, or drawn from them by a softmax of their
        fitness over `temperature` (0: the best; very large: any).
    A child that no operator changed, or for which the model finds no new words, is another piece of its prompt.
    The rest: see WrittenSearch. Raises ValueError for a chain or numbers that cannot work.
    """

    mode: ClassVar[str] = "LLM evolve"

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
        operators: Sequence[LLMOperator] = templates.OPERATORS,
        tournament_size: int = 5,
        sample: bool = True,
        temperature: float = 0.1,
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
        _check_chain(operators)
        if not temperature >= 0.0:
            raise ValueError(f"temperature: expected a number >= 0, got {temperature}")
        needed = operators[0].input
        if min(tournament_size, population_size) < needed:
            raise ValueError(
                f"tournament_size: expected at least the {needed} parents of {operators[0].name!r}, "
                f"got {tournament_size} of a population of {population_size}"
            )
        self._operators = tuple(operators)
        self._tournament_size = min(tournament_size, population_size)
        self._temperature = temperature if sample else 0.0

    def _children(
        self, population: Population, fitness: Sequence[float], novel: Sequence[Request]
    ) -> tuple[list[str], list[Child]]:
        families = self._families(population, fitness)
        said, fresh = [candidate.prompt for candidate in population], list[str]()
        for stage, operator in enumerate(self._operators):
            extra = novel if stage == 0 else ()
            changed = [family for family in families if family.applies[stage]]
            requests = [*extra, *(self._request(stage, family) for family in changed)]
            written = self._writer.write(requests, taken=said)
            fresh += itertools.chain.from_iterable(written[: len(extra)])
            said += itertools.chain.from_iterable(written[: len(extra)])
            for family in families:
                if not family.applies[stage]:
                    family.members = family.members[: operator.output]
            for family, prompts in zip(changed, written[len(extra) :], strict=True):
                family.take(operator, prompts)
                said += prompts if family.last == stage else ()
        children = itertools.chain.from_iterable(family.members for family in families)
        return fresh, list(children)[: self._places]

    def _families(self, population: Population, fitness: Sequence[float]) -> list[_Family]:
        """As many as the places for children take, each with the parents that its tournament chose."""
        count = -(-self._places // self._operators[-1].output)
        families = []
        for number in range(count):
            rng = self._rng(f"family {number}")
            contestants = rng.sample(range(len(population)), self._tournament_size)
            chosen = ranked_draw(contestants, fitness, self._temperature, rng)[: self._operators[0].input]
            applies = tuple(rng.random() < operator.probability for operator in self._operators)
            members = [Child(population[position].prompt, (position,)) for position in chosen]
            families.append(_Family(members, applies, number))
        return families

    def _request(self, stage: int, family: _Family) -> Request:
        operator = self._operators[stage]
        given = tuple(member.prompt for member in family.members)
        return Request(
            templates.operation(operator, given),
            operator.output,
            self._seed_for("stage", stage, family.number),
            unlike=given,
            unique=family.last == stage,
        )


def _check_chain(operators: Sequence[LLMOperator]) -> None:
    if not operators:
        raise ValueError("LLM_genetic_operators: expected at least one operator, got none")
    for operator in operators:
        if operator.input < 1 or operator.output < 1 or not 0.0 <= operator.probability <= 1.0:
            raise ValueError(
                f"operator {operator.name!r}: expected input and output >= 1 and a probability in [0, 1], "
                f"got {operator.input}, {operator.output} and {operator.probability}"
            )
        if operator.output > operator.input and operator.probability < 1.0:
            raise ValueError(
                f"operator {operator.name!r}: expected probability 1, since its {operator.input} inputs cannot be "
                f"passed on as {operator.output} outputs, got {operator.probability}"
            )
    for one, following in itertools.pairwise(operators):
        if one.output != following.input:
            raise ValueError(
                f"operator {following.name!r}: expected the {one.output} outputs of {one.name!r} as input, "
                f"got input {following.input}"
            )
