"""What language models are told: our own templates and operators, and how a request is put into words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FULL_LLM_PROMPT = """\
You are breeding prompts for a text-to-music model. A listener's taste is hidden; all that is known of it is how well \
the music of each prompt met it, from 0 (not at all) to 100 (perfectly).

The present generation, the best first:
{ranking}

Think before you write. What do the prompts at the top share (genre, mood, instruments, tempo, key, place) that those \
at the bottom lack? Which of their ideas have not been combined yet? Then make the next generation of {num_generate} \
prompts: about half of them cross two good prompts, about a third change one or two details of a good one, and the \
rest try something bold that the best prompts hint at. No prompt may repeat one of the list or another new one.
"""

NOVEL_PROMPTS = """\
Invent {count} prompts for a text-to-music model, each for a different kind of music, from anywhere in the world and \
any time. Name a genre or style, a mood, two to four instruments, and where it helps a tempo, a key or a place.
Let these words inspire you, without having to use them: {hints}.
"""


@dataclass(frozen=True)
class LLMOperator:
    """A genetic operator in words.

    prompt: what the model shall do; `{prompts}` stands for the prompts that it is given.
    input, output: how many prompts it takes and makes. probability: how often it is applied, in [0, 1]; else the first
    `output` of its inputs are passed on.
    """

    name: str
    prompt: str
    input: int
    output: int
    probability: float = 1.0


OPERATORS = (
    LLMOperator(
        "crossover",
        "These two prompts describe music that a listener liked:\n{prompts}\n"
        "Write one piece that could be the child of both: take some traits (genre, mood, instruments, tempo, key, "
        "place) from one and some from the other, so that the result is music of one mould and not a medley.",
        input=2,
        output=1,
        probability=0.8,
    ),
    LLMOperator(
        "other instruments",
        "{prompts}\nKeep the genre and the mood of this music, but have it played by other instruments: exchange, add "
        "or leave out one or two, and say how they are played.",
        input=1,
        output=1,
        probability=0.3,
    ),
    LLMOperator(
        "other mood",
        "{prompts}\nKeep the instruments of this music, but change its mood, its pace or the place where it belongs.",
        input=1,
        output=1,
        probability=0.3,
    ),
    LLMOperator(
        "neighbouring genre",
        "{prompts}\nMove this music into a neighbouring genre, or blend its genre with another, and keep what else "
        "makes it recognisable.",
        input=1,
        output=1,
        probability=0.2,
    ),
)
"""The chain of LLM evolve where a configuration names none."""

_FORMAT = """\
Write exactly {count} {prompts}. A prompt is one or two plain English sentences, at most 50 words, that say what is \
heard; it names no artist and no song. Put each one in tags of its own, and nothing else: <prompt>...</prompt>"""

_AVOID = "Do not repeat any of these, nor one that is almost the same:\n{prompts}"

_MOST_AVOIDED = 100
"""More would fill the context of a small model."""


def asking(text: str, *, count: int, avoid: Sequence[str] = ()) -> str:
    """A whole message: the request, what not to repeat, and the form of the answer."""
    parts = [text.strip()]
    if avoid:
        parts.append(_AVOID.format(prompts=_listed(avoid[-_MOST_AVOIDED:])))
    parts.append(_FORMAT.format(count=count, prompts="prompt" if count == 1 else "prompts"))
    return "\n\n".join(parts)


def full_llm(template: str, *, ranked: Sequence[tuple[float, str]], count: int) -> str:
    """The template with `{ranking}` and `{num_generate}` filled in. ranked: scores (0 to 100) and prompts, best first.

    Raises ValueError for a template without one of them.
    """
    for name in ("ranking", "num_generate"):
        if f"{{{name}}}" not in template:
            raise ValueError(f"full_LLM_prompt: expected {{ranking}} and {{num_generate}} in it, {{{name}}} is missing")
    lines = [f"{place}. ({score:.1f}) {bare(prompt)}" for place, (score, prompt) in enumerate(ranked, start=1)]
    return _filled(template, {"ranking": "\n".join(lines), "num_generate": str(count)})


def operation(operator: LLMOperator, prompts: Sequence[str]) -> str:
    """What the operator asks for, with its prompts; they stand at the end where it does not say `{prompts}`."""
    template = operator.prompt if "{prompts}" in operator.prompt else operator.prompt + "\n{prompts}"
    return _filled(template, {"prompts": _listed(prompts)})


def novel(*, count: int, hints: Sequence[str]) -> str:
    """A request for prompts out of nothing. hints: words that make one request different from the next."""
    return _filled(NOVEL_PROMPTS, {"count": str(count), "hints": ", ".join(hints) or "whatever comes to mind"})


def bare(prompt: str) -> str:
    """The prompt without tags: one that a model quotes while it thinks must not be taken for its answer."""
    return re.sub(r"</?\w+>", "", prompt)


def _listed(prompts: Sequence[str]) -> str:
    return "\n".join(f"- {bare(prompt)}" for prompt in prompts)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """All places filled at once: what is filled in is not read again, and other braces stay."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)
