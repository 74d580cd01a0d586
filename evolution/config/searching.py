"""The part of the schema that says how populations are made: `evolution.search`."""

from __future__ import annotations

import difflib
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Literal, get_args

from pydantic import Field

from evolution.config import evotorch_parameters
from evolution.config.evotorch_parameters import Parameter
from evolution.config.faults import Contradiction, Location, shown
from evolution.config.sections import (
    EMPTY_IS_DEFAULT,
    Count,
    Fraction,
    Name,
    OptionalText,
    Parameters,
    Section,
    Weight,
    folded,
)

Mode = Literal[
    "full LLM", "LLM evolve", "prompt GA", "token GA", "GA", "CMAES", "SNES", "PGPE", "XNES", "CEM", "random"
]
_OTHER_SPELLINGS = {"CMA-ES": "CMAES", "full_LLM": "full LLM", "LLM_evolve": "LLM evolve"}
SearchMode = Annotated[Mode, folded(*get_args(Mode), aliases=_OTHER_SPELLINGS)]

LLM_MODES = frozenset({"full LLM", "LLM evolve"})
TEXT_MODES = LLM_MODES | {"prompt GA"}
VECTOR_MODES = frozenset(evotorch_parameters.ALGORITHMS)
"""The modes that evotorch searches, over embeddings."""

OperatorName = Literal[
    "OnePointCrossOver",
    "TwoPointCrossOver",
    "MultiPointCrossOver",
    "SimulatedBinaryCrossOver",
    "GaussianMutation",
    "PolynomialMutation",
    "CosynePermutation",
]

_PLACEHOLDER = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")
_TAG = re.compile(r"</?\s*prompt\s*/?>", re.IGNORECASE)


def input_types(mode: Mode) -> tuple[Literal["text", "token_embeddings", "embeddings"], ...]:
    """What a search can be played through; the first is taken when the configuration does not say."""
    if mode in TEXT_MODES:
        return ("text",)
    if mode == "token GA":
        return ("token_embeddings",)
    if mode == "random":
        return ("text", "token_embeddings", "embeddings")
    return ("token_embeddings", "embeddings")


def _refused(location: Location, parameter: Parameter, value: object) -> Iterator[Contradiction]:
    expected = parameter.wrong(value)
    if expected:
        yield Contradiction(location, f"expected {expected}, got {shown(value)}")


