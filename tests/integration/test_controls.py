"""Controls and repeats: what is in a playlist without being evolved for its listener."""

from __future__ import annotations

from collections import Counter

import pytest
from django.utils import timezone

from evolution.models import Round
from listening import controls, listeners, selectors
from listening.models import Playlist, PlaylistTrack, TasteSnapshot, Track
from listening.picks import Role, of_candidate
from models_store import catalog, prompts
from tests.integration.evolved import make_round, play, proved_listener, rate

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(settings, db):
    return proved_listener(settings)


@pytest.fixture
def stranger(person):
    return listeners.make_guest()


def own_tastes(*people):
    """Tastes at right angles."""
    for place, one in enumerate(people):
        TasteSnapshot.objects.filter(listener=one).update(embedding=[float(place == axis) for axis in range(4)])


def test_a_control_is_due_from_the_first_learned_playlist_on_where_it_is_long_enough(person):
    blind, learned = make_round(person, 1, ["a"]), make_round(person, 2, ["b"], ratings=3)

    assert not controls.due(person, blind, length=8)
    assert controls.due(person, learned, length=5)
    assert not controls.due(person, learned, length=4)


def test_a_run_that_wants_no_proof_holds_no_control(settings):
    settings.LISTENING_CONFIGURATION = {}
    listener = listeners.make_guest()

    assert not controls.due(listener, make_round(listener, 1, ["a"], ratings=3), length=8)


def test_a_control_is_what_was_evolved_for_somebody_else(person, stranger):
    theirs = play(stranger, make_round(stranger, 1, ["x", "y"], ratings=2))
    round_ = make_round(person, 1, ["a", "b"], ratings=2)
    own_tastes(person, stranger)

    chosen = controls.control(person, round_)

    assert chosen.role == Role.CONTROL
    assert chosen.recording in [one.recording for one in theirs]
    assert chosen.prompt in ("x", "y")
    assert chosen == controls.control(person, round_)


@pytest.mark.parametrize("role", [Role.ASKED, Role.CONTROL, Role.REPEAT])
def test_what_was_not_evolved_for_the_other_is_no_control(person, stranger, role):
    play(stranger, make_round(stranger, 1, ["x", "y"], ratings=2), role=role)
    round_ = make_round(person, 1, ["a"], ratings=2)

    assert controls.control(person, round_).candidate is None


def test_a_control_at_random_can_be_played_and_is_the_same_each_time(person):
    round_ = make_round(person, 1, ["a"], ratings=2)

    chosen = controls.control(person, round_)

    assert chosen.candidate is None
    assert chosen.take is not None
    assert chosen.take.seconds == 12.0
    assert prompts.parse(chosen.prompt, catalog.lexicon("soundfont")).instruments
    assert chosen == controls.control(person, round_)


def test_music_for_somebody_of_the_same_taste_is_no_control(person, stranger):
    play(stranger, make_round(stranger, 1, ["x"], ratings=2), tracks=1)
    round_ = make_round(person, 1, ["a"], ratings=2)
    TasteSnapshot.objects.update(embedding=[1.0, 0.5])

    assert controls.control(person, round_).candidate is None


def test_a_control_is_new_and_not_refused_and_no_copy_of_what_is_beside_it(person, stranger):
    round_ = make_round(person, 1, ["a", "b"], ratings=2)
    played, refused, beside, left = play(stranger, make_round(stranger, 1, ["w", "x", "y", "z"], ratings=2), tracks=4)
    heard = play(person, round_)
    Track.objects.filter(pk=heard[0].pk).update(recording=played.recording)
    Track.objects.filter(pk=heard[1].pk).update(prompt=refused.prompt)
    rate(heard[1], -1, never=True)
    following = make_round(person, 2, ["c"], ratings=2)
    own_tastes(person, stranger)

    chosen = controls.control(person, following, beside=[of_candidate(beside.candidate, seconds=12.0)])

    assert chosen.recording == left.recording


