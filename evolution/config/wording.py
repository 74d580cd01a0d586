"""What pydantic finds wrong, in the words of somebody who writes a configuration."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Sequence
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from evolution.config.faults import ContradictionError, Fault, Location, number_as_text, path_of, shown
from evolution.config.schema import Configuration


def faults_of(detail: ErrorDetails) -> list[Fault]:
    """One of pydantic's errors as faults: path, expectation, value, nearest known key."""
    location = tuple(part for part in detail["loc"] if part != "[key]")
    raised = detail.get("ctx", {}).get("error")
    if isinstance(raised, ContradictionError):
        return [Fault.at((*location, *each.location), each.message, label=each.label) for each in raised.found]
    value = shown(detail["input"], location)
    if raised is not None:  # by one of the schema's types
        return [Fault.at(location, f"{raised}, got {value}")]
    if detail["type"] == "extra_forbidden":
        hint = _nearest(str(location[-1]), location[:-1])
        return [Fault.at(location, f"unknown key (value {value}){hint}")]
    if detail["type"] == "missing":
        return [Fault.at(location, "expected a value, got none")]
    return [Fault.at(location, f"expected {_expectation(detail)}, got {value}{_hint(detail, location)}")]


def _hint(detail: ErrorDetails, location: Location) -> str:
    if detail["type"] == "literal_error":
        known = {str(choice).lower(): choice for choice in get_args(_annotation(location))}
        near = difflib.get_close_matches(str(detail["input"]).lower(), list(known), n=1)
        return f"; did you mean {known[near[0]]}?" if near else ""
    if detail["type"] == "float_type":
        return number_as_text(detail["input"])
    if detail["type"] == "string_type" and isinstance(detail["input"], int | float):
        return " (put it in quotes)"
    return ""


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


def _annotation(location: Sequence[int | str]) -> Any:
    """The type that the schema has at `location`; None where it has none."""
    annotation: Any = Configuration
    for part in location:
        annotation = _present(annotation)
        if isinstance(part, int):
            annotation = next((inner for inner in get_args(annotation) if inner is not Ellipsis), None)
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel) and part in annotation.model_fields:
            annotation = annotation.model_fields[part].annotation
        else:
            return None
    return _present(annotation)


def _present(annotation: Any) -> Any:
    """The type without `| None` and without what `Annotated` adds."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(inner for inner in get_args(annotation) if inner is not type(None))
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _known_keys(location: Sequence[int | str]) -> Sequence[str]:
    section = _annotation(location)
    return tuple(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else ()


def _nearest(word: str, section: Location) -> str:
    """The key that was meant: of this section by its spelling, else of another by its name; else those of this one."""
    known = _known_keys(section)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    elsewhere = [path_of(parent) for parent, keys in _all_keys(Configuration, ()) if word in keys and parent]
    if elsewhere:
        return f"; expected under {' or '.join(elsewhere)}"
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else (f"; known are {', '.join(known)}" if known else "")


def _all_keys(section: type[BaseModel], location: Location) -> Iterator[tuple[Location, frozenset[str]]]:
    yield location, frozenset(section.model_fields)
    for name, described in section.model_fields.items():
        inner = _present(described.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _all_keys(inner, (*location, name))
