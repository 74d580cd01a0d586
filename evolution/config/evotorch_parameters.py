"""The parameters of evotorch's algorithms and operators, as evotorch 0.6.1 names them.

A table, so that a configuration can be checked without importing evotorch, which takes seconds and torch. A test
compares it with evotorch's signatures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from evolution.config.faults import number_as_text

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

Kind = Literal["a number", "a whole number", "true or false", "text", "keys and values"]

_LARGEST = 1e6
"""Of every number: beyond it the coordinates of a genome, which are about 1, mean nothing."""


@dataclass(frozen=True)
class Parameter:
    """What may stand for a parameter of evotorch.

    least, above, most: limits of a number. choices: the texts that evotorch knows.
    nullable: evotorch takes None for it. required: it has no default, and the search has none for it either.
    """

    kind: Kind
    least: float = 0.0
    above: float | None = None
    most: float = _LARGEST
    choices: tuple[str, ...] = ()
    nullable: bool = False
    required: bool = False

    def wrong(self, value: Any) -> str:
        """What was expected instead of `value`, and for what reason; "" when it can stand there."""
        if value is None:
            return "" if self.nullable else self.told()
        if self.kind == "true or false":
            return "" if isinstance(value, bool) else self.told()
        if self.kind == "keys and values":
            return "" if isinstance(value, Mapping) else self.told()
        if self.kind == "text":
            return "" if value in self.choices else self.told()
        if isinstance(value, bool) or not isinstance(value, int if self.kind == "a whole number" else int | float):
            return self.told() + number_as_text(value)
        return "" if self._within(value) else self.told()

    def _within(self, value: float) -> bool:
        large_enough = value > self.above if self.above is not None else value >= self.least
        return large_enough and value <= self.most and (isinstance(value, int) or math.isfinite(value))

    def told(self) -> str:
        """What may stand there, in words."""
        told: str = self.kind
        if self.choices:
            told = f"{', '.join(self.choices[:-1])} or {self.choices[-1]}"
        elif self.kind in ("a number", "a whole number"):
            lower = f"more than {self.above:g}" if self.above is not None else f"at least {self.least:g}"
            upper = f" and at most {self.most:,.12g}" if self.most < _LARGEST else ""
            told = f"{told}, {lower}{upper}"
        told += ", or null" if self.nullable else ""
        return told


_NUMBER, _SHARE, _WIDTH = Parameter("a number"), Parameter("a number", most=1.0), Parameter("a number", above=0.0)
_COUNT, _SWITCH = Parameter("a whole number", least=1), Parameter("true or false")


def _or_null(parameter: Parameter) -> Parameter:
    return replace(parameter, nullable=True)


def _required(parameter: Parameter) -> Parameter:
    return replace(parameter, required=True)


_WIDTHS = {"stdev_init": _or_null(_WIDTH), "radius_init": _or_null(_WIDTH)}
_WIDTH_LIMITS = {name: _or_null(_NUMBER) for name in ("stdev_min", "stdev_max", "stdev_max_change")}
_GAUSSIAN = {
    "center_learning_rate": _or_null(_NUMBER),
    "stdev_learning_rate": _or_null(_NUMBER),
    "optimizer": Parameter("text", choices=("adam", "clipup", "clipsga", "clipsgd", "sga", "sgd"), nullable=True),
    "optimizer_config": Parameter("keys and values", nullable=True),
    "ranking_method": Parameter("text", choices=("nes", "centered", "linear", "normalized", "raw"), nullable=True),
    **_WIDTHS,
}

ALGORITHMS: Mapping[str, Mapping[str, Parameter]] = {
    "GA": {"elitist": _SWITCH},
    "CMAES": {
        "stdev_init": _WIDTH,
        **dict.fromkeys(("c_m", "c_sigma_ratio", "damp_sigma_ratio", "c_c_ratio", "c_1_ratio"), _NUMBER),
        "c_mu_ratio": _NUMBER,
        **{name: _or_null(_NUMBER) for name in ("c_sigma", "damp_sigma", "c_c", "c_1", "c_mu")},
        **dict.fromkeys(("active", "csa_squared", "separable", "limit_C_decomposition"), _SWITCH),
        **{name: _or_null(_NUMBER) for name in ("stdev_min", "stdev_max")},
    },
    "SNES": {**_GAUSSIAN, **_WIDTH_LIMITS, "scale_learning_rate": _SWITCH},
    "PGPE": {
        **_GAUSSIAN,
        **_WIDTH_LIMITS,
        "center_learning_rate": _NUMBER,
        "stdev_learning_rate": _NUMBER,
        "symmetric": _SWITCH,
    },
    "XNES": {**_GAUSSIAN, "scale_learning_rate": _SWITCH},
    "CEM": {**_WIDTHS, **_WIDTH_LIMITS, "parenthood_ratio": Parameter("a number", above=0.0, most=1.0)},
}
"""search.mode -> what may stand under `search.evotorch`."""

_CROSSOVER = {
    "tournament_size": _required(_COUNT),
    "cross_over_rate": _or_null(_WIDTH),
    "num_children": Parameter("a whole number", least=2, nullable=True),
}
_PROBABILITY = {"mutation_probability": _or_null(_SHARE)}

OPERATORS: Mapping[str, Mapping[str, Parameter]] = {
    "OnePointCrossOver": _CROSSOVER,
    "TwoPointCrossOver": _CROSSOVER,
    "MultiPointCrossOver": {**_CROSSOVER, "num_points": _or_null(_COUNT)},
    "SimulatedBinaryCrossOver": {**_CROSSOVER, "eta": _required(_NUMBER)},
    "GaussianMutation": {"stdev": _required(_NUMBER), **_PROBABILITY},
    "PolynomialMutation": {"eta": _or_null(_NUMBER), **_PROBABILITY},
    "CosynePermutation": {"permute_all": _SWITCH},
}
"""Name of an operator -> its parameters."""
