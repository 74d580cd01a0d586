"""The prompts that a search begins with."""

from __future__ import annotations

import random
from collections.abc import Sequence

from evolution.search.answers import folded
from evolution.search.asking import Writer
from evolution.search.written import novel_requests
from models_store import prompts as structured
from models_store.prompts import Lexicon

_MOST_TRIALS = 50


def initial_prompts(
    *, count: int, seed: int, lexicon: Lexicon, prompts: Sequence[str] = (), writer: Writer | None = None
) -> tuple[str, ...]:
    """`count` prompts: sampled from `prompts`, else written by a language model, else drawn from the lexicon.

    prompts: lines of a file; sampled without replacement, repeated lines counting once.
    writer: asked in several requests at once, all different.
    Drawn prompts are different too, as long as the lexicon has enough to say.
    Raises ValueError when there are fewer prompts than `count`, LLMError when the language model fails.
    """
    if count < 1:
        raise ValueError(f"initial prompts: expected a count of at least 1, got {count}")
    rng = random.Random(f"initial prompts {seed}")
    if prompts:
        different: dict[str, str] = {}
        for line in prompts:
            if line.strip():
                different.setdefault(folded(line), line)
        lines = list(different.values())
        if len(lines) < count:
            raise ValueError(f"initial prompts: expected at least {count} different ones, got {len(lines)}")
        return tuple(rng.sample(lines, count))
    if writer is not None:
        requests = novel_requests(count, lexicon=lexicon, seed=rng.randrange(2**31))
        return tuple(prompt for answer in writer.write(requests, repeats=False) for prompt in answer)
    return _drawn(count, lexicon, rng)


def _drawn(count: int, lexicon: Lexicon, rng: random.Random) -> tuple[str, ...]:
    drawn: list[str] = []
    said: set[str] = set()
    for _ in range(count):
        for _ in range(_MOST_TRIALS):
            text = structured.draw(lexicon, rng).text()
            if text not in said:
                break
        said.add(text)
        drawn.append(text)
    return tuple(drawn)
