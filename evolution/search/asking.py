"""What is asked of a language model, and how far it has been answered. Knows no client."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from evolution.search import templates
from evolution.search.answers import folded

MOST_SEED = 2**31


class LLMError(RuntimeError):
    """The language model could not be asked, or gave nothing usable as often as it was asked.

    The search is as it was before, so the step can be repeated when the cause is gone.
    """


@dataclass(frozen=True)
class Request:
    """Prompts that are wanted of a language model.

    text: what it shall do, in words. count: how many prompts. seed: what its own random choices start from, >= 0.
    unlike: prompts that it must not repeat, for one those it was given to change.
    unique: whether the prompts have to differ from those of all other requests too, and not only from each other.
    """

    text: str
    count: int
    seed: int
    unlike: tuple[str, ...] = ()
    unique: bool = True

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"Request.count: expected at least 1 prompt, got {self.count}")


class Writer(Protocol):
    """Whoever writes prompts on request."""

    def write(
        self, requests: Sequence[Request], *, taken: Collection[str] = (), repeats: bool = True
    ) -> list[tuple[str, ...]]:
        """`count` prompts for each request, in order.

        taken: prompts that `unique` requests must not repeat, in any case and spacing.
        repeats: whether what is missing after the last time of asking may be filled with repeated prompts.
        Raises LLMError.
        """


@dataclass(frozen=True)
class Question:
    """One message to a language model. count: how many prompts it asks for."""

    text: str
    count: int
    seed: int


class Sheet:
    """What has been written for one request so far."""

    def __init__(self, request: Request, *, asks_in_vain: int) -> None:
        """asks_in_vain: how often in a row it is asked again without bringing a new prompt."""
        self.request = request
        self.written: list[str] = []
        self._repeated: list[str] = []
        self._unlike = {folded(prompt) for prompt in request.unlike}
        self._asked = 0
        self._in_vain = 0
        self._most_in_vain = asks_in_vain

    @property
    def missing(self) -> int:
        return self.request.count - len(self.written)

    @property
    def open(self) -> bool:
        """Whether it is worth asking (again)."""
        return self.missing > 0 and (self._asked == 0 or self._in_vain < self._most_in_vain)

    def question(self) -> Question:
        """What to ask next: everything at first, then what is missing."""
        seed = self.request.seed
        if self._asked:
            # With the same seed the same model would say the same again.
            seed = varied(seed, self._asked)
        avoid = [*self.request.unlike, *self.written, *self._repeated] if self._asked else []
        text = templates.asking(self.request.text, count=self.missing, avoid=tuple(dict.fromkeys(avoid)))
        return Question(text, self.missing, seed)

    def take(self, prompts: Sequence[str], taken: set[str]) -> None:
        """Keep the new ones of what was answered, as many as are missing. `taken` grows by them when `unique`."""
        before = len(self.written)
        mine = self._unlike | {folded(prompt) for prompt in self.written}
        for prompt in prompts:
            if not self.missing:
                break
            key = folded(prompt)
            if key in mine or (self.request.unique and key in taken):
                self._repeated.append(prompt)
                continue
            mine.add(key)
            self.written.append(prompt)
            if self.request.unique:
                taken.add(key)
        new = len(self.written) > before
        self._in_vain = 0 if new or not self._asked else self._in_vain + 1
        self._asked += 1

    def filled(self, *, repeats: bool) -> tuple[str, ...]:
        """The prompts of the request, with repeated ones where new ones are missing.

        Raises LLMError when too few were written.
        """
        prompts = (*self.written, *(self._repeated if repeats else ()))[: self.request.count]
        if len(prompts) < self.request.count:
            kind = "prompts" if repeats else "different prompts"
            raise LLMError(
                f"expected {self.request.count} {kind} of the language model, got {len(prompts)} "
                f"after asking {self._asked} times"
            )
        return prompts


def varied(seed: int, *parts: int) -> int:
    """Another seed below 2**31, the same in every process."""
    return random.Random(f"{seed} {parts}").randrange(MOST_SEED)
