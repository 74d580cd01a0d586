"""YAML with the line of every key. Stricter than YAML: no key twice, no aliases, only plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from evolution.config.faults import ConfigurationError, Fault, Location, shown

MOST_BYTES = 100_000
MOST_LEVELS = 20
MOST_BITS = 128
"""Of an integer: more than any setting takes."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""What an escape such as "\\0" can smuggle in and no database takes, or no page shows; halves of characters, too."""

_AS_WRITTEN = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value", "tag:yaml.org,2002:merge"})
_VALUES = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str"))


@dataclass
class Document:
    """What a YAML text says. lines: location of each key and list item -> its line, from 1."""

    content: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line_of(self, location: Location) -> int:
        """The line of the key, or of the nearest one above it that was written; 1 for the whole."""
        for length in range(len(location), 0, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return 1


def read(text: str) -> Document:
    """The content of a YAML text, its lines, and faults such as a key given twice.

    Raises ConfigurationError for a text that is no YAML, is longer than 100 kB, has aliases (a short text can mean
    gigabytes with them) or is nested deeper than 20 levels. No message repeats the text, which may hold a secret.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise ConfigurationError(f"expected at most {MOST_BYTES // 1000} kB of YAML, got {len(text)} characters")
    try:
        _refuse_expansion(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigurationError([_syntax_fault(error, text)]) from None
    document = Document()
    if node is not None:
        document.content = _Reading(document).value(node, ())
    return document


def _refuse_expansion(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            message = "expected values written out, got an alias (*); a text that begins with * needs quotes"
            raise ConfigurationError([Fault("", message, _line(event.start_mark))])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MOST_LEVELS:
                message = f"expected at most {MOST_LEVELS} levels, got more"
                raise ConfigurationError([Fault("", message, _line(event.start_mark))])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _syntax_fault(error: yaml.YAMLError, text: str) -> Fault:
    """PyYAML's complaint without the excerpt that it prints."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        told = " ".join(filter(None, (error.context, error.problem)))
        return Fault("", f"expected YAML ({told})", _line(mark))
    position = getattr(error, "position", None)
    line = text.count("\n", 0, position) + 1 if isinstance(position, int) else None
    return Fault("", f"expected YAML ({getattr(error, 'reason', 'it cannot be read')})", line)


def _line(mark: Any) -> int | None:
    return None if mark is None else int(mark.line) + 1


class _Reading:
    """Builds the content from PyYAML's nodes, noting lines and faults in `document`."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._loader = yaml.SafeLoader("")

    def value(self, node: yaml.Node, location: Location) -> Any:
        """The value of a node, [] and {} included; None where a fault was noted."""
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self._item(inner, (*location, place)) for place, inner in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, location)
        return self._note(node, location, "expected a plain value, a list or keys and values, got another YAML type")

    def _item(self, node: yaml.Node, location: Location) -> Any:
        self._document.lines[location] = node.start_mark.line + 1
        return self.value(node, location)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, inner in node.value:
            key = self._scalar(key_node, location) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                told = (
                    f"text as key, got {shown(key, location)}"
                    if isinstance(key_node, yaml.ScalarNode)
                    else "text as key"
                )
                self._note(key_node, location, f"expected {told}")
                continue
            here = (*location, key)
            line = key_node.start_mark.line + 1
            if key in content:
                first = self._document.lines[here]
                self._document.faults.append(
                    Fault.at(here, f"expected once, got it again (first on line {first})").on(line)
                )
                continue
            self._document.lines[here] = line
            content[key] = self.value(inner, here)
        return content

    def _scalar(self, node: yaml.ScalarNode, location: Location) -> Any:
        if _CONTROL.search(node.value):
            return self._note(node, location, "expected text without control characters, got one (not shown)")
        if node.tag in _AS_WRITTEN:
            return node.value
        if node.tag not in _VALUES:
            return self._note(node, location, "expected text, a number, true, false or null, got another YAML type")
        kind = node.tag.rpartition(":")[2]
        try:
            value = self._loader.construct_object(node)
        except (ValueError, KeyError, yaml.YAMLError):  # such as `!!int many`, or a number of 5,000 digits
            return self._note(node, location, f"expected {kind}, got something else (not shown)")
        if isinstance(value, int) and value.bit_length() > MOST_BITS:  # Python does not write out those it can read
            return self._note(node, location, f"expected {kind}, got a number too large (not shown)")
        return value

    def _note(self, node: yaml.Node, location: Location, message: str) -> None:
        self._document.faults.append(Fault.at(location, message).on(node.start_mark.line + 1))
