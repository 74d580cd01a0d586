"""A text without the secrets that somebody wrote into it, so that it can be shown again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml

from evolution.config.schema import LanguageModel, Logger
from evolution.config.secret_signs import HIDDEN, hidden, names_secret
from evolution.config.secrets import SECRETS, is_reference
from evolution.config.sections import Section
from evolution.config.yaml_lines import MOST_BYTES

_NULL = "tag:yaml.org,2002:null"
_SECTIONS: dict[str, type[Section]] = {"LLM": LanguageModel, "LLM_config": LanguageModel, "logger": Logger}
_SHORTEST = 8
"""Characters: what is shorter beneath an unknown key of a section with secrets is no secret."""

_PLACEHOLDER = 5
"""Characters: in a comment not even a word alone, such as `none`, is a secret when it is no longer."""

_KEY = re.compile(r"""(?<![\w-])["']?(?P<name>[A-Za-z][\w-]*)["']?[ \t]*(?:=[ \t]*|:(?:[ \t]+|$|(?=["'\[{])))""")
_PLAIN_HEAD = re.compile(r"[|>][-+0-9]*[ \t]*|#.*")
"""How a block of text begins, or a comment where a value could stand."""

_COMMENT = re.compile(r"(?:^|\s)#")
_WRITTEN_REFERENCE = re.compile(r"""["']?\$\{[A-Z_][A-Z0-9_]*\}["']?""")


@dataclass(frozen=True)
class _Span:
    """What stands from `start` to `end` is replaced."""

    start: int
    end: int
    instead: str


def redacted(text: str) -> tuple[str, bool]:
    """The text with references where a secret was written out, and whether there was one.

    A secret is what stands below a key with a secret's name, however it is spelt, or below an unknown one of a
    section that has secrets; what a comment says of such a key; names and passwords in URLs; and what looks like a
    key of a service. In a text that is no YAML, lines are looked at, and more is taken out than need be.
    """
    try:
        if len(text) > MOST_BYTES:
            raise yaml.YAMLError(f"expected at most {MOST_BYTES} characters, got {len(text)}")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        changed = _replaced(text, [*_below(node), *_comments(text)])
    except (yaml.YAMLError, RecursionError):
        changed = _without_lines(text)
    changed = hidden(changed)
    return changed, changed != text


def _replaced(text: str, spans: Iterable[_Span]) -> str:
    for span in sorted(set(spans), key=lambda span: -span.start):
        newline = "\n" if text[span.start : span.end].endswith("\n") else ""
        text = f"{text[: span.start]}{span.instead}{newline}{text[span.end :]}"
    return text


def _reference(name: str) -> str:
    """The reference to put where a secret stood."""
    wanted = ("evolution", "logger", "wandb_token") if "wandb" in name.lower() else ("evolution", "LLM", "api_key")
    return f'"${{{SECRETS[wanted]}}}"'


def _below(node: yaml.Node | None) -> Iterator[_Span]:
    """The secrets of a document; each node once, for a short text can mean millions by its aliases."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if here is None or id(here) in seen:
            continue
        seen.add(id(here))
        if isinstance(here, yaml.SequenceNode):
            waiting += here.value
        elif isinstance(here, yaml.MappingNode):
            for key, value in here.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else ""
                if names_secret(name):
                    yield from _all(value, _reference(name))
                elif name in _SECTIONS:
                    yield from _in_section(value, name)
                else:
                    waiting += [key, value]


def _in_section(node: yaml.Node, section: str) -> Iterator[_Span]:
    if not isinstance(node, yaml.MappingNode):
        yield from _all(node, _reference(section), shortest=_SHORTEST)
        return
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if names_secret(name):
            yield from _all(value, _reference(name))
        elif name not in _SECTIONS[section].model_fields:
            if len(name) > _SHORTEST and any(map(str.isdigit, name)):
                yield from _all(key, f'"{HIDDEN}"')
            yield from _all(value, _reference(section), shortest=_SHORTEST)


def _all(node: yaml.Node, instead: str, *, shortest: int = 1) -> Iterator[_Span]:
    """Every scalar from here on that says something, keys as well."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        if isinstance(here, yaml.SequenceNode):
            waiting += here.value
        elif isinstance(here, yaml.MappingNode):
            waiting += [each for pair in here.value for each in pair]
        elif here.tag != _NULL and len(here.value.strip()) >= shortest and not is_reference(here.value.strip()):
            yield _Span(here.start_mark.index, here.end_mark.index, instead)


def _comments(text: str) -> Iterator[_Span]:
    """What comments, which stand between the tokens, say of secrets."""
    end = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        yield from _in_comment(text, end, token.start_mark.index)
        end = max(end, token.end_mark.index)
    yield from _in_comment(text, end, len(text))


def _in_comment(text: str, start: int, end: int) -> Iterator[_Span]:
    if text.find("#", start, end) < 0:
        return
    for key in _KEY.finditer(text, start, end):
        line_end = min(end, (text.find("\n", key.end(), end) + 1 or end + 1) - 1)
        if names_secret(key["name"]) and _said_of_key(text[key.end() : line_end]):
            yield _Span(key.end(), line_end, _reference(key["name"]))


def _said_of_key(words: str) -> bool:
    """Whether a comment has a secret behind a key; it may also speak of one: `api_key: only where one is needed`."""
    first, *more = words.split() or [""]
    if first.startswith(("$", '"$', "'$", "<")):
        return False
    return (not more and len(first) > _PLACEHOLDER) or (len(first) >= _SHORTEST and any(map(str.isdigit, first)))


def _without_lines(text: str) -> str:
    """The same for a text that is no YAML, in which a secret has no node."""
    kept: list[str] = []
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        line, place = lines[place], place + 1
        key = _secret_key(line)
        if key is None:
            kept.append(line)
            continue
        following = place if _is_comment(key) else _continued(lines, place, key)
        is_secret = following > place or _PLAIN_HEAD.sub("", line[key.end() :]).strip()
        kept.append(f"{line[: key.end()].rstrip()} {_reference(key['name'])}" if is_secret else line)
        place = following
    return "\n".join(kept)


def _secret_key(line: str) -> re.Match[str] | None:
    """The first key of a line that names a secret and stands before something else than a reference."""
    for key in _KEY.finditer(line):
        if not names_secret(key["name"]) or _WRITTEN_REFERENCE.match(line, key.end()):
            continue
        if not _is_comment(key) or _said_of_key(line[key.end() :]):
            return key
    return None


def _is_comment(key: re.Match[str]) -> bool:
    return _COMMENT.search(key.string, 0, key.start()) is not None


def _continued(lines: list[str], place: int, key: re.Match[str]) -> int:
    """The first line from `place` on that is not part of the value of `key`, which stands in the line before."""
    value = key.string[key.end() :]
    quote = value[:1] if value[:1] in ("'", '"') and value[:1] not in value[1:] else ""
    if quote:
        for end in range(place, len(lines)):
            if quote in lines[end]:
                return end + 1
    begun = bool(_PLAIN_HEAD.sub("", value).strip())
    here = after = place
    while here < len(lines):
        line = lines[here]
        here += 1
        if not line.strip():
            continue
        deeper = len(line) - len(line.lstrip()) > key.start()
        if not deeper and (_KEY.match(line.lstrip(" \t-")) or (begun and not quote)):
            break
        begun, after = True, here
    return after
