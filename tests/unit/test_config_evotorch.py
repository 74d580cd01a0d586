"""evotorch's parameters: which there are, what each takes, and what one algorithm asks for and another does not."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import pytest

from evolution import config
from evolution.config import ConfigurationError, evotorch_parameters
from evolution.config.evotorch_parameters import Parameter
from tests.unit.small_words import WORDS, embedded


def refusal(mapping: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        config.parse(mapping)
    return str(refused.value)


def ga(*operators: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"search": {"mode": "GA", "GA_operators": [{"name": name, "parameters": how} for name, how in operators]}}


def test_an_unknown_parameter_of_an_algorithm_lists_the_known_ones() -> None:
    told = refusal({"search": {"mode": "CMAES", "evotorch": {"seperable": True}}})
    assert "search.evotorch.seperable: unknown parameter of evotorch's CMAES; known are active, " in told
    assert told.endswith("did you mean separable?")
    assert "the search does not decide itself, got popsize" in refusal(
        {"search": {"mode": "SNES", "evotorch": {"popsize": 4}}}
    )
    assert "search.evotorch.elitist" in refusal({"search": {"mode": "SNES", "evotorch": {"elitist": True}}})
    assert "expected true or false, got 1" in refusal({"search": {"mode": "GA", "evotorch": {"elitist": 1}}})
    assert "search.evotorch.nonsense" in refusal({"search": {"evotorch": {"nonsense": 1}}})


def test_an_unknown_parameter_of_an_operator_lists_the_known_ones() -> None:
    operators = [{"name": "GaussianMutation", "parameters": {"stdev": 1, "sigma": 1}}]
    assert refusal({"search": {"mode": "GA", "GA_operators": operators}}) == (
        "search.GA_operators[0].parameters.sigma: unknown parameter of GaussianMutation; "
        "known are mutation_probability, stdev"
    )


def test_only_an_optimisers_settings_are_a_mapping() -> None:
    optimiser = {"optimizer": "clipup", "optimizer_config": {"max_speed": 0.1}}
    config.parse({"search": {"mode": "PGPE", "evotorch": optimiser}})
    assert "search.evotorch.stdev_init: expected a number" in refusal(
        {"search": {"mode": "PGPE", "evotorch": {"stdev_init": {"a": 1}}}}
    )


@pytest.mark.parametrize(
    ("mode", "given", "message"),
    [
        ("SNES", {"stdev_init": "x"}, "search.evotorch.stdev_init: expected a number, more than 0, or null, got 'x'"),
        ("SNES", {"stdev_init": "1e-3"}, "got '1e-3'"),
        ("SNES", {"stdev_init": 0}, "stdev_init: expected a number, more than 0, or null, got 0"),
        ("SNES", {"stdev_init": True}, "stdev_init: expected a number"),
        ("SNES", {"stdev_max": float("nan")}, "stdev_max: expected a number"),
        ("SNES", {"stdev_max": 10**400}, "stdev_max: expected a number"),
        ("SNES", {"ranking_method": "best"}, "expected nes, centered, linear, normalized or raw, or null, got 'best'"),
        ("PGPE", {"optimizer": "newton"}, "or sgd, or null, got 'newton'"),
        ("PGPE", {"optimizer_config": 1}, "optimizer_config: expected keys and values, or null, got 1"),
        ("PGPE", {"center_learning_rate": None}, "center_learning_rate: expected a number, at least 0, got None"),
        ("CMAES", {"separable": "yes"}, "separable: expected true or false, got 'yes'"),
        ("CMAES", {"stdev_init": None}, "stdev_init: expected a number, more than 0, got None"),
        ("CEM", {"parenthood_ratio": 1.5}, "expected a number, more than 0 and at most 1, got 1.5"),
        ("CEM", {"parenthood_ratio": 0.01}, "expected a share of at least two of the 29 drawn, got 0.01"),
        ("XNES", {"optimizer": "adam"}, "expected none for XNES, whose update takes none, got 'adam'"),
        ("SNES", {"stdev_init": 1, "radius_init": 1}, "radius_init: expected none beside stdev_init, got both"),
        ("prompt GA", {"stdev_init": "x"}, "stdev_init: expected a number"),
    ],
)
def test_a_parameter_of_an_algorithm_is_of_its_kind(mode: str, given: dict[str, Any], message: str) -> None:
    assert message in refusal({"search": {"mode": mode, "evotorch": given}})


@pytest.mark.parametrize(
    ("operator", "given", "message"),
    [
        ("GaussianMutation", {"stdev": "x"}, "parameters.stdev: expected a number, at least 0, got 'x'"),
        ("GaussianMutation", {}, "parameters.stdev: expected a value, which GaussianMutation needs, got none"),
        ("GaussianMutation", {"stdev": 1, "mutation_probability": 2}, "at least 0 and at most 1, or null, got 2"),
        ("OnePointCrossOver", {"tournament_size": 0}, "tournament_size: expected a whole number, at least 1, got 0"),
        ("OnePointCrossOver", {"tournament_size": 2.0}, "tournament_size: expected a whole number"),
        ("OnePointCrossOver", {"tournament_size": 2, "num_children": 3}, "num_children: expected an even number"),
        (
            "OnePointCrossOver",
            {"tournament_size": 2, "num_children": 2, "cross_over_rate": 1.0},
            "expected none beside cross_over_rate",
        ),
        ("SimulatedBinaryCrossOver", {"tournament_size": 2, "eta": -1}, "eta: expected a number, at least 0, got -1"),
        ("MultiPointCrossOver", {"tournament_size": 2, "num_points": 0}, "num_points: expected a whole number"),
        ("CosynePermutation", {"permute_all": 1}, "permute_all: expected true or false, got 1"),
    ],
)
def test_a_parameter_of_an_operator_is_of_its_kind(operator: str, given: dict[str, Any], message: str) -> None:
    told = refusal(ga((operator, given)))
    assert message in told
    assert told.startswith("search.GA_operators[0].parameters.")


def test_what_chooses_among_scored_candidates_stands_first() -> None:
    mutation = ("GaussianMutation", {"stdev": 0.1})
    for name, parameters in (("OnePointCrossOver", {"tournament_size": 2}), ("CosynePermutation", {})):
        config.parse(ga((name, parameters), mutation))
        assert f"GA_operators[1].name: expected {name} first" in refusal(ga(mutation, (name, parameters)))
    config.parse(ga(mutation, ("CosynePermutation", {"permute_all": True})))


def test_pgpe_draws_pairs() -> None:
    odd = {"mode": "PGPE", "population_size": 7, "elites": 0.0}
    assert "search.population_size: expected an even number for PGPE" in refusal({"search": odd})
    config.parse({"search": {**odd, "evotorch": {"symmetric": False}}})
    config.parse({"search": {**odd, "mode": "SNES"}})


@pytest.mark.parametrize(("mode", "given"), [("PGPE", {}), ("CEM", {"parenthood_ratio": 0.25})])
def test_the_schema_refuses_the_sizes_that_the_search_refuses(mode: str, given: dict[str, Any]) -> None:
    from evolution.search.vectors.build import DISTRIBUTION_SEARCHES

    def is_made(make: Callable[[], object]) -> bool:
        try:
            make()
        except ValueError:
            return False
        return True

    pool, outcomes = embedded(60), set()
    for size, elites in product((2, 3, 4, 5, 7, 8, 9), (0.0, 0.1, 0.5)):
        search = {"mode": mode, "population_size": size, "elites": elites, "evotorch": given}
        common = {"initial": pool[:size], "seed": 1, "space": WORDS, "pool": pool, "evotorch_parameters": given}
        by_search = is_made(partial(DISTRIBUTION_SEARCHES[mode], population_size=size, elites=elites, **common))
        assert is_made(partial(config.parse, {"search": search})) == by_search, (size, elites)
        outcomes.add(by_search)
    assert outcomes == {True, False}


def test_a_subspace_has_no_more_directions_than_prompts_can_tell() -> None:
    assert "search.subspace: expected at most 2000, got 5000" in refusal({"search": {"mode": "SNES", "subspace": 5000}})


def test_the_table_of_parameters_is_what_evotorch_has() -> None:
    from evotorch import algorithms, operators

    ours = evotorch_parameters.SET_BY_THE_SEARCH
    mentioned = set()
    tables = {name: (algorithms, known) for name, known in evotorch_parameters.ALGORITHMS.items()}
    tables |= {name: (operators, known) for name, known in evotorch_parameters.OPERATORS.items()}
    for name, (module, known) in tables.items():
        real = inspect.signature(getattr(module, {"GA": "GeneticAlgorithm"}.get(name, name))).parameters
        assert set(known) == set(real) - ours, name
        for parameter, ours_says in known.items():
            agrees(name, real[parameter], ours_says)
        mentioned |= set(real)
    assert ours <= mentioned


WITH_DEFAULTS_OF_OURS = {"stdev_init", "center_learning_rate", "stdev_learning_rate", "parenthood_ratio"}
KINDS = {
    "a number": ("float", "Real"),
    "a whole number": ("int",),
    "true or false": ("bool",),
    "text": ("str",),
    "keys and values": ("dict",),
}


def agrees(name: str, real: inspect.Parameter, ours: Parameter) -> None:
    """Our table says of a parameter what evotorch's signature says: type, whether it may be None or left out."""
    annotation = "" if real.annotation is inspect.Parameter.empty else str(real.annotation)
    if annotation:  # the optimisers have none: evotorch takes a name or an object
        assert any(word in annotation for word in KINDS[ours.kind]), (name, real)
    nullable = real.default is None or "None" in annotation or "Optional" in annotation
    assert ours.nullable == (nullable or real.name == "optimizer"), (name, real)
    required = real.default is inspect.Parameter.empty and real.name not in WITH_DEFAULTS_OF_OURS
    assert ours.required == required, (name, real)
