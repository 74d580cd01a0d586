"""Searches over token embeddings, by evotorch. The only module that knows evotorch."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, get_args

import torch
from evotorch import Problem, SolutionBatch, operators
from evotorch.algorithms import GeneticAlgorithm
from torch import Tensor

from evolution.config import OperatorName
from evolution.search.candidates import Candidate, Scores, genome_bytes
from evolution.search.lineage import Heard, Lineage, plain, values_of
from evolution.search.searcher import Evaluate, Population, Searcher, count_of, derived_seed
from models_store import seeding
from models_store.generators.base import TokenVocabulary

GA_OPERATORS: tuple[str, ...] = get_args(OperatorName)
"""The operators that a GA can be made of, by evotorch's names."""

_Hear = Callable[[Tensor], Tensor]
"""Fitness [N] of rows [N, tokens * dim]."""

_NARROWEST = 1e-3

# evotorch tells four lines about every problem that is made, and one is made in each step.
logging.getLogger("evotorch").setLevel(logging.WARNING)


@dataclass(frozen=True)
class VectorOperator:
    """One of `GA_OPERATORS` and its parameters, as evotorch names them."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs_scores(self) -> bool:
        """Whether it chooses among scored candidates, and so can only be the first of a chain."""
        permutes = self.name == "CosynePermutation" and not self.parameters.get("permute_all", False)
        return self.name.endswith("CrossOver") or permutes

    def build(self, problem: Problem, lineage: Lineage) -> Any:
        """The evotorch operator, telling `lineage` whom it takes for parents.

        Raises ValueError for an unknown operator or parameter, listing the known ones, and for a value that
        evotorch refuses.
        """
        if self.name not in GA_OPERATORS:
            raise ValueError(f"GA operator: expected one of {', '.join(GA_OPERATORS)}, got {self.name!r}")
        operator = getattr(operators, self.name)
        known = [name for name in inspect.signature(operator.__init__).parameters if name not in ("self", "problem")]
        for parameter in self.parameters:
            if parameter not in known:
                raise ValueError(f"{self.name}: expected parameters among {', '.join(known)}, got {parameter!r}")
        try:
            return _following(operator, lineage)(problem, **self.parameters)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name}: {error} (parameters given: {dict(self.parameters)})") from error


class VectorSearcher(Searcher):
    """What the searches over [tokens, dim] share: bounds, candidates, and evotorch's view of the problem.

    initial: float [population_size, tokens, dim], usually embedded prompts.
    vocabulary: names the genomes by their nearest tokens, and its embeddings bound the search; without one prompts
        are "" and the initial genomes are the bounds.
    The seed of a genome is derived from its numbers and the run's seed, so equal genomes are equal candidates.
    """

    def __init__(
        self, *, initial: Tensor, population_size: int, seed: int, vocabulary: TokenVocabulary | None = None
    ) -> None:
        super().__init__(population_size=population_size, seed=seed)
        if initial.ndim != 3 or len(initial) != population_size:
            raise ValueError(
                f"initial: expected [{population_size}, tokens, dim], one genome for each candidate, "
                f"got shape {tuple(initial.shape)}"
            )
        self._vocabulary = vocabulary
        self._initial = initial.detach().to("cpu", torch.float32).contiguous()
        self.shape = (int(initial.shape[1]), int(initial.shape[2]))
        self._bounds = self._box()

    def _box(self) -> tuple[Tensor, Tensor]:
        """The smallest box that holds the known tokens and the initial genomes, per dimension: 2 x [tokens * dim]."""
        points = self._initial.flatten(0, 1)  # [N * tokens, dim]
        if self._vocabulary is not None:
            points = torch.cat([points, self._vocabulary.embeddings.detach().to("cpu", torch.float32)])
        low, high = points.amin(dim=0), points.amax(dim=0)
        # evotorch's polynomial mutation divides by the width of the box
        flat = high - low < _NARROWEST
        low, high = torch.where(flat, low - _NARROWEST, low), torch.where(flat, high + _NARROWEST, high)
        return low.repeat(self.shape[0]), high.repeat(self.shape[0])

    def _problem(self, hear: _Hear) -> Problem:
        """A maximisation that asks `hear`, random numbers from a generator of its own."""
        return _Listening(hear, self._bounds, derived_seed(self.seed, self._generations, "evotorch"))

    def _first(self) -> Population:
        return self.candidates(self._initial.flatten(1))

    def candidates(self, values: Tensor) -> Population:
        """Rows [N, tokens * dim] as candidates without a history."""
        genomes = values.reshape(-1, *self.shape)  # [N, tokens, dim]
        named = self._vocabulary.nearest(genomes) if self._vocabulary is not None else [""] * len(genomes)
        made = [Candidate(genome.numpy(), 0, prompt) for genome, prompt in zip(genomes, named, strict=True)]
        return tuple(replace(each, seed=derived_seed(self.seed, genome_bytes(each))) for each in made)


class VectorGA(VectorSearcher):
    """evotorch's `GeneticAlgorithm`: tournaments within its crossovers, then its mutations.

    operators: applied in order. Without a crossover nothing selects parents, so evotorch then keeps the best of
        parents and children together.
    elites: the fraction of the population that is kept; the other places are for the children. When the
        operators make fewer children than there are places, more of the best are kept.
    evotorch_parameters: `elitist` false keeps no elites, whatever `elites` says; true keeps at least one.
    Raises ValueError for unknown operators or parameters, and for values that evotorch refuses.
    """

    mode: ClassVar[str] = "GA"

    def __init__(
        self,
        *,
        initial: Tensor,
        population_size: int,
        seed: int,
        vocabulary: TokenVocabulary | None = None,
        operators: Sequence[VectorOperator],
        elites: float = 0.1,
        evotorch_parameters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(initial=initial, population_size=population_size, seed=seed, vocabulary=vocabulary)
        if not operators:
            raise ValueError("GA_operators: expected at least one operator, got none")
        if not 0.0 <= elites < 1.0:
            raise ValueError(f"elites: expected a fraction in [0, 1), got {elites}")
        parameters = dict(evotorch_parameters or {})
        elitist = parameters.pop("elitist", elites > 0.0)
        if parameters:
            raise ValueError(f"evotorch: expected parameters among elitist, got {', '.join(sorted(parameters))}")
        if not isinstance(elitist, bool):
            raise ValueError(f"evotorch.elitist: expected true or false, got {elitist!r}")
        self._operators = tuple(operators)
        self._elites = min(max(1, count_of(elites, population_size)), population_size - 1) if elitist else 0
        self._selects = operators[0].name.endswith("CrossOver")
        for operator in operators[1:]:
            if operator.needs_scores:
                raise ValueError(
                    f"GA_operators: expected {operator.name} first, since it chooses among scored candidates, "
                    f"got it after {operators[0].name}"
                )
        self._try_operators()

    def _advance(self, population: Population, evaluate: Evaluate) -> tuple[Population, Scores]:
        lineage = Lineage(rows=[(position,) for position in range(len(population))])
        heard = Heard(population, evaluate, partial(self._children, lineage))
        algorithm = self._algorithm(heard, lineage)
        algorithm.population.set_values(values_of(population))
        algorithm.step()
        return heard.roll(algorithm.population.values)

    def _children(self, lineage: Lineage, values: Tensor) -> Population:
        chain = tuple(operator.name for operator in self._operators)
        made = zip(self.candidates(values), lineage.rows, strict=True)
        return tuple(replace(child, parents=parents, operators=chain) for child, parents in made)

    def _algorithm(self, hear: _Hear, lineage: Lineage) -> GeneticAlgorithm:
        problem = self._problem(hear)
        chain = [operator.build(problem, lineage) for operator in self._operators]
        with seeding.seeded(0):
            algorithm = GeneticAlgorithm(
                problem,
                operators=[*chain, _Cut(problem, self.population_size - self._elites, lineage)],
                popsize=self.population_size,
                elitist=not self._selects,
                re_evaluate=True,
                re_evaluate_parents_first=True,
            )
        # Its random first population was drawn from the same generator: begin the step from the seed again.
        problem.manual_seed(derived_seed(self.seed, self._generations, "evotorch"))
        return algorithm

    def _try_operators(self) -> None:
        """Apply the chain once, unheard: some of evotorch's refusals come only then."""
        lineage = Lineage(rows=[(position,) for position in range(self.population_size)])
        algorithm = self._algorithm(lambda values: values.mean(dim=1), lineage)
        algorithm.population.set_values(self._initial.flatten(1))
        try:
            algorithm.step()
        except (TypeError, ValueError, RuntimeError) as error:
            names = ", ".join(operator.name for operator in self._operators)
            raise ValueError(f"GA_operators ({names}): {error}") from error


