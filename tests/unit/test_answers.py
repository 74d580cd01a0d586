"""What is read out of a language model's answer."""

from __future__ import annotations

import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolution.search import answers
from evolution.search.answers import Answer, MalformedAnswerError


def prompts(text: str) -> tuple[str, ...]:
    return answers.prompts(Answer(text))


def test_prompts_stand_between_tags_in_order() -> None:
    text = (
        "Sure!\n1. <prompt>calm piano</prompt>\n2. <PROMPT>\n  loud\tdrums\n</Prompt> and that is all <prompt>unended"
    )
    assert prompts(text) == ("calm piano", "loud drums")


def test_an_opening_tag_that_was_repeated_begins_again() -> None:
    assert prompts("<prompt>no <prompt>calm piano</prompt>") == ("calm piano",)


@pytest.mark.parametrize(
    "text",
    [
        "<think>maybe <prompt>noise</prompt></think><prompt>calm piano</prompt>",
        "<Thinking effort='high'>\n<prompt>noise</prompt>\n</Thinking>\n<prompt>calm piano</prompt>",
        "<reasoning><prompt>noise</prompt></reasoning><prompt>calm piano</prompt><think>was <prompt>it</prompt> good?",
        "so <prompt>noise</prompt> it is</think><prompt>calm piano</prompt>",
        "<think>a</think><think><prompt>noise</prompt></think><prompt>calm piano</prompt>",
    ],
)
def test_thinking_is_dropped_closed_or_not(text: str) -> None:
    assert prompts(text) == ("calm piano",)


def test_a_thought_that_never_ends_leaves_nothing() -> None:
    with pytest.raises(MalformedAnswerError, match="an answer without a usable <prompt>"):
        prompts("<think><prompt>calm piano</prompt>")


def test_control_and_invisible_characters_go_and_blanks_collapse() -> None:
    assert prompts("<prompt>\x00calm\u200b \u2028 pi\x07ano\ud800,\xa0slow\n</prompt>") == ("calm piano, slow",)


def test_empty_and_overlong_prompts_are_none() -> None:
    long = "a" * 500
    text = f"<prompt> </prompt><prompt>...</prompt><prompt>{long}</prompt><prompt>{long}a</prompt><prompt>–</prompt>"
    assert prompts(text) == (long,)


def test_a_cut_off_answer_keeps_its_whole_prompts() -> None:
    answer = Answer("<prompt>calm piano</prompt><prompt>loud dr", cut_off=True)
    assert answers.prompts(answer) == ("calm piano",)
    with pytest.raises(MalformedAnswerError, match="an answer that was cut off without"):
        answers.prompts(Answer("<prompt>loud dr", cut_off=True))


@given(st.text())
def test_nothing_that_a_model_says_breaks_the_reading(text: str) -> None:
    try:
        found = prompts(f"{text}<prompt>{text}</prompt>{text}")
    except MalformedAnswerError:
        return
    for prompt in found:
        assert 0 < len(prompt) <= answers.LONGEST_PROMPT
        assert prompt == answers.clean(prompt) == " ".join(prompt.split())
        assert not [each for each in prompt if unicodedata.category(each)[0] == "C"]
        prompt.encode("utf-8")


@pytest.mark.parametrize("piece", ["<prompt>", "<think>", "</think>", "<prompt><think>", "<think ", "</prompt><prompt"])
def test_an_answer_made_to_be_slow_is_read_quickly(piece: str) -> None:
    began = time.perf_counter()
    with pytest.raises(MalformedAnswerError):
        prompts(piece * (400_000 // len(piece)))
    assert time.perf_counter() - began < 2.0


def test_prompts_that_differ_in_case_and_blanks_are_the_same() -> None:
    assert answers.folded(" Calm  PIANO\n") == answers.folded("calm piano")
    assert answers.folded("STRASSE") == answers.folded("straße")


def completion(content: object, **more: object) -> str:
    return json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}], **more})


def test_the_text_and_the_tokens_of_a_completion_are_read() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    assert answers.read(completion("hello", usage=usage)) == Answer("hello", False, 3, 4)
    assert answers.read(completion("hello", usage={"prompt_tokens": None})) == Answer("hello")
    assert (
        answers.read(completion([{"type": "text", "text": "hel"}, {"type": "image"}, {"text": "lo"}])).text == "hello"
    )


def test_an_answer_at_the_models_limit_is_known_as_cut_off() -> None:
    body = json.dumps({"choices": [{"message": {"content": "hel"}, "finish_reason": "length"}]})
    assert answers.read(body).cut_off


@pytest.mark.parametrize("body", ["", "<html>", "{", "[" * 100_000, "nul"])
def test_what_is_not_json_is_malformed(body: str) -> None:
    with pytest.raises(MalformedAnswerError, match="text that is not JSON"):
        answers.read(body)


@pytest.mark.parametrize(
    "body",
    [
        *("null", "3", "[]", "{}", '{"choices": null}', '{"choices": {}}', '{"choices": [3]}'),
        '{"choices": [{"message": []}]}',
        *(completion(content) for content in (None, "  ", {"text": "no"}, [None, 3])),
    ],
)
def test_json_of_another_shape_is_malformed(body: str) -> None:
    with pytest.raises(MalformedAnswerError, match="JSON without the text of an answer"):
        answers.read(body)


def test_an_excerpt_is_short_and_on_one_line() -> None:
    assert answers.excerpt("a\nb\x00") == "a b"
    assert len(answers.excerpt("ab " * 10_000)) <= 120
