"""What the searches over [tokens, dim] share: coordinates, candidates, and a state that holds both."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from evotorch import Problem, SolutionBatch
from torch import Tensor

from evolution.search.candidates import Candidate, Generation, genome_bytes
from evolution.search.lineage import plain
from evolution.search.searcher import Evaluate, Population, Searcher, derived_seed
from evolution.search.subspace import FullSpace, PrincipalSubspace
from models_store.generators.base import PromptSpace, TokenVocabulary

_NARROWEST = 1e-3

# evotorch tells four lines about every problem that is made, and one is made in each step.
logging.getLogger("evotorch").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Memory:
    """What a search knows beside its population.

    coordinates: of the population, float32 [population_size, length].
    belief: what the algorithm goes on with, plain values and tensors; empty where it needs nothing.
    """

    coordinates: Tensor
    belief: Mapping[str, Any] = field(default_factory=dict)


class VectorSearcher(Searcher):
    """A search over [tokens, dim], in coordinates of its own.

    initial: float [population_size, tokens, dim], usually embedded prompts: the first generation.
    space: names the genomes, and the embeddings of its tokens, where it has some, bound a search of every number;
        without one prompts are "".
    pool: float [P, tokens, dim], embedded prompts that tell how genomes usually differ; None: the initial ones.
    subspace: search this many principal directions of the pool instead of every number; the first generation too is
        then what of the initial genomes lies in them.
    snap: move every position to its nearest token before it is played; the coordinates stay where they are.
    The seed of a genome is derived from its numbers and the run's seed, so equal genomes are equal candidates.
    Raises ValueError for genomes of other shapes, more directions than the pool has, or `snap` without tokens.
    """

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
    ) -> None:
        super().__init__(population_size=population_size, seed=seed)
        if initial.ndim != 3 or len(initial) != population_size:
            raise ValueError(
                f"initial: expected [{population_size}, tokens, dim], one genome for each candidate, "
                f"got shape {tuple(initial.shape)}"
            )
        pool = initial if pool is None else pool
        if pool.ndim != 3 or pool.shape[1:] != initial.shape[1:]:
            raise ValueError(f"pool: expected [P, {initial.shape[1]}, {initial.shape[2]}], got {tuple(pool.shape)}")
        if snap and not isinstance(space, TokenVocabulary):
            raise ValueError("snap: expected a vocabulary whose tokens to move to, got none")
        self._prompts = space
        self._snap = snap
        self._space = FullSpace(pool) if subspace is None else PrincipalSubspace(pool, directions=subspace)
        self._initial = self._space.encode(initial)
        self._bounds = self._box(pool, space if subspace is None else None)
        self._memory = Memory(self._initial)
        self._next: Memory | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Tokens and dim of a genome."""
        return self._space.shape

    def step(self, evaluate: Evaluate) -> Generation:
        self._next = None
        generation = super().step(evaluate)
        if self._next is not None:  # only now: an interrupted step has changed nothing
            self._memory, self._next = self._next, None
        return generation

    def state(self) -> dict[str, Any]:
        coordinates = self._memory.coordinates.clone()
        return {
            **super().state(),
            "space": self._space.digest,
            "coordinates": coordinates,
            "belief": dict(self._memory.belief),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state()`; raises ValueError, changing nothing, for one of another space too."""
        memory = self._memory_in(state) if state.get("mode") == self.mode else self._memory
        super().restore(state)
        self._memory, self._next = memory, None

    def _memory_in(self, state: Mapping[str, Any]) -> Memory:
        if missing := {"space", "coordinates", "belief"} - state.keys():
            raise ValueError(f"search state: expected the keys of state(), missing {sorted(missing)}")
        if state["space"] != self._space.digest:
            raise ValueError(
                f"search state: expected the space {self._space.digest!r} (max_seq_len, subspace and prompts as they "
                f"were), got {state['space']!r}"
            )
        coordinates = torch.as_tensor(state["coordinates"], dtype=torch.float32).clone()
        expected = (self.population_size, self._space.length)
        if tuple(coordinates.shape) != expected:
            raise ValueError(f"search state: expected coordinates {expected}, got {tuple(coordinates.shape)}")
        return Memory(coordinates, dict(state["belief"]))

    def candidates(self, coordinates: Tensor) -> Population:
        """Coordinates [N, length] as candidates without a history."""
        genomes = self._space.decode(plain(coordinates))  # [N, tokens, dim]
        if self._snap and isinstance(self._prompts, TokenVocabulary):
            genomes = self._prompts.embeddings[self._prompts.nearest_ids(genomes)]
        named = [""] * len(genomes) if self._prompts is None else self._prompts.nearest(genomes)
        made = [Candidate(genome.numpy(), 0, prompt) for genome, prompt in zip(genomes, named, strict=True)]
        return tuple(replace(each, seed=derived_seed(self.seed, genome_bytes(each))) for each in made)

    def _first(self) -> Population:
        return self.candidates(self._initial)

    def _box(self, pool: Tensor, space: PromptSpace | None) -> tuple[Tensor, Tensor]:
        """The smallest box that holds the pool, the initial genomes and the tokens: 2 x [length].

        In the full space every position gets the same box: any token may stand anywhere.
        """
        points = torch.cat([self._space.encode(pool), self._initial])
        if isinstance(self._space, FullSpace):
            points = points.reshape(-1, self.shape[1])
            if isinstance(space, TokenVocabulary):
                points = torch.cat([points, space.embeddings.detach().to("cpu", torch.float32)])
        low, high = points.amin(dim=0), points.amax(dim=0)
        # evotorch's polynomial mutation divides by the width of the box
        flat = high - low < _NARROWEST
        low, high = torch.where(flat, low - _NARROWEST, low), torch.where(flat, high + _NARROWEST, high)
        times = self._space.length // len(low)
        return low.repeat(times), high.repeat(times)

    def _step_seed(self) -> int:
        """The seed of everything that evotorch draws in the coming step."""
        return derived_seed(self.seed, self._generations, "evotorch")


class Unbounded(Problem):
    """evotorch's view of a search that hears its candidates outside: whatever is asked for scores 0 for now."""

    def __init__(self, bounds: tuple[Tensor, Tensor], seed: int) -> None:
        low, high = (bound.numpy() for bound in bounds)
        super().__init__("max", initial_bounds=(low, high), solution_length=len(low), dtype=torch.float32, seed=seed)

    def _evaluate_batch(self, solutions: SolutionBatch) -> None:
        solutions.set_evals(torch.zeros(len(solutions)))
