"""Where the first prompts come from."""

from __future__ import annotations

import pytest

from evolution.search.asking import LLMError
from evolution.search.initial import initial_prompts
from tests.unit.llm_server import Asked, LLMServer, Reply, chat, slowly, tagged
from tests.unit.test_full_llm import LEXICON, writer

LINES = [f"line {number}" for number in range(30)]


def test_lines_of_a_file_are_sampled_without_replacement() -> None:
    sampled = initial_prompts(count=12, seed=1, lexicon=LEXICON, prompts=LINES)
    assert len(set(sampled)) == 12
    assert set(sampled) <= set(LINES)
    assert sampled == initial_prompts(count=12, seed=1, lexicon=LEXICON, prompts=LINES)
    assert sampled != initial_prompts(count=12, seed=2, lexicon=LEXICON, prompts=LINES)
    assert set(initial_prompts(count=30, seed=1, lexicon=LEXICON, prompts=LINES)) == set(LINES)


def test_too_few_lines_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="expected at least 31 different ones, got 30"):
        initial_prompts(count=31, seed=1, lexicon=LEXICON, prompts=LINES)
    with pytest.raises(ValueError, match="expected at least 3 different ones, got 2"):
        initial_prompts(count=3, seed=1, lexicon=LEXICON, prompts=["one", " ONE ", "", "two"])


def test_a_language_model_is_asked_in_batches_at_once() -> None:
    with LLMServer(slowly(0.2)) as server:
        first = initial_prompts(count=25, seed=1, lexicon=LEXICON, writer=writer(server))
        assert sorted(asked.wanted for asked in server.asked) == [5, 10, 10]
        assert server.most_at_once == 3
        assert len({asked.message for asked in server.asked}) == 3
        assert first == initial_prompts(count=25, seed=1, lexicon=LEXICON, writer=writer(server))
    assert len(set(first)) == 25


def test_a_language_model_that_repeats_itself_across_batches_is_asked_again() -> None:
    def repetitive(asked: Asked) -> Reply:
        first = 1000 * asked.number if "Do not repeat" in asked.message else 0
        return chat(tagged(f"idea {first + number}" for number in range(asked.wanted)))

    with LLMServer(repetitive) as server:
        begun = initial_prompts(count=20, seed=1, lexicon=LEXICON, writer=writer(server))
    assert len(set(begun)) == 20


def test_a_language_model_without_enough_ideas_is_an_error() -> None:
    with LLMServer(lambda _: chat(tagged(["idea"] * 20))) as server, pytest.raises(LLMError, match="different prompts"):
        initial_prompts(count=4, seed=1, lexicon=LEXICON, writer=writer(server))


def test_an_empty_lexicon_gives_no_hints() -> None:
    with LLMServer() as server:
        assert len(initial_prompts(count=3, seed=1, lexicon={}, writer=writer(server))) == 3
    assert "whatever comes to mind" in server.asked[0].message


def test_without_lines_or_model_prompts_are_drawn_from_the_lexicon() -> None:
    lexicon = {"genre": tuple(f"genre{number}" for number in range(20)), "instruments": ("piano", "harp", "drums")}
    drawn = initial_prompts(count=40, seed=1, lexicon=lexicon)
    assert len(set(drawn)) == 40
    assert drawn == initial_prompts(count=40, seed=1, lexicon=lexicon)


def test_a_lexicon_with_less_to_say_repeats_itself() -> None:
    assert len(initial_prompts(count=9, seed=1, lexicon={"genre": ("jazz",)})) == 9


def test_a_count_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a count of at least 1, got 0"):
        initial_prompts(count=0, seed=1, lexicon=LEXICON)
