"""From YAML or a mapping to a configuration, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from evolution.config import paths, secrets, wording, yaml_lines
from evolution.config.faults import MOST_FAULTS, ConfigurationError, Fault, Location, path_of, shown, without_secrets
from evolution.config.schema import Configuration
from evolution.config.sections import DEFERRED

_FRAGMENTS: Mapping[str, Location] = {
    "fitness": ("evolution",),
    "search": ("evolution",),
    "tournament_size": ("evolution", "search"),
    "full_LLM_prompt": ("evolution", "search"),
    "LLM_genetic_operators": ("evolution", "search"),
    "evotorch": ("evolution", "search"),
    "GA_operators": ("evolution", "search"),
}
"""What the prototype's README prints as a fragment of its own, and may stand at the top level -> where it belongs."""


def load(path: Path | str) -> Configuration:
    """The configuration in a YAML file, its relative paths made absolute.

    They are relative to the file's folder, then to the working directory; where neither has the file, the first.
    Raises ConfigurationError, `file:line: path: ...`, when it cannot be read, is not YAML, or is not valid.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"expected a readable text file ({reason})").within(str(path)) from None
    try:
        configuration = parse_text(text)
    except ConfigurationError as error:
        raise error.within(str(path)) from None
    return paths.resolved(configuration, folders=(path.absolute().parent, Path.cwd()))


def parse_text(text: str, *, allow_literal_secrets: bool = True) -> Configuration:
    """The configuration that a YAML text describes; as `parse`, and every fault has its line."""
    document = yaml_lines.read(text)
    content = {} if document.content is None and not document.faults else document.content
    configuration, found = _checked(content, allow_literal=allow_literal_secrets)
    # A key without a readable value was told already.
    told = {fault.location for fault in document.faults}
    faults = [fault.on(document.line_of(fault.location)) for fault in found if fault.location not in told]
    if configuration is None or document.faults:
        raise ConfigurationError([*document.faults, *faults])
    return configuration


def parse(mapping: Mapping[str, Any], *, allow_literal_secrets: bool = True) -> Configuration:
    """The configuration that a mapping, as read from YAML, describes.

    `fitness`, `search` and the README's other fragments may stand at the top level.
    allow_literal_secrets: a secret that is written out is kept in the memory of this process, and the
        configuration gets a reference to it; otherwise it is a fault, and so is a reference to a variable that is
        not named as the key of a service: for texts that come from a page.
    Raises ConfigurationError that tells all faults, one a line.
    """
    configuration, faults = _checked(mapping, allow_literal=allow_literal_secrets)
    if configuration is None:
        raise ConfigurationError(faults)
    return configuration


def dump(configuration: Configuration) -> dict[str, Any]:
    """The configuration as plain values for JSON: complete, with references for secrets. `parse` reads it again."""
    return configuration.model_dump(mode="json")


def to_yaml(configuration: Configuration) -> str:
    """The configuration as YAML: complete, with references for secrets. `parse_text` reads it again."""
    return yaml.safe_dump(dump(configuration), sort_keys=False, allow_unicode=True, width=100)


def _checked(mapping: Any, *, allow_literal: bool) -> tuple[Configuration | None, list[Fault]]:
    """The configuration, or None and what is wrong."""
    if not isinstance(mapping, Mapping):
        return None, [Fault("", f"expected keys and values, got {without_secrets(shown(mapping), mapping)}")]
    gathered, moved, faults = _gathered(mapping)
    cleaned, secret_faults, literals = secrets.taken_out(gathered, allow_literal=allow_literal)
    faults += secret_faults
    configuration = None
    try:
        configuration = Configuration.model_validate(cleaned)
    except ValidationError as error:
        faults += _all_faults(cleaned, error)
    if configuration is None or faults:
        return None, _without_repeats([_as_written(fault, moved) for fault in faults], mapping)
    for name, literal in literals.items():
        secrets.keep(name, literal)
    return configuration, []


def _gathered(mapping: Mapping[str, Any]) -> tuple[dict[str, Any], dict[Location, Location], list[Fault]]:
    """The mapping with its fragments where the schema has them, schema location -> as written, and the faults."""
    gathered = dict(mapping)
    moved: dict[Location, Location] = {}
    faults = []
    for name, parents in _FRAGMENTS.items():
        if name not in gathered:
            continue
        value = gathered.pop(name)
        place = _place(gathered, parents)
        if place is None:  # the schema will say what is wrong with the parent
            continue
        if name in place:
            faults.append(Fault.at((name,), f"expected at the top level or under {path_of(parents)}, got both"))
            continue
        place[name] = value
        moved[(*parents, name)] = (name,)
    return gathered, moved, faults


def _all_faults(mapping: Mapping[str, Any], error: ValidationError) -> list[Fault]:
    """What pydantic found; where the values are well formed, every contradiction, in whichever section."""
    try:
        formed = Configuration.model_validate(mapping, context=DEFERRED)
    except ValidationError:
        details = error.errors(include_url=False)[: MOST_FAULTS + 1]
        return [fault for detail in details for fault in wording.faults_of(detail)]
    found = islice(formed.all_contradictions(), MOST_FAULTS + 1)
    return [Fault.at(each.location, each.message, label=each.label) for each in found]


def _place(gathered: dict[str, Any], parents: Location) -> dict[str, Any] | None:
    """The mapping at `parents`, a copy that may be changed; None when something else stands there."""
    here = gathered
    for parent in parents:
        inner = here.get(str(parent))
        if inner is not None and not isinstance(inner, Mapping):
            return None
        here[str(parent)] = dict(inner or {})
        here = here[str(parent)]
    return here


def _as_written(fault: Fault, moved: Mapping[Location, Location]) -> Fault:
    """The fault with the path that its key has in the text."""
    for length in range(len(fault.location), 0, -1):
        if fault.location[:length] in moved:
            top = moved[fault.location[:length]]
            above = ".".join(str(part) for part in fault.location[: length - len(top)])
            return Fault(fault.path.removeprefix(f"{above}."), fault.message, location=(*top, *fault.location[length:]))
    return fault


def _without_repeats(faults: Sequence[Fault], mapping: Any) -> list[Fault]:
    told: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        path, message = (without_secrets(text, mapping) for text in (fault.path, fault.message))
        told.setdefault((path, message), Fault(path, message, location=fault.location))
    return list(told.values())
