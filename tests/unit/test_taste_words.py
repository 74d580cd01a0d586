from __future__ import annotations

import pytest

from listening import taste_words
from models_store.aligner import concept_words


def belief(name, slot, *, lean=0.3, sure=0.97):
    return {"name": name, "slot": slot, "lean": lean, "sure": sure}


def test_every_slot_that_a_concept_can_be_about_has_a_heading():
    assert set(taste_words.SLOTS) == set(concept_words.SLOTS)


@pytest.mark.parametrize(
    ("lean", "expected"),
    [
        (0.8, "You like slow music very much."),
        (0.2, "You like slow music."),
        (0.0, "You do not mind whether it is slow music."),
        (-0.2, "You would rather not hear slow music."),
        (-0.8, "You do not want slow music."),
    ],
)
def test_how_much_is_believed_is_heard_in_the_words(lean, expected):
    assert taste_words.sentence("slow", "tempo", lean) == expected


@pytest.mark.parametrize(
    ("name", "slot", "expected"),
    [
        ("jazz", "genre", "jazz"),
        ("piano", "instruments", "piano"),
        ("calm", "mood", "calm music"),
        ("bright", "sound", "bright music"),
        ("a minor key", "key", "music in a minor key"),
        ("at night", "setting", "music at night"),
    ],
)
def test_a_concept_reads_as_a_person_would_say_it(name, slot, expected):
    assert taste_words.phrase(name, slot) == expected


def test_the_headline_joins_what_is_known_into_one_sentence_and_what_is_not_wanted_into_another():
    beliefs = [
        belief("piano", "instruments"),
        belief("techno", "genre", lean=-0.6),
        belief("jazz", "genre"),
        belief("calm", "mood"),
        belief("slow", "tempo"),
        belief("brass", "instruments", lean=-0.2),
        belief("flute", "instruments"),
        belief("at night", "setting"),
        belief("a minor key", "key"),
    ]
    assert taste_words.headline(beliefs) == (
        "You like slow, calm jazz with piano and flute, in a minor key, at night. "
        "You would rather not hear techno or brass."
    )


def test_a_guess_is_said_only_when_nothing_better_is_known_and_as_a_guess():
    guess = belief("calm", "mood", sure=0.8)
    assert taste_words.headline([guess]) == "Just a guess so far: you like calm music."
    assert taste_words.headline([guess, belief("jazz", "genre")]) == "You like jazz."


def test_without_a_belief_there_is_no_headline():
    assert taste_words.headline([]) == ""
    assert taste_words.headline([belief("calm", "mood", lean=0.01)]) == ""
    assert taste_words.headline([belief("techno", "genre", lean=-0.4)]) == "You would rather not hear techno."


def test_beside_a_slider_nothing_is_claimed_that_is_not_known():
    assert taste_words.leaning(0.6, 0.99) == "likes it very much, sure"
    assert taste_words.leaning(-0.2, 0.9) == "rather not, fairly sure"
    assert taste_words.leaning(-0.7, 0.76) == "does not want it, just a guess"
    assert taste_words.leaning(0.6, 0.6) == "nothing known yet"
    assert taste_words.leaning(0.02, 0.99) == "nothing known yet"
