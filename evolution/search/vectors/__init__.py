"""Searches over token embeddings, by evotorch. The only package that knows evotorch."""

from evolution.search.vectors.base import VectorSearcher
from evolution.search.vectors.cmaes import CMAESSearch
from evolution.search.vectors.distributions import CEMSearch, PGPESearch, SNESSearch, XNESSearch
from evolution.search.vectors.ga import GA_OPERATORS, VectorGA, VectorOperator

__all__ = [
    "GA_OPERATORS",
    "CEMSearch",
    "CMAESSearch",
    "PGPESearch",
    "SNESSearch",
    "VectorGA",
    "VectorOperator",
    "VectorSearcher",
    "XNESSearch",
]
