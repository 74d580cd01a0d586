"""Searches over token embeddings, by evotorch. The only package that knows evotorch."""

from evolution.search.vectors.base import VectorSearcher
from evolution.search.vectors.cmaes import CMAESSearch
from evolution.search.vectors.ga import GA_OPERATORS, VectorGA, VectorOperator
from evolution.search.vectors.gaussians import CEMSearch, PGPESearch, SNESSearch, XNESSearch

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