def _following(operator: type, lineage: Lineage) -> type:
    """The evotorch operator, with its tournaments told to `lineage` and the global generator left in peace.

    evotorch draws from the problem's generator, but takes a number from PyTorch's global one beside each draw and
    throws it away (`make_batched_false_for_vmap`): `seeded` puts it back.
    """

    class Following(operator):
        def _do(self, batch: SolutionBatch) -> SolutionBatch:
            with seeding.seeded(0):
                return super()._do(batch)

        def _do_tournament(self, batch: SolutionBatch) -> tuple[Tensor, Tensor]:
            first, second = super()._do_tournament(batch)
            lineage.cross(plain(batch.values), plain(first), plain(second))
            return first, second

    return Following


class _Cut(operators.CopyingOperator):
    """The first children only: as many as there are places."""

    def __init__(self, problem: Problem, places: int, lineage: Lineage) -> None:
        super().__init__(problem)
        self._places = places
        self._lineage = lineage

    def _do(self, batch: SolutionBatch) -> SolutionBatch:
        self._lineage.cut(self._places)
        return batch[: self._places] if len(batch) > self._places else batch


class _Listening(Problem):
    """evotorch's view of the search: maximise what `hear` answers."""

    def __init__(self, hear: _Hear, bounds: tuple[Tensor, Tensor], seed: int) -> None:
        low, high = (bound.numpy() for bound in bounds)
        super().__init__("max", bounds=(low, high), solution_length=len(low), dtype=torch.float32, seed=seed)
        self._hear = hear

    def _evaluate_batch(self, solutions: SolutionBatch) -> None:
        solutions.set_evals(self._hear(plain(solutions.values)))