class GAOperator(Section):
    """One of evotorch's operators, for the mode GA."""

    name: OperatorName = Field(description="An operator of evotorch.")
    parameters: Parameters = Field(default={}, description="Its parameters, as evotorch names them.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Parameters that the operator does not have, that it needs, and values that it does not take."""
        known = evotorch_parameters.OPERATORS[self.name]
        for given, value in self.parameters.items():
            if given not in known:
                yield _unknown(("parameters", given), given, self.name, known)
            else:
                yield from _refused(("parameters", given), known[given], value)
        for needed, parameter in known.items():
            if parameter.required and needed not in self.parameters:
                yield Contradiction(("parameters", needed), f"expected a value, which {self.name} needs, got none")
        children = self.parameters.get("num_children")
        if children is not None and "num_children" in known:
            if isinstance(children, int) and children % 2:
                yield Contradiction(("parameters", "num_children"), f"expected an even number, got {children}")
            if self.parameters.get("cross_over_rate") is not None:
                yield Contradiction(("parameters", "num_children"), "expected none beside cross_over_rate, got both")

    @property
    def chooses(self) -> bool:
        """Whether it chooses among scored candidates, and so can only be the first of a chain."""
        permutes = self.name == "CosynePermutation" and not self.parameters.get("permute_all", False)
        return self.name.endswith("CrossOver") or permutes


class LLMOperator(Section):
    """A genetic operator that a language model carries out, for the mode LLM evolve."""

    name: Name = Field(description="What it is called in a candidate's history; different for each operator.")
    prompt: Name = Field(
        description="What the model is asked to do. `{prompts}` stands for the parents; no `<prompt>` tags."
    )
    input: Count = Field(default=1, description="How many parents it takes.")
    output: Count = Field(default=1, description="How many children it makes.")
    probability: Fraction = Field(
        default=1.0, description="How often it is applied; else `output` of its inputs are passed on."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """A prompt that cannot be filled in, and children that nobody could pass on."""
        yield from _template_faults("prompt", self.prompt, needed=("prompts",))
        if self.output > self.input and self.probability < 1.0:
            yield Contradiction(
                ("output",),
                f"expected at most the {self.input} of input, since with probability {self.probability} "
                f"the inputs are passed on instead, got {self.output}",
            )


class Search(Section):
    """How populations are made. Fractions are of the population."""

    mode: SearchMode = Field(default="prompt GA", description="The search; `random` is the control: no search at all.")
    population_size: Annotated[int, Field(ge=2, le=1_000_000)] = Field(
        default=32, description="Candidates of a generation."
    )
    sample: bool = Field(
        default=True,
        description="Draw the parents from their tournament by fitness, instead of taking the best. "
        "Text searches only.",
    )
    temperature: Weight = Field(
        default=0.1, description="Of that draw: 0 takes the best, large numbers take any. Fitness is in about [-1, 1]."
    )
    novel_prompts: Fraction = Field(default=0.1, description="The share that is made anew. Text searches only.")
    elites: Fraction = Field(default=0.1, description="The share that is kept as it is. Not used by random.")
    tournament_size: Annotated[int, Field(ge=2, le=1_000_000)] = Field(
        default=5, description="Contestants for each choice of parents. LLM evolve, prompt GA and token GA."
    )
    full_LLM_prompt: OptionalText = Field(  # noqa: N815 - the name that the prototype's files have
        default=None,
        description="full LLM: what the model is asked, with `{ranking}` and `{num_generate}`; "
        "absent: a template of ours.",
    )
    LLM_genetic_operators: Annotated[tuple[LLMOperator, ...], EMPTY_IS_DEFAULT, Field(strict=False)] = Field(
        default=(), description="LLM evolve: the chain of operators, applied in order; none: a chain of ours."
    )
    swap_rate: Fraction = Field(
        default=0.05, description="token GA: the share of a child's tokens that is swapped with those of others."
    )
    evotorch: Parameters = Field(default={}, description="Parameters of evotorch's algorithm, as evotorch names them.")
    GA_operators: Annotated[tuple[GAOperator, ...], EMPTY_IS_DEFAULT, Field(strict=False)] = Field(
        default=(
            GAOperator(name="TwoPointCrossOver", parameters={"tournament_size": 4}),
            GAOperator(name="GaussianMutation", parameters={"stdev": 0.2, "mutation_probability": 0.05}),
        ),
        description="GA: the chain of operators, applied in order.",
    )
    subspace: Annotated[int, Field(ge=1, le=2000)] | None = Field(
        default=None,
        description="Search this many principal directions of the prompts that it starts from, embedded, "
        "and not the whole space. evotorch's modes only.",
    )
    snap: bool = Field(
        default=False,
        description="Move each position to its nearest real token before it is played. evotorch's modes only.",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """What cannot make a population."""
        if self.elites >= 1.0:
            yield Contradiction(("elites",), f"expected less than 1, or nothing ever changes; got {self.elites}")
        if self.elites + self.novel_prompts > 1.0:
            yield Contradiction(
                ("elites",),
                f"expected at most 1 together, got {self.elites} + {self.novel_prompts}",
                "elites + novel_prompts",
            )
        if not self.GA_operators:
            yield Contradiction(("GA_operators",), "expected at least one operator, got none")
        if self.full_LLM_prompt is not None:
            yield from _template_faults("full_LLM_prompt", self.full_LLM_prompt, needed=("num_generate", "ranking"))
        yield from self._evotorch_faults()
        yield from self._chain_faults()
        yield from self._space_faults()

    def _evotorch_faults(self) -> Iterator[Contradiction]:
        known = evotorch_parameters.ALGORITHMS.get(self.mode)
        owner = f"evotorch's {self.mode}"
        if known is None:  # not used, but a misspelt name is still one
            known, owner = dict(ChainMap(*map(dict, evotorch_parameters.ALGORITHMS.values()))), "evotorch's algorithms"
        for given, value in self.evotorch.items():
            if given not in known:
                yield _unknown(("evotorch", given), given, owner, known)
            else:
                yield from _refused(("evotorch", given), known[given], value)
        yield from self._mode_faults()

    def _mode_faults(self) -> Iterator[Contradiction]:
        """What one algorithm of evotorch asks for and the others do not."""
        given = self.evotorch
        if given.get("stdev_init") is not None and given.get("radius_init") is not None:
            yield Contradiction(("evotorch", "radius_init"), "expected none beside stdev_init, got both")
        if self.mode == "PGPE" and not self._kept and self.population_size % 2 and given.get("symmetric", True) is True:
            yield Contradiction(
                ("population_size",),
                "expected an even number for PGPE, which draws pairs around its centre "
                f"(or elites, or evotorch.symmetric: false), got {self.population_size}",
            )
        if self.mode == "XNES" and given.get("optimizer") is not None:
            yield Contradiction(
                ("evotorch", "optimizer"),
                f"expected none for XNES, whose update takes none, got {given['optimizer']!r}",
            )
        share, drawn = given.get("parenthood_ratio"), self.population_size - self._kept
        if self.mode == "CEM" and isinstance(share, int | float) and int(drawn * min(share, 1.0)) < 2:
            yield Contradiction(
                ("evotorch", "parenthood_ratio"), f"expected a share of at least two of the {drawn} drawn, got {share}"
            )

    @property
    def _kept(self) -> int:
        """How many elites stand beside what evotorch's distributions draw, which are four at least."""
        wanted = max(1, round(self.elites * self.population_size)) if self.elites > 0.0 else 0
        return min(wanted, max(0, self.population_size - 4))

    def _chain_faults(self) -> Iterator[Contradiction]:
        for place, after in enumerate(self.GA_operators[1:], start=1):
            if after.chooses:
                yield Contradiction(
                    ("GA_operators", place, "name"),
                    f"expected {after.name} first, since it chooses among scored candidates, got it after "
                    f"{self.GA_operators[place - 1].name}",
                )
        operators = self.LLM_genetic_operators
        for place, (former, latter) in enumerate(pairwise(operators), start=1):
            if former.output != latter.input:
                yield Contradiction(
                    ("LLM_genetic_operators", place, "input"),
                    f"expected {former.output}, as many as {former.name!r} before it makes, got {latter.input}",
                )
        names = [operator.name for operator in operators]
        for place, name in enumerate(names):
            if name in names[:place]:
                yield Contradiction(
                    ("LLM_genetic_operators", place, "name"),
                    f"expected a name of its own, got {name!r}, which operator {names.index(name) + 1} has",
                )
        if operators and self.tournament_size < operators[0].input:
            yield Contradiction(
                ("tournament_size",),
                f"expected at least {operators[0].input}, the parents that {operators[0].name!r} takes, "
                f"got {self.tournament_size}",
            )

    def _space_faults(self) -> Iterator[Contradiction]:
        if self.mode in VECTOR_MODES:
            return
        modes = ", ".join(evotorch_parameters.ALGORITHMS)
        if self.subspace is not None:
            yield Contradiction(
                ("subspace",),
                f"expected search.mode to be one of {modes} with it, got {self.mode!r} and {self.subspace}",
            )
        if self.snap:
            yield Contradiction(("snap",), f"expected search.mode to be one of {modes} with it, got {self.mode!r}")


def _template_faults(key: str, text: str, *, needed: tuple[str, ...]) -> Iterator[Contradiction]:
    """What is wrong with a template for a language model, whose answers are found by their `<prompt>` tags."""
    expected = " and ".join(f"{{{name}}}" for name in needed)
    for name in needed:
        if f"{{{name}}}" not in text:
            yield Contradiction((key,), f"expected {expected} in the text, got it without {{{name}}}")
    for match in _PLACEHOLDER.finditer(text):
        if match[0] not in {f"{{{name}}}" for name in needed}:
            yield Contradiction((key,), f"expected no placeholder but {expected}, got {match[0]}")
    if _TAG.search(text):
        yield Contradiction((key,), "expected no <prompt> tags, by which the answers are found, got one")


def _unknown(location: Location, given: str, owner: str, known: Iterable[str]) -> Contradiction:
    if given in evotorch_parameters.SET_BY_THE_SEARCH:
        return Contradiction(location, f"expected only what the search does not decide itself, got {given}")
    near = difflib.get_close_matches(given, list(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Contradiction(location, f"unknown parameter of {owner}; known are {', '.join(sorted(known))}{hint}")
