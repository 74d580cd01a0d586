"""The parameters of evotorch's algorithms and operators, as evotorch 0.6.1 names them.

A table, so that a configuration can be checked without importing evotorch, which takes seconds and torch. A test
compares it with evotorch's signatures.
"""

from __future__ import annotations

from collections.abc import Mapping

SET_BY_THE_SEARCH = frozenset(
    {
        "problem",  # what is played and heard
        "popsize",  # search.population_size
        "center_init",  # the initial prompts
        "operators",  # search.GA_operators
        "obj_index",  # there is one objective, the fitness
        "re_evaluate",  # evaluations are stored, and scored again when the taste has changed
        "re_evaluate_parents_first",
        "num_interactions",  # these three belong to problems that count the steps of a simulation
        "popsize_max",
        "popsize_weighted_grad_avg",
        "distributed",  # players share the work by themselves
        "_allow_empty_operator_list",
    }
)
"""What cannot be given: the search decides it, from the configuration or by what it is."""

_GAUSSIAN = (
    "center_learning_rate",
    "stdev_learning_rate",
    "optimizer",
    "optimizer_config",
    "ranking_method",
)
_WIDTH = ("stdev_init", "radius_init")
_WIDTH_LIMITS = ("stdev_min", "stdev_max", "stdev_max_change")

ALGORITHMS: Mapping[str, frozenset[str]] = {
    "GA": frozenset({"elitist"}),
    "CMAES": frozenset(
        {
            "stdev_init",
            "c_m",
            "c_sigma",
            "c_sigma_ratio",
            "damp_sigma",
            "damp_sigma_ratio",
            "c_c",
            "c_c_ratio",
            "c_1",
            "c_1_ratio",
            "c_mu",
            "c_mu_ratio",
            "active",
            "csa_squared",
            "stdev_min",
            "stdev_max",
            "separable",
            "limit_C_decomposition",
        }
    ),
    "SNES": frozenset({*_GAUSSIAN, *_WIDTH, *_WIDTH_LIMITS, "scale_learning_rate"}),
    "PGPE": frozenset({*_GAUSSIAN, *_WIDTH, *_WIDTH_LIMITS, "symmetric"}),
    "XNES": frozenset({*_GAUSSIAN, *_WIDTH, "scale_learning_rate"}),
    "CEM": frozenset({*_WIDTH, *_WIDTH_LIMITS, "parenthood_ratio"}),
}
"""search.mode -> what may stand under `search.evotorch`."""

MAPPINGS = frozenset({"optimizer_config"})
"""The parameters that are keys and values themselves."""

_CROSSOVER = frozenset({"tournament_size", "cross_over_rate", "num_children"})

OPERATORS: Mapping[str, frozenset[str]] = {
    "OnePointCrossOver": _CROSSOVER,
    "TwoPointCrossOver": _CROSSOVER,
    "MultiPointCrossOver": _CROSSOVER | {"num_points"},
    "SimulatedBinaryCrossOver": _CROSSOVER | {"eta"},
    "GaussianMutation": frozenset({"stdev", "mutation_probability"}),
    "PolynomialMutation": frozenset({"eta", "mutation_probability"}),
    "CosynePermutation": frozenset({"permute_all"}),
}
"""Name of an operator -> its parameters."""
