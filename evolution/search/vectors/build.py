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
from models_store.generators.base import TokenVocabulary

DISTRIBUTION_SEARCHES: Mapping[str, type[DistributionSearch]] = MappingProxyType(
    {search.mode: search for search in (CMAESSearch, SNESSearch, PGPESearch, XNESSearch, CEMSearch)}
)


def vector_searcher(
    search: Search,
    *,
    length: int,
    seed: int,
    vocabulary: TokenVocabulary,
    initial_prompts: Sequence[str],
    pool: Sequence[str] = (),
) -> Searcher:
    """The search of a mode that moves in token embeddings: GA, CMAES, SNES, PGPE, XNES or CEM.

    length: tokens of a genome. initial_prompts: the first generation, `population_size` of them.
    pool: the prompts that tell how genomes differ; none: the initial ones.
    Raises ValueError for another mode and for everything that the searches refuse.
    """
    common: dict[str, Any] = {
        "initial": vocabulary.embed(initial_prompts, length=length),
        "pool": vocabulary.embed(pool, length=length) if pool else None,
        "population_size": search.population_size,
        "seed": seed,
        "vocabulary": vocabulary,
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
