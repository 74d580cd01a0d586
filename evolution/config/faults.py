"""What is wrong with a configuration: faults with path, line, value and expectation, and never a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evolution.config.secret_signs import HIDDEN, hidden, names_secret

Location = tuple[int | str, ...]
"""Keys and places in lists, from the top of the configuration."""

_SECRET_SECTIONS = frozenset({"LLM", "logger", "LLM_config"})
_PLAIN = frozenset({"temperature", "model", "concurrency", "timeout", "retries"}) | frozenset(
    {"wandb", "tensorboard", "project", "visualizations", "delete_generated"}
)
"""The keys of those sections whose values may be shown, when they are too short for a secret."""
_SHORTEST = 8

_LONGEST = 80
MOST_FAULTS = 50
"""More than this nobody reads, and finding the nearest known key for each takes its time."""


@dataclass(frozen=True)
class Fault:
    """One fault. path: the key as it was written, "" for the whole. line: 1-based, None when there is no text."""

    path: str
    message: str
    line: int | None = None
    location: Location = ()

    @classmethod
    def at(cls, location: Location, message: str, *, label: str = "") -> Fault:
        """A fault of the key at `location`; `label` is what its path says in place of the key."""
        if label:
            return cls(path_of((*location[:-1], label)), message, location=location)
        return cls(path_of(location), message, location=location)

    def on(self, line: int | None) -> Fault:
        """The same fault, at this line of a file."""
        return replace(self, line=line)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigurationError(ValueError):
    """What is wrong with a configuration: one line for each fault, naming path, value and expectation.

    faults: what was found, in the order of the lines, at most 50 and "and more"; a text alone is one fault of the
        whole.
    source: the file that they are in.
    """

    def __init__(self, faults: Iterable[Fault] | str, *, source: str = "") -> None:
        found = [Fault("", faults)] if isinstance(faults, str) else list(faults)
        found.sort(key=lambda fault: (fault.line is None, fault.line or 0))
        if len(found) > MOST_FAULTS:
            found[MOST_FAULTS:] = [Fault("", "and more", found[MOST_FAULTS].line)]
        self.faults: tuple[Fault, ...] = tuple(found)
        self.source = source
        super().__init__("\n".join(self._told(fault) for fault in self.faults))

    def _told(self, fault: Fault) -> str:
        if self.source:
            return f"{self.source}:{fault.line}: {fault}" if fault.line else f"{self.source}: {fault}"
        return f"line {fault.line}: {fault}" if fault.line else str(fault)

    def within(self, source: str) -> ConfigurationError:
        """The same faults, of this file."""
        return ConfigurationError(self.faults, source=source)


@dataclass(frozen=True)
class Contradiction:
    """Two things that do not go together, each of them being well formed.

    location: the key to look at, within the section that found it. label: what the path says in place of that key.
    """

    location: Location
    message: str
    label: str = ""


class ContradictionError(ValueError):
    """What a section raises within the schema when its values contradict each other."""

    def __init__(self, found: Sequence[Contradiction]) -> None:
        self.found = tuple(found)
        super().__init__("; ".join(f"{each.label or path_of(each.location)}: {each.message}" for each in self.found))


def path_of(location: Sequence[int | str]) -> str:
    """`evolution.search.GA_operators[0].name`. A key that could be a secret written in the wrong place is hidden."""
    parts = []
    for position, part in enumerate(location):
        if isinstance(part, int):
            parts.append(f"[{part}]")
        else:
            misplaced = _within_secrets(location[:position]) and (len(part) > 30 or any(map(str.isdigit, part)))
            parts.append(f".{HIDDEN if misplaced else _cut(hidden(part))}")
    return "".join(parts).removeprefix(".")


def shown(value: Any, location: Sequence[int | str] = ()) -> str:
    """A value for a message: its repr, cut to 80 characters, with whatever may be a secret left out."""
    if _is_secret(location, value):
        return f"{_TYPES.get(type(value), 'something')} {HIDDEN}"
    return _cut(hidden(repr(_harmless(value, tuple(location)))))


def number_as_text(value: Any) -> str:
    """A hint for a number that YAML reads as text, since it has no point; "" for everything else."""
    written = isinstance(value, str) and _WITHOUT_POINT.fullmatch(value)
    return " (YAML reads that as text; write 1.0e-3)" if written else ""


_WITHOUT_POINT = re.compile(r"\d+[eE][-+]?\d+")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


_TYPES: Mapping[type, str] = {str: "text", int: "a number", float: "a number", list: "a list", dict: "keys and values"}


def without_secrets(message: str, mapping: Any) -> str:
    """The message without the texts that stand under secret-looking keys anywhere in `mapping`."""
    for secret in _secrets_in(mapping, ()):
        message = message.replace(secret, HIDDEN)
    return message


def _secrets_in(value: Any, location: Location) -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*(_secrets_in(inner, (*location, str(key))) for key, inner in value.items()))
    if isinstance(value, list | tuple):
        return set().union(*(_secrets_in(inner, location) for inner in value))
    # What is short, a reference, or no secret by its key would only spoil the message.
    told = str(value)
    return {told} if len(told) >= _SHORTEST and not told.startswith("${") and _is_key_of_secret(location) else set()


def _harmless(value: Any, location: Location) -> Any:
    if isinstance(value, Mapping):
        return {key: _harmless(inner, (*location, str(key))) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_harmless(inner, location) for inner in value]
    return HIDDEN if _is_secret(location, value) else value


def _within_secrets(location: Sequence[int | str]) -> bool:
    return any(part in _SECRET_SECTIONS for part in location)


def _is_secret(location: Sequence[int | str], value: Any) -> bool:
    """Whether a value may be a secret: by its key, or as a longer text or something unknown beside the known ones."""
    if _is_key_of_secret(location):
        return True
    keys = [part for part in location if isinstance(part, str)]
    short = isinstance(value, bool | int | float | None) or (isinstance(value, str) and len(value) <= _SHORTEST)
    return _within_secrets(keys) and not (keys[-1] in _PLAIN and short)


def _is_key_of_secret(location: Sequence[int | str]) -> bool:
    return any(isinstance(part, str) and names_secret(part) for part in location)
