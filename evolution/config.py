"""The schema of an experiment's configuration (YAML). Validating reads nothing but the file and needs no torch."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

EMBEDDED_GENERATOR = "soundfont"


class ConfigurationError(ValueError):
    """What is wrong with a configuration: one line for each fault, naming path, value and expectation."""


class _Section(BaseModel):
    """A part of the configuration: immutable, strict about types, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=(), allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, value: Any) -> Any:
        """A key with nothing under it, which YAML reads as null, leaves every default."""
        return {} if value is None else value


def _folded(*choices: str, aliases: Mapping[str, str] | None = None) -> BeforeValidator:
    """Accept the choices in any case, and other spellings of them."""
    known = {choice.lower(): choice for choice in choices} | {key.lower(): to for key, to in (aliases or {}).items()}
    return BeforeValidator(lambda value: known.get(value.lower(), value) if isinstance(value, str) else value)


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]

InputType = Annotated[
    Literal["text", "token_embeddings", "embeddings"],
    _folded(
        "text",
        "token_embeddings",
        "embeddings",
        aliases={
            "embedding": "embeddings",
            "token_embedding": "token_embeddings",
            "token_embdedding": "token_embeddings",
        },
    ),
]
"""`token_embdedding` is how the prototype's files spell it."""

SearchMode = Annotated[Literal["prompt GA", "GA"], _folded("prompt GA", "GA")]
FitnessMode = Annotated[Literal["dynamic"], _folded("dynamic")]
Init = Annotated[Literal["mean", "rand", "rmean"], _folded("mean", "rand", "rmean", aliases={"random": "rand"})]
Learner = Annotated[Literal["infonce"], _folded("infonce")]

OperatorName = Literal[
    "OnePointCrossOver",
    "TwoPointCrossOver",
    "MultiPointCrossOver",
    "SimulatedBinaryCrossOver",
    "GaussianMutation",
    "PolynomialMutation",
    "CosynePermutation",
]


def _scalar(value: Any) -> Any:
    if isinstance(value, bool | int | float | str | None):
        return value
    raise ValueError("expected a number, a text, true, false or null")


Parameter = Annotated[Any, AfterValidator(_scalar)]


class MusicGenerator(_Section):
    """model: the weights, for a generator that has some. input_type None: what the search mode makes."""

    model: str | None = None
    input_type: InputType | None = None


class Aligner(_Section):
    """abs_file_path: an aligner's checkpoint; None: the shipped one for the encoder in use."""

    abs_file_path: str | None = None


class UserConf(_Section):
    """memory_length: rounds that a taste is learned from. rmean: weight of the noise in init `rmean`."""

    memory_length: Count = 50
    amount: Count = 1
    init: Init = "mean"
    rmean: Annotated[float, Field(ge=0.0)] = 0.1
    minibatch: bool = False


class TrainConf(_Section):
    """How a taste is learned from the memory."""

    lr: Annotated[float, Field(gt=0.0)] = 0.05
    epochs: Count = 50
    learner: Learner = "infonce"


class UserModel(_Section):
    """best_solutions: tracks of a playlist. sample: drawn by rank instead of taking the top."""

    aligner: Aligner = Aligner()
    user_conf: UserConf = UserConf()
    train_conf: TrainConf = TrainConf()
    best_solutions: Count = 8
    sample: bool = False


class Fitness(_Section):
    """noise_weight: how much the faults of the sound count against likeness."""

    mode: FitnessMode = "dynamic"
    noise_weight: Annotated[float, Field(ge=0.0)] = 0.5


class GAOperator(_Section):
    """One of evotorch's operators; its parameters are checked against its signature when the search is built."""

    name: OperatorName
    parameters: dict[str, Parameter] = {}


class Search(_Section):
    """How populations are made. Fractions are of the population."""

    mode: SearchMode = "prompt GA"
    population_size: Annotated[int, Field(ge=2)] = 32
    sample: bool = True
    temperature: Annotated[float, Field(ge=0.0)] = 0.1
    novel_prompts: Fraction = 0.1
    elites: Fraction = 0.1
    tournament_size: Annotated[int, Field(ge=2)] = 5
    evotorch: dict[str, Parameter] = {}
    GA_operators: Annotated[tuple[GAOperator, ...], Field(strict=False)] = (
        GAOperator(name="TwoPointCrossOver", parameters={"tournament_size": 4}),
        GAOperator(name="GaussianMutation", parameters={"stdev": 0.2, "mutation_probability": 0.05}),
    )

    @model_validator(mode="after")
    def _leaves_room_for_children(self) -> Self:
        if self.elites >= 1.0:
            raise ValueError(f"elites: expected less than 1, or nothing ever changes; got {self.elites}")
        if self.elites + self.novel_prompts > 1.0:
            raise ValueError(
                f"elites + novel_prompts: expected at most 1 together, got {self.elites} + {self.novel_prompts}"
            )
        if not self.GA_operators:
            raise ValueError("GA_operators: expected at least one operator, got none")
        return self