def test_a_control_is_of_anybody_whose_taste_is_not_nearly_the_same(person):
    round_ = make_round(person, 1, ["a"], ratings=2)
    others = [listeners.make_guest() for _ in range(4)]
    for number, other in enumerate(others):
        play(other, make_round(other, 1, [f"of {number}"], ratings=2), tracks=1)
    Round.objects.filter(pk=round_.pk).update(requested_at=timezone.now())
    round_.refresh_from_db()
    own_tastes(person)
    for number, other in enumerate(others):
        TasteSnapshot.objects.filter(listener=other).update(embedding=[3.0 - 1.5 * number, 1.0, 0.0, 0.0])
    chosen = set()
    for number in range(60):
        round_.number = number
        chosen.add(controls.control(person, round_).prompt)

    assert chosen == {"of 1", "of 2", "of 3"}  # the cosines are .95, .83, 0 and -.83


def test_the_controls_of_a_synthetic_listener_depend_on_nobody_else(person, stranger):
    play(stranger, make_round(stranger, 1, ["x"], ratings=2), tracks=1)
    synthetic = listeners.make_synthetic(reference_user=0, seed=5)
    round_ = make_round(synthetic, 1, ["a"], ratings=2)
    own_tastes(stranger, synthetic)

    assert controls.control(synthetic, round_).candidate is None


def test_about_every_third_playlist_holds_a_repeat_of_what_was_rated_some_time_ago(person):
    for track in play(person, make_round(person, 1, ["a", "b"], ratings=2)):
        rate(track, 1)

    repeats = [controls.repeat(person, number=number) for number in range(3, 303)]

    held = [one for one in repeats if one is not None]
    assert 70 <= len(held) <= 130
    assert {one.role for one in held} == {Role.REPEAT}
    assert all(one.recording == one.repeats.recording for one in held)


def test_what_was_played_last_is_not_repeated_yet(person):
    first, _ = (play(person, make_round(person, number, ["a", "b"], ratings=2)) for number in (1, 2))
    for track in Track.objects.filter(listener=person):
        rate(track, 1)
    seeds = (listeners.make_synthetic(reference_user=0, seed=seed).run for seed in range(30))

    found = []
    for run in seeds:
        person.run = run
        found.append(controls.repeat(person, number=3))

    assert {one.repeats for one in found if one is not None} == set(first)


def repeated(person):
    """All that may be repeated, over many playlists."""
    found = (controls.repeat(person, number=number) for number in range(10, 60))
    return {one.repeats.prompt for one in found if one is not None}


def test_only_what_was_liked_or_disliked_and_may_come_again_is_repeated_and_once(person):
    names = ["liked", "disliked", "no opinion", "unrated", "never", "forgotten", "repeated", "changed"]
    tracks = dict(zip(names, play(person, make_round(person, 1, names, ratings=2), tracks=8), strict=True))
    for name, value in [("liked", 1), ("disliked", -1), ("no opinion", 0), ("forgotten", 1), ("repeated", 1)]:
        rate(tracks[name], value)
    rate(tracks["never"], -1, never=True)
    rate(tracks["changed"], 1)
    rate(tracks["changed"], 0)
    Track.objects.filter(pk=tracks["forgotten"].pk).update(forgotten_at=timezone.now())
    again = play(person, make_round(person, 2, ["again"], ratings=2), tracks=1)[0]
    Track.objects.filter(pk=again.pk).update(repeats=tracks["repeated"])
    rate(again, 1)

    assert repeated(person) == {"liked", "disliked"}


def test_no_place_in_a_playlist_tells_what_is_there():
    own, others = [f"own {number}" for number in range(6)], ["control", "repeat"]
    orders = [controls.mix(own, others, seed=seed) for seed in range(4000)]

    for one in ("control", "repeat", "own 0"):
        counts = Counter(order.index(one) for order in orders)
        assert all(400 <= counts[place] <= 600 for place in range(8))
    assert controls.mix(own, others, seed=3) == controls.mix(own, others, seed=3)
    assert controls.mix(own, [], seed=3) == own


def test_what_a_listener_sees_of_a_track_is_the_same_whatever_its_role(person):
    tracks = play(person, make_round(person, 1, ["a", "b"], ratings=2))
    playlist = Playlist.objects.get(listener=person)

    def seen():
        return selectors.playlist_content(playlist)

    before = seen()
    for role in Role:
        PlaylistTrack.objects.filter(playlist=playlist).update(role=role, chance=0.123)
        Track.objects.filter(pk=tracks[1].pk).update(repeats=tracks[0], candidate=None)
        assert seen() == before
