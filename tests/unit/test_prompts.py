"""Structured prompts: drawn, said and read again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_store import prompts
from models_store.prompts import MOST_INSTRUMENTS, StructuredPrompt

LEXICON = {
    "mood": ("calm", "deep", "very happy", "world"),
    "genre": ("jazz", "hip-hop", "house", "deep house", "lo-fi", "world music", "ambient"),
    "instruments": ("piano", "electric piano", "flute", "drums", "strings", "bass guitar", "guitar"),
    "tempo": ("slow", "medium tempo", "fast", "60 bpm"),
    "key": ("d minor", "c major", "f# minor"),
    "setting": ("at night", "in the rain", "ambient"),
}
PLAIN = {**LEXICON, "mood": ("calm", "very happy"), "setting": ("at night", "in the rain")}
"""No phrase in two slots, and none that two neighbours make."""

known_prompts = st.builds(
    StructuredPrompt,
    mood=st.sampled_from(("", *PLAIN["mood"])),
    genre=st.sampled_from(("", *PLAIN["genre"])),
    instruments=st.lists(st.sampled_from(PLAIN["instruments"]), unique=True, max_size=5).map(tuple),
    tempo=st.sampled_from(("", "slow", "fast", "92 bpm", "92.5 bpm")),
    key=st.sampled_from(("", *PLAIN["key"])),
    setting=st.sampled_from(("", *PLAIN["setting"])),
    rest=st.lists(
        st.sampled_from(("no drums", "without strings", "zorgle", "Ünïcode", "🎷", "zig-zag")), unique=True
    ).map(tuple),
)
pieces = st.sampled_from(
    [word for phrases in LEXICON.values() for phrase in phrases for word in (phrase, *phrase.split())]
    + [
        "no",
        "not",
        "without",
        "or",
        "nor",
        "any",
        "music",
        "with",
        "and",
        "in",
        "92 bpm",
        "9bpm",
        "bpm",
        "7",
        ",",
        ".",
        "x",
    ]
)


@given(known_prompts)
def test_a_prompt_of_known_words_reads_back_as_itself(prompt: StructuredPrompt) -> None:
    assert prompts.parse(prompt.text(), PLAIN) == prompt


@given(known_prompts)
def test_case_does_not_change_what_known_words_say(prompt: StructuredPrompt) -> None:
    shouted = prompts.parse(prompt.with_slot("rest", ()).text().upper(), PLAIN)
    assert shouted == prompt.with_slot("rest", ())


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=60), st.lists(pieces, max_size=14).map(" ".join)))
def test_what_was_read_says_the_same_when_read_again(text: str) -> None:
    prompt = prompts.parse(text, LEXICON)
    assert prompts.parse(prompt.text(), LEXICON) == prompt


@given(st.integers(0, 10**9))
def test_drawn_prompts_say_what_they_hold_and_name_one_to_four_instruments(seed: int) -> None:
    prompt = prompts.draw(LEXICON, random.Random(seed))
    assert prompts.parse(prompt.text(), LEXICON) == prompt
    assert 1 <= len(prompt.instruments) <= MOST_INSTRUMENTS
    assert prompt.rest == ()


def test_drawn_prompts_vary_and_leave_slots_empty() -> None:
    rng = random.Random(3)
    drawn = [prompts.draw(LEXICON, rng) for _ in range(200)]
    assert len({prompt.text() for prompt in drawn}) > 150
    assert {len(prompt.instruments) for prompt in drawn} == {1, 2, 3, 4}
    for slot in ("mood", "genre", "tempo", "key", "setting"):
        assert 20 < sum(not getattr(prompt, slot) for prompt in drawn) < 180 or slot == "genre"
    assert any(not prompt.genre for prompt in drawn)


def test_the_same_seed_draws_the_same_prompt() -> None:
    assert prompts.draw(LEXICON, random.Random(5)) == prompts.draw(LEXICON, random.Random(5))


def test_a_lexicon_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a lexicon with words"):
        prompts.draw({"mood": ()}, random.Random(0))


def test_the_longest_phrase_wins() -> None:
    prompt = prompts.parse("Deep house with Electric-Piano and bass guitar", LEXICON)
    assert (prompt.mood, prompt.genre, prompt.instruments) == ("", "deep house", ("electric piano", "bass guitar"))


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("jazz, no drums", ("no drums",)),
        ("jazz without any electric piano", ("without any electric piano",)),
        ("jazz with flute, no drums or strings nor piano", ("no drums", "no strings", "no piano")),
        ("jazz, Not too fast", ("Not too fast",)),
        ("jazz, no zorgle please", ("no zorgle", "please")),
        ("no", ("no",)),
    ],
)
def test_what_is_denied_is_kept_as_a_phrase_and_fills_no_slot(text: str, rest: tuple[str, ...]) -> None:
    prompt = prompts.parse(text, LEXICON)
    assert prompt.rest == rest
    assert not {"drums", "strings", "piano", "electric piano"} & set(prompt.instruments)
    assert prompt.tempo == ""


@pytest.mark.parametrize(
    ("text", "tempo", "rest"),
    [
        ("jazz 92 bpm", "92 bpm", ()),
        ("jazz 92BPM", "92 bpm", ()),
        ("slow jazz at 92.5 bpm", "92.5 bpm", ("at", "slow")),
        ("90 bpm 100 bpm", "90 bpm", ("100 bpm",)),
        ("92", "", ("92",)),
    ],
)
def test_a_number_of_beats_is_a_tempo_and_goes_before_a_word(text: str, tempo: str, rest: tuple[str, ...]) -> None:
    prompt = prompts.parse(text, LEXICON)
    assert (prompt.tempo, set(prompt.rest)) == (tempo, set(rest))


def test_unknown_and_surplus_words_are_kept_as_they_came() -> None:
    prompt = prompts.parse("calm calm Hip Hop jazz Zorgle, zorgle", LEXICON)
    assert (prompt.mood, prompt.genre) == ("calm", "hip-hop")
    assert prompt.rest == ("jazz", "Zorgle", "zorgle")


def test_a_phrase_of_two_slots_fills_the_one_that_is_free() -> None:
    assert prompts.parse("ambient ambient", LEXICON) == StructuredPrompt(genre="ambient", setting="ambient")


def test_ten_thousand_characters_are_read_quickly_and_kept() -> None:
    prompt = prompts.parse("jazz " + " ".join(f"w{number}" for number in range(1700)), LEXICON)
    assert prompt.genre == "jazz"
    assert len(prompt.rest) == 1700
