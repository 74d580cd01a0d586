"""References to secrets. A configuration holds `${NAME}` only; the value is looked up when it is needed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from evolution.config.faults import ConfigurationError, Fault, Location

SECRETS: Mapping[Location, str] = {
    ("evolution", "LLM", "api_key"): "EVOMUSIC_LLM_API_KEY",
    ("evolution", "logger", "wandb_token"): "EVOMUSIC_WANDB_TOKEN",
}
"""Where a configuration has secrets -> the name under which one written out in a file is kept."""

_REFERENCE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")
_OFFERED = re.compile(r"[A-Z0-9_]*(_API_KEY|_TOKEN|_KEY)")
_KEPT: dict[str, str] = {}
"""Name -> secret, of this process: what files held literally."""


def keep(name: str, value: str) -> str:
    """Keep a secret in the memory of this process; gives the reference to it."""
    _KEPT[name] = value
    return f"${{{name}}}"


def resolve(reference: str) -> str:
    """The secret behind `${NAME}`: kept in this process, else in the environment.

    Raises ConfigurationError that names the variable when it is not set or empty, or tells what a reference is.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ConfigurationError("expected a reference such as ${LLM_API_KEY}, got something else (not shown)")
    name = match[1]
    value = _KEPT.get(name) or os.environ.get(name, "").strip()
    if not value:
        why = "; the file that was read first held it itself" if name in SECRETS.values() else ""
        raise ConfigurationError(f"expected the environment variable {name} to hold a secret, got none{why}")
    return value


def is_reference(value: str) -> bool:
    """Whether it is `${NAME}`, the name in capitals."""
    return _REFERENCE.fullmatch(value) is not None


def is_offered(reference: str) -> bool:
    """Whether somebody who does not own the machine may refer to this variable.

    Its value is sent to an address of their choice, so only what is named as a key for a service qualifies, and
    never the site's own secret.
    """
    match = _REFERENCE.fullmatch(reference)
    return match is not None and "SECRET" not in match[1] and _OFFERED.fullmatch(match[1]) is not None


def taken_out(mapping: Mapping[str, Any], *, allow_literal: bool) -> tuple[dict[str, Any], list[Fault], dict[str, str]]:
    """The mapping with references for secrets, the faults found, and name -> literal to keep when all else is well."""
    cleaned, faults, literals = dict(mapping), [], {}
    for location, name in SECRETS.items():

        def referred(value: Any, location: Location = location, name: str = name) -> Any:
            if not isinstance(value, str) or not value.strip():
                return value
            wrong = _wrong(value.strip(), allow_literal=allow_literal)
            if wrong:
                faults.append(Fault.at(location, wrong))
                return None
            if is_reference(value.strip()):
                return value.strip()
            literals[name] = value.strip()
            return f"${{{name}}}"

        cleaned = _changed(cleaned, location, referred)
    return cleaned, faults, literals


def _wrong(value: str, *, allow_literal: bool) -> str:
    """What is wrong with a secret or a reference, without saying it; empty when nothing is."""
    if is_reference(value):
        if allow_literal or is_offered(value):
            return ""
        return f"expected a variable whose name ends in _API_KEY, _TOKEN or _KEY, without SECRET, got {value}"
    if value.startswith("$") or "${" in value:
        return "expected a reference such as ${LLM_API_KEY}, in capitals and nothing else, got another form (not shown)"
    if not allow_literal:
        return "expected a reference such as ${LLM_API_KEY} to an environment variable, got a secret (not shown)"
    if not (value.isascii() and value.isprintable() and " " not in value):
        return "expected a secret of plain characters without spaces, got others (not shown)"
    return ""


def _changed(mapping: dict[str, Any], location: Location, change: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy with `change` applied at `location`; the same when there is nothing there."""
    head, rest = location[0], location[1:]
    if not isinstance(head, str) or head not in mapping:
        return mapping
    inner = mapping[head]
    if not rest:
        return {**mapping, head: change(inner)}
    return {**mapping, head: _changed(dict(inner), rest, change)} if isinstance(inner, Mapping) else mapping
