"""The prompts that come with the project."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from evolution.search.answers import LONGEST_PROMPT, clean, folded
from models_store import catalog, prompt_pool, prompts
from scripts import make_prompt_pool

FOLDER = Path(__file__).parents[2] / "prompts"
LEXICON = catalog.lexicon("soundfont")


def lines(name: str) -> list[str]:
    return [line for line in (FOLDER / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def test_the_pool_is_what_its_command_makes() -> None:
    assert make_prompt_pool.POOL.read_text(encoding="utf-8") == make_prompt_pool.content()


def test_the_pool_has_two_thousand_different_prompts() -> None:
    pool = lines("pool.txt")
    assert len(pool) >= 2000
    assert len({folded(prompt) for prompt in pool}) == len(pool)
    # Not the same words in another order either.
    assert len({tuple(sorted(re.findall(r"\w+", prompt.lower()))) for prompt in pool}) > 0.99 * len(pool)


def test_every_prompt_of_the_pool_reads_back_without_a_word_left_over() -> None:
    read = [prompts.parse(prompt, LEXICON) for prompt in lines("pool.txt")]
    assert not [prompt for prompt in read if prompt.rest]
    assert all(prompt.instruments for prompt in read)


def test_the_pool_says_every_word_of_the_lexicon_and_none_too_often() -> None:
    read = [prompts.parse(prompt, LEXICON) for prompt in lines("pool.txt")]
    for slot in prompts.SLOTS:
        said = Counter(word for prompt in read for word in _words(prompt, slot))
        assert set(said) == set(LEXICON[slot])
        assert max(said.values()) < 4 * sum(said.values()) / len(said)


def _words(prompt: prompts.StructuredPrompt, slot: str) -> tuple[str, ...]:
    value = getattr(prompt, slot)
    return value if isinstance(value, tuple) else (value,) * bool(value)


def test_the_sentences_of_the_pool_have_many_shapes() -> None:
    shapes = Counter(_shape(prompt) for prompt in lines("pool.txt")[:600])
    assert len(shapes) > 100
    assert shapes.most_common(1)[0][1] < 0.1 * shapes.total()


def _shape(text: str) -> str:
    """The sentence with the slot in the place of each phrase."""
    phrases = {word: slot for slot in prompts.SLOTS for word in LEXICON[slot]}
    for word in sorted(phrases, key=len, reverse=True):
        text = re.sub(rf"(?<![\w<]){re.escape(word)}(?![\w>])", f"<{phrases[word]}>", text, flags=re.IGNORECASE)
    return text


def test_another_seed_makes_another_pool_and_the_same_seed_the_same() -> None:
    one, again, other = (prompt_pool.draw(50, lexicon=LEXICON, seed=seed) for seed in (3, 3, 4))
    assert one == again
    assert len({*one, *other}) > 95


def test_a_lexicon_with_too_little_to_say_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a lexicon with 50 prompts in it, got "):
        prompt_pool.draw(50, lexicon={"genre": ("jazz",), "tempo": ("slow",)}, seed=1)


def test_a_hundred_prompts_were_written_by_hand() -> None:
    written = lines("handwritten.txt")
    assert len(written) == len({folded(prompt) for prompt in written}) == 100
    beginnings = Counter(" ".join(prompt.lower().split()[:2]) for prompt in written)
    assert max(beginnings.values()) <= 3
    assert not {folded(prompt) for prompt in written} & {folded(prompt) for prompt in lines("pool.txt")}


@pytest.mark.parametrize("name", ["handwritten.txt", "pool.txt"])
def test_shipped_prompts_are_clean_single_lines(name: str) -> None:
    for prompt in lines(name):
        assert prompt == clean(prompt)
        assert 10 <= len(prompt) <= LONGEST_PROMPT
