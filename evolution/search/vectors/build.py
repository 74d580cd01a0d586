"""From the configuration of a search over token embeddings to the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from evolution.config import Search
from evolution.search.searcher import Searcher
from evolution.search.vectors.cmaes import CMAESSearch
from evolution.search.vectors.distributions import DistributionSearch
from evolution.search.vectors.ga import VectorGA, VectorOperator
from evolution.search.vectors.gaussians import CEMSearch, PGPESearch, SNESSearch, XNESSearch
from models_store.generators.base import PromptSpace, TokenVocabulary

_MOST_TOKEN_NUMBERS = 40_000_000
"""In all genomes of the pool: 320 MB in double precision, of which a principal component analysis makes copies. The
whole pool has fewer for any length of the embedded generator."""

_MOST_ENCODED_NUMBERS = 2**23
"""The same where a text encoder has to read every prompt: some four hundred of 25 tokens of 768 numbers."""

DISTRIBUTION_SEARCHES: Mapping[str, type[DistributionSearch]] = MappingProxyType(
    {search.mode: search for search in (CMAESSearch, SNESSearch, PGPESearch, XNESSearch, CEMSearch)}
)


def vector_searcher(
    search: Search,
    *,
    length: int,
    seed: int,
    space: PromptSpace,
    initial_prompts: Sequence[str],
    pool: Sequence[str] = (),
) -> Searcher:
    """The search of a mode that moves in token embeddings: GA, CMAES, SNES, PGPE, XNES or CEM.

    length: tokens of a genome. initial_prompts: the first generation, `population_size` of them.
    pool: the prompts that tell how genomes differ; none: the initial ones.
    Raises ValueError for another mode and for everything that the searches refuse.
    """
    initial = space.embed(initial_prompts, length=length)
    common: dict[str, Any] = {
        "initial": initial,
        "pool": space.embed(_spread(pool, _most(space) // initial[0].numel()), length=length) if pool else None,
        "population_size": search.population_size,
        "seed": seed,
        "space": space,
        "subspace": search.subspace,
        "snap": search.snap,
        "elites": search.elites,
        "evotorch_parameters": search.evotorch,
    }
    if search.mode == "GA":
        operators = [VectorOperator(operator.name, operator.parameters) for operator in search.GA_operators]
        return VectorGA(**common, operators=operators)
    if search.mode not in DISTRIBUTION_SEARCHES:
        known = ", ".join(("GA", *DISTRIBUTION_SEARCHES))
        raise ValueError(f"search.mode: expected one of {known} for a search over embeddings, got {search.mode!r}")
    return DISTRIBUTION_SEARCHES[search.mode](**common)


def _most(space: PromptSpace) -> int:
    return _MOST_TOKEN_NUMBERS if isinstance(space, TokenVocabulary) else _MOST_ENCODED_NUMBERS


def _spread(pool: Sequence[str], most: int) -> Sequence[str]:
    """At most so many prompts of the pool, evenly spread over it."""
    most = max(2, most)
    return pool if len(pool) <= most else [pool[place * len(pool) // most] for place in range(most)]
