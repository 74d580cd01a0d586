"""What was evolved before and not heard, and what must not be heard again."""

from __future__ import annotations

import pytest
from django.utils import timezone

from evolution.models import Candidate
from listening import archive
from listening.models import Track
from tests.integration.evolved import make_round, play, prompts, rate

pytestmark = pytest.mark.django_db


def test_what_was_evolved_and_never_played_is_offered_again_the_present_round_first(listener):
    first = make_round(listener, 1, ["a", "b", "c"])
    play(listener, first, tracks=1)
    second = make_round(listener, 2, ["d", "e"])

    assert prompts(archive.candidates(listener, round_=second)) == ["d", "e", "b", "c"]
    assert prompts(archive.candidates(listener)) == ["d", "e", "b", "c"]
    assert prompts(archive.candidates(listener, round_=first)) == ["b", "c"]


def test_of_a_prompt_the_fittest_is_offered_and_of_earlier_rounds_as_many_of_each(listener):
    make_round(listener, 1, ["a", "b", "c", "d"], fitness=[0.1, 0.9, 0.5, 0.3])
    make_round(listener, 2, ["e", "f", "g", "g"], fitness=[0.1, 0.2, 0.3, 0.8])
    third = make_round(listener, 3, ["h"])

    found = archive.candidates(listener, round_=third, most=4)

    assert prompts(found) == ["h", "g", "f", "b", "c"]
    assert found[1].fitness == 0.8


def test_nothing_that_shall_never_come_again_is_offered_whatever_its_seed(listener):
    first = make_round(listener, 1, ["a", "b"])
    track, _ = play(listener, first)
    rate(track, -1, never=True)
    second = make_round(listener, 2, ["a", "c"])

    assert prompts(archive.candidates(listener, round_=second)) == ["c"]

    rate(track, 1)
    assert prompts(archive.candidates(listener, round_=second)) == ["a", "c"]


def test_who_forgets_a_track_takes_back_that_it_shall_never_come_again(listener):
    track, _ = play(listener, make_round(listener, 1, ["a", "b"]))
    rate(track, -1, never=True)
    assert list(archive.never_again([listener])) == [track]

    Track.objects.filter(pk=track.pk).update(forgotten_at=timezone.now())

    assert not archive.never_again([listener])


def test_what_one_of_two_has_heard_or_refused_is_offered_to_neither(listener, other_listener):
    make_round(listener, 1, ["a", "b", "c"])
    track, _ = play(other_listener, make_round(other_listener, 1, ["b", "d"]), tracks=2)
    rate(track, -1, never=True)

    assert prompts(archive.candidates(listener, unheard_by=[other_listener])) == ["a", "c"]
    assert prompts(archive.candidates(other_listener, unheard_by=[listener])) == []


def test_a_heard_track_stays_heard_when_its_evaluation_is_forgotten(listener):
    first = make_round(listener, 1, ["a", "b"])
    play(listener, first, tracks=1)
    heard = Candidate.objects.get(generation__round=first, prompt="a").evaluation_id
    Candidate.objects.filter(generation__round=first, prompt="a").update(evaluation=None)

    assert heard in archive.played([listener])
    assert prompts(archive.candidates(listener)) == ["b"]


def test_what_is_unwanted_is_all_that_was_heard_and_of_the_refused_the_recording_too(listener):
    assert archive.unwanted([listener]) is None
    track, _ = play(listener, make_round(listener, 1, ["a", "b", "c"]))
    assert archive.unwanted([listener]).shape == (2, 8, 64)

    rate(track, -1, never=True)

    assert archive.unwanted([listener]).shape == (3, 8, 64)
    beside = [archive.sound(track), Candidate.objects.get(prompt="c").evaluation]
    assert len(archive.unwanted([listener], beside=beside)) == 4
