"""What a language model answered: its text out of the endpoint's JSON, and the prompts out of the text."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

LONGEST_PROMPT = 500
"""Characters. Text-to-music models read fewer words than that; a longer one is an essay, not a prompt."""

_THINKING = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)\b[^<>]*>", re.IGNORECASE)
_PROMPT = re.compile(r"<prompt>((?:(?!</?prompt>).)*)</prompt>", re.IGNORECASE | re.DOTALL)
_EXCERPT = 120


class MalformedAnswerError(ValueError):
    """An answer without what was asked for. kind: of what came instead. text: all of it."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {excerpt(text)!r}")
        self.kind = kind
        self.text = text


@dataclass(frozen=True)
class Answer:
    """A chat completion. cut_off: the model was stopped before its end. Tokens: 0 where the endpoint counts none."""

    text: str
    cut_off: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0


def read(body: str) -> Answer:
    """The answer in the body of a chat completion.

    Raises MalformedAnswerError for anything but JSON of that shape, with a text in it.
    """
    try:
        completion = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedAnswerError("text that is not JSON", body) from None
    choice = _first(_entry(completion, "choices"))
    text = _text(_entry(_entry(choice, "message"), "content"))
    if not text.strip():
        raise MalformedAnswerError("JSON without the text of an answer", body)
    usage = _entry(completion, "usage")
    return Answer(
        text,
        cut_off=_entry(choice, "finish_reason") == "length",
        prompt_tokens=_count(_entry(usage, "prompt_tokens")),
        completion_tokens=_count(_entry(usage, "completion_tokens")),
    )


def prompts(answer: Answer) -> tuple[str, ...]:
    """The usable prompts between <prompt> and </prompt>, clean and in order, duplicates included.

    What the model thought before it answered is dropped; an empty prompt or one of more than `LONGEST_PROMPT`
    characters is none. Raises MalformedAnswerError when there is not one.
    """
    found = [clean(match[1]) for match in _PROMPT.finditer(without_thinking(answer.text))]
    usable = tuple(text for text in found if _says_something(text) and len(text) <= LONGEST_PROMPT)
    if not usable:
        kind = "an answer that was cut off" if answer.cut_off else "an answer"
        raise MalformedAnswerError(f"{kind} without a usable <prompt>", answer.text)
    return usable


def without_thinking(text: str) -> str:
    """The text less its thinking blocks; what stands before a lone closing tag or after a lone opening one is thought.

    Some servers swallow the opening tag, and a model that was cut off never closes it.
    """
    kept: list[str] = []
    thinking, at = False, 0
    for tag in _THINKING.finditer(text):
        if not thinking:
            kept.append(text[at : tag.start()])
        if tag[1] and not thinking:
            kept.clear()
        thinking, at = not tag[1], tag.end()
    return "".join(kept) if thinking else "".join((*kept, text[at:]))


def clean(text: str) -> str:
    """One line: whitespace collapsed, control and invisible characters out. A database can hold it."""
    visible = (" " if each.isspace() else each for each in text)
    return " ".join("".join(each for each in visible if unicodedata.category(each)[0] != "C").split())


def folded(prompt: str) -> str:
    """What two prompts have in common that differ in case and blanks only."""
    return " ".join(prompt.casefold().split())


def excerpt(text: str) -> str:
    """The beginning of a text, fit for an error message."""
    short = clean(text[: 4 * _EXCERPT])
    return short if len(short) <= _EXCERPT else short[: _EXCERPT - 3] + "..."


def _says_something(prompt: str) -> bool:
    """Whether a prompt has a letter or a digit: models repeat `...` out of their instructions."""
    return any(each.isalnum() for each in prompt)


def _text(content: Any) -> str:
    """The text of a message: a string, or a list of parts of which some are text."""
    if isinstance(content, list):
        return "".join(_text(_entry(part, "text")) for part in content)
    return content if isinstance(content, str) else ""


def _entry(mapping: Any, key: str) -> Any:
    return mapping.get(key) if isinstance(mapping, dict) else None


def _first(values: Any) -> Any:
    return values[0] if isinstance(values, list) and values else None


def _count(value: Any) -> int:
    return max(0, value) if isinstance(value, int) else 0
