"""An OpenAPI schema as a page can show it: operations in their sections, with the fields of what goes in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Schema = Mapping[str, Any]

BAD = 400
_LIMITS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
}


@dataclass(frozen=True)
class Row:
    """A parameter, or a field of a body. where: path, query, header or body."""

    name: str
    where: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True)
class Answer:
    """What is answered with a status that is no fault."""

    status: int
    phrase: str
    media: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Operation:
    """One method at one address."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    inputs: tuple[Row, ...]
    answers: tuple[Answer, ...]
    faults: tuple[int, ...]


@dataclass
class Section:
    """Operations of one subject."""

    heading: str
    operations: list[Operation] = field(default_factory=list)


@dataclass(frozen=True)
class Documentation:
    """The whole."""

    title: str
    version: str
    description: str
    sections: list[Section]


def read(schema: Schema) -> Documentation:
    """The page's content, in the order of the schema."""
    sections: dict[str, Section] = {}
    for path, methods in schema["paths"].items():
        for method, said in methods.items():
            heading = said.get("tags", ["Other"])[0]
            section = sections.setdefault(heading, Section(heading))
            section.operations.append(_operation(schema, method.upper(), path, said))
    info = schema["info"]
    return Documentation(info["title"], info["version"], info["description"], list(sections.values()))


def _operation(schema: Schema, method: str, path: str, said: Schema) -> Operation:
    body = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return Operation(
        name=said["operationId"],
        method=method,
        path=path,
        summary=said["summary"],
        description=said.get("description", ""),
        inputs=(*_parameters(schema, said), *(_fields(schema, body, "body") if body else ())),
        answers=tuple(_answer(schema, int(status), one) for status, one in _good(said["responses"])),
        faults=tuple(sorted(int(status) for status in said["responses"] if int(status) >= BAD)),
    )


def _good(responses: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return [(status, one) for status, one in responses.items() if int(status) < BAD]


def _answer(schema: Schema, status: int, said: Schema) -> Answer:
    contents: Mapping[str, Any] = said.get("content", {})
    media = next(iter(contents), "")
    rows = tuple(_fields(schema, contents[media]["schema"], "body")) if "json" in media else ()
    return Answer(status, HTTPStatus(status).phrase, media, rows)


def _parameters(schema: Schema, said: Schema) -> Iterator[Row]:
    for one in said.get("parameters", ()):
        yield Row(one["name"], one["in"], _kind(schema, one["schema"]), one["required"], one.get("description", ""))


def _fields(schema: Schema, body: Schema, where: str) -> Iterator[Row]:
    """The fields of an object, or of the objects in a list."""
    found = _resolved(schema, body)
    if found.get("type") == "array":
        found = _resolved(schema, found["items"])
    required = found.get("required", ())
    for name, one in found.get("properties", {}).items():
        yield Row(name, where, _kind(schema, one), name in required, one.get("description", ""))


def _kind(schema: Schema, said: Schema) -> str:
    """What a value is, in words."""
    if "$ref" in said:
        return str(said["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in said:
        return " or ".join(_kind(schema, one) for one in said["anyOf"])
    if "enum" in said:
        return ", ".join(map(str, said["enum"]))
    if said.get("type") == "array":
        kind = f"list of {_kind(schema, said.get('items', {}))}"
    else:
        kind = str(said.get("format") or said.get("type") or "anything")
    limits = [words.format(said[name]) for name, words in _LIMITS.items() if name in said]
    return ", ".join([kind, *limits])


def _resolved(schema: Schema, said: Schema) -> Schema:
    if "$ref" not in said:
        return said
    found: Schema = schema["components"]["schemas"][str(said["$ref"]).rsplit("/", 1)[-1]]
    return found