class Evolution(_Section):
    """duration, best_duration: seconds of a candidate, and of a track that a listener hears."""

    exp_name: Annotated[str, Field(min_length=1)] = "listening"
    generations: Count = 3
    max_seq_len: Count = 25
    duration: Seconds = 4.0
    best_duration: Seconds = 12.0
    fitness: Fitness = Fitness()
    search: Search = Search()


class Configuration(_Section):
    """An experiment. The defaults are the listening demo."""

    epochs: Count = 1
    music_model: str = EMBEDDED_GENERATOR
    music_generator: MusicGenerator = MusicGenerator()
    user_model: UserModel = UserModel()
    evolution: Evolution = Evolution()

    @property
    def input_type(self) -> Literal["text", "token_embeddings", "embeddings"]:
        """What kind of genome is played: as configured, else what the search mode makes."""
        needed: Literal["text", "token_embeddings"] = (
            "text" if self.evolution.search.mode == "prompt GA" else "token_embeddings"
        )
        return self.music_generator.input_type or needed

    @model_validator(mode="after")
    def _search_makes_what_is_played(self) -> Self:
        mode, played = self.evolution.search.mode, self.input_type
        if (mode == "prompt GA") != (played == "text"):
            expected = "text" if mode == "prompt GA" else "token_embeddings or embeddings"
            raise ValueError(
                f"music_generator.input_type: expected {expected} for evolution.search.mode {mode!r}, got {played!r}"
            )
        return self


def load(path: Path | str) -> Configuration:
    """The configuration in a YAML file.

    Raises ConfigurationError when it cannot be read, is not YAML, or is not valid.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: expected a readable text file ({error})") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: expected YAML ({error})") from error
    try:
        return parse({} if content is None else content)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def parse(mapping: Mapping[str, Any]) -> Configuration:
    """The configuration that a mapping, as read from YAML, describes.

    `fitness` and `search` may stand at the top level as well as under `evolution`.
    Raises ConfigurationError that tells all faults, one a line.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigurationError(f"expected keys and values, got {_shown(mapping)}")
    try:
        return Configuration.model_validate(_gathered(mapping))
    except ValidationError as error:
        faults = [_fault(detail, mapping) for detail in error.errors(include_url=False)]
        raise ConfigurationError("\n".join(faults)) from error


def _gathered(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with `fitness` and `search` where the schema has them."""
    gathered = dict(mapping)
    for name in ("fitness", "search"):
        if name not in gathered:
            continue
        evolution = gathered.get("evolution") or {}
        if not isinstance(evolution, Mapping):
            gathered.pop(name)  # the schema will say what is wrong with `evolution`
            continue
        if name in evolution:
            raise ConfigurationError(f"{name}: expected at the top level or under evolution, got both")
        gathered["evolution"] = {**evolution, name: gathered.pop(name)}
    return gathered


def _fault(detail: ErrorDetails, mapping: Mapping[str, Any]) -> str:
    """One fault as a sentence: path, expectation, value, nearest known key."""
    location = list(detail["loc"])
    as_written = location[1:] if len(location) > 1 and location[1] in mapping else location
    path = _path(as_written)
    if detail["type"] == "value_error":  # raised by this module: it says everything but where
        message = str(detail["ctx"]["error"])
        if message.startswith("expected"):
            return f"{path}: {message}, got {_shown(detail['input'])}"
        return f"{path}.{message}" if path else message
    if detail["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        return f"{path}: unknown key (value {_shown(detail['input'])}){_nearest(str(location[-1]), known)}"
    if detail["type"] == "missing":
        return f"{path}: expected a value, got none"
    hint = ""
    if detail["type"] == "literal_error":
        near = difflib.get_close_matches(str(detail["input"]), get_args(_annotation(location)), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
    elif detail["type"] == "float_type" and _WITHOUT_POINT.fullmatch(str(detail["input"])):
        hint = " (YAML reads that as text; write 1.0e-3)"
    return f"{path}: expected {_expectation(detail)}, got {_shown(detail['input'])}{hint}"


_WITHOUT_POINT = re.compile(r"\d+[eE][-+]?\d+")

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "some text",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "finite_number": "a finite number",
    "invalid_key": "text as key",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
"""pydantic's kind of error -> what was expected, in terms of its context."""


def _expectation(detail: ErrorDetails) -> str:
    template = _EXPECTED.get(detail["type"])
    return template.format(**detail.get("ctx", {})) if template else detail["msg"].lower()


def _path(location: Sequence[int | str]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")


def _annotation(location: Sequence[int | str]) -> Any:
    """The type that the schema has at `location`; None where it has none."""
    annotation: Any = Configuration
    for part in location:
        if isinstance(part, int):
            annotation = next((inner for inner in get_args(annotation) if inner is not Ellipsis), None)
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel) and part in annotation.model_fields:
            annotation = annotation.model_fields[part].annotation
        else:
            return None
    return annotation


def _known_keys(location: Sequence[int | str]) -> Sequence[str]:
    section = _annotation(location)
    return tuple(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else ()


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else (f"; known are {', '.join(known)}" if known else "")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
