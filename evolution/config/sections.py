"""What the sections of the schema are made of: the base class and the types of the values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticUseDefault

from evolution.config import secrets
from evolution.config.faults import MOST_FAULTS, Contradiction, ContradictionError, Location

DEFERRED: Mapping[str, bool] = {"deferred": True}
"""As pydantic's context: leave contradictions for `all_contradictions`, which finds those of all sections at once."""


class Section(BaseModel):
    """A part of the configuration: immutable, strict about types, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        protected_namespaces=(),
        allow_inf_nan=False,
        hide_input_in_errors=True,  # it may hold a secret in the wrong place
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, value: Any) -> Any:
        """A key with nothing under it, which YAML reads as null, leaves every default."""
        return {} if value is None else value

    @model_validator(mode="after")
    def _without_contradictions(self, info: ValidationInfo) -> Self:
        found = () if info.context is DEFERRED else tuple(islice(self.contradictions(), MOST_FAULTS + 1))
        if found:
            raise ContradictionError(found)
        return self

    def contradictions(self) -> Iterator[Contradiction]:
        """What does not go together within the section."""
        return iter(())

    def all_contradictions(self, location: Location = ()) -> Iterator[Contradiction]:
        """What does not go together within the section, which is at `location`, and within those that it holds."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            held = [((name, place), item) for place, item in enumerate(value)] if isinstance(value, tuple) else []
            for inner, section in [((name,), value), *held]:
                if isinstance(section, Section):
                    yield from section.all_contradictions((*location, *inner))
        for each in self.contradictions():
            yield replace(each, location=(*location, *each.location))


def folded(*choices: str, aliases: Mapping[str, str] | None = None) -> BeforeValidator:
    """Accept the choices in any case, and other spellings of them."""
    known = {choice.lower(): choice for choice in choices} | {key.lower(): to for key, to in (aliases or {}).items()}
    return BeforeValidator(lambda value: known.get(value.strip().lower(), value) if isinstance(value, str) else value)


def _blank_is_none(value: Any) -> Any:
    """`""`, which the prototype's files have for what is not used."""
    return None if isinstance(value, str) and not value.strip() else value


def _reference(value: str | None) -> str | None:
    if value is not None and not secrets.is_reference(value):
        raise ValueError("expected a reference such as ${LLM_API_KEY}")
    return value


def _scalar(value: Any) -> Any:
    if isinstance(value, bool | int | float | str | None):
        return value
    raise ValueError("expected a number, a text, true, false or null")


def _parameter(value: Any) -> Any:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _scalar(inner) for key, inner in value.items()}
    return _scalar(value)


def _empty_is_default(value: Any) -> Any:
    """A list or mapping with nothing under its key, such as one whose lines are all commented out."""
    if value is None:
        raise PydanticUseDefault
    return value


def _address(value: str) -> str:
    """An http(s) address without a name, password or key in it, which would be shown and stored."""
    try:
        parts = urlsplit(value.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("expected an address such as https://api.openai.com/v1 or http://localhost:11434/v1")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("expected an address without user, password, ? and # (a secret belongs in api_key)")
    return value.strip()


def _device(value: str) -> str:
    if re.fullmatch(r"cpu|mps|cuda(:\d+)?", value) is None:
        raise ValueError("expected cpu, cuda, cuda:N or mps")
    return value


EMPTY_IS_DEFAULT = BeforeValidator(_empty_is_default)
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0)]
Seconds = Annotated[float, Field(gt=0.0, le=3600.0, json_schema_extra={"unit": "seconds"})]
MusicSeconds = Annotated[float, Field(ge=0.5, le=3600.0, json_schema_extra={"unit": "seconds"})]
"""Of less than half a second neither an encoder nor a listener can tell what it is."""
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Name = Annotated[str, Field(min_length=1)]
OptionalText = Annotated[str | None, BeforeValidator(_blank_is_none)]
FilePath = Annotated[str | None, BeforeValidator(_blank_is_none), Field(json_schema_extra={"unit": "path"})]
SecretReference = Annotated[
    str | None,
    BeforeValidator(_blank_is_none),
    AfterValidator(_reference),
    Field(json_schema_extra={"unit": "secret"}),
]
Address = Annotated[str, AfterValidator(_address), Field(json_schema_extra={"unit": "http(s) address"})]
Device = Annotated[str, AfterValidator(_device), Field(json_schema_extra={"unit": "cpu, cuda, cuda:N or mps"})]
Parameters = Annotated[dict[str, Annotated[Any, AfterValidator(_parameter)]], EMPTY_IS_DEFAULT]

InputType = Annotated[
    Literal["text", "token_embeddings", "embeddings"],
    folded(
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
"""`token_embdedding` is how the prototype's README spells it."""

FitnessMode = Annotated[Literal["user", "music", "dynamic"], folded("user", "music", "dynamic")]
Init = Annotated[Literal["mean", "rand", "rmean"], folded("mean", "rand", "rmean", aliases={"random": "rand"})]
Learner = Annotated[Literal["infonce", "bayes"], folded("infonce", "bayes")]
Initialization = Annotated[Literal["file", "LLM"], folded("file", "LLM")]
UserType = Annotated[Literal["synth", "real"], folded("synth", "real", aliases={"synthetic": "synth"})]
