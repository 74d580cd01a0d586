"""The GA over token embeddings: evotorch's `GeneticAlgorithm` and its seven operators."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, get_args

import torch
from evotorch import Problem, SolutionBatch, operators
from evotorch.algorithms import GeneticAlgorithm
from torch import Tensor

from evolution.config import OperatorName
from evolution.search.candidates import Scores
from evolution.search.lineage import Heard, Lineage, plain
from evolution.search.searcher import Evaluate, Population, count_of
from evolution.search.vectors.base import Memory, VectorSearcher
from models_store import seeding
from models_store.generators.base import PromptSpace

GA_OPERATORS: tuple[str, ...] = get_args(OperatorName)
"""The operators that a GA can be made of, by evotorch's names."""

_Hear = Callable[[Tensor], Tensor]
"""Fitness [N] of coordinates [N, length]."""


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


class VectorGA(VectorSearcher):
    """evotorch's `GeneticAlgorithm`: tournaments within its crossovers, then its mutations.

    operators: applied in order. Without a crossover nothing selects parents, so evotorch then keeps the best of
        parents and children together (but for `elitist` false: then the children alone go on).
    elites: the fraction of the population that is kept; the other places are for the children. When the
        operators make fewer children than there are places, more of the best are kept.
    evotorch_parameters: `elitist` false keeps no elites, whatever `elites` says; true keeps at least one.
    pool, subspace, snap: as in VectorSearcher. In a subspace the operators work on standardised coordinates.
    Raises ValueError for unknown operators or parameters, and for values that evotorch refuses.
    """

    mode: ClassVar[str] = "GA"

    def __init__(
        self,
        *,
        initial: Tensor,
        population_size: int,
        seed: int,
        space: PromptSpace | None = None,
        pool: Tensor | None = None,
        subspace: int | None = None,
        snap: bool = False,
        operators: Sequence[VectorOperator],
        elites: float = 0.1,
        evotorch_parameters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            initial=initial,
            population_size=population_size,
            seed=seed,
            space=space,
            pool=pool,
            subspace=subspace,
            snap=snap,
        )
        if not operators:
            raise ValueError("GA_operators: expected at least one operator, got none")
        if not 0.0 <= elites < 1.0:
            raise ValueError(f"elites: expected a fraction in [0, 1), got {elites}")
        parameters = dict(evotorch_parameters or {})
        wanted = parameters.pop("elitist", None)
        elitist = elites > 0.0 if wanted is None else wanted
        if parameters:
            raise ValueError(f"evotorch: expected parameters among elitist, got {', '.join(sorted(parameters))}")
        if not isinstance(elitist, bool):
            raise ValueError(f"evotorch.elitist: expected true or false, got {elitist!r}")
        self._operators = tuple(operators)
        self._elites = min(max(1, count_of(elites, population_size)), population_size - 1) if elitist else 0
        # Without a crossover nobody selects parents: then the better of parents and children go on, unless it is
        # said that no parent shall.
        self._survival = not operators[0].name.endswith("CrossOver") and wanted is not False
        for operator in operators[1:]:
            if operator.needs_scores:
                raise ValueError(
                    f"GA_operators: expected {operator.name} first, since it chooses among scored candidates, "
                    f"got it after {operators[0].name}"
                )
        self._try_operators()

    def _advance(self, population: Population, evaluate: Evaluate) -> tuple[Population, Scores]:
        lineage = Lineage(rows=[(position,) for position in range(len(population))])
        coordinates = self._memory.coordinates
        heard = Heard(population, coordinates, evaluate, partial(self._children, lineage))
        algorithm = self._algorithm(heard, lineage)
        algorithm.population.set_values(coordinates)
        algorithm.step()
        bred = plain(algorithm.population.values)
        self._next = Memory(bred)
        return heard.roll(bred)

    def _children(self, lineage: Lineage, values: Tensor) -> Population:
        chain = tuple(operator.name for operator in self._operators)
        made = zip(self.candidates(values), lineage.rows, strict=True)
        return tuple(replace(child, parents=parents, operators=chain) for child, parents in made)

    def _algorithm(self, hear: _Hear, lineage: Lineage) -> GeneticAlgorithm:
        problem = _Listening(hear, self._bounds, self._step_seed())
        chain = [operator.build(problem, lineage) for operator in self._operators]
        with seeding.seeded(0):
            algorithm = GeneticAlgorithm(
                problem,
                operators=[*chain, _Cut(problem, self.population_size - self._elites, lineage)],
                popsize=self.population_size,
                elitist=self._survival,
                re_evaluate=True,
                re_evaluate_parents_first=True,
            )
        # Its random first population was drawn from the same generator: begin the step from the seed again.
        problem.manual_seed(self._step_seed())
        return algorithm

    def _try_operators(self) -> None:
        """Apply the chain once, unheard: some of evotorch's refusals come only then."""
        lineage = Lineage(rows=[(position,) for position in range(self.population_size)])
        algorithm = self._algorithm(lambda values: values.mean(dim=1), lineage)
        algorithm.population.set_values(self._initial)
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
