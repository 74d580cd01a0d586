from __future__ import annotations

import json
import random
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from listening import proofs
from listening.models import Duet, Listener, PlaylistTrack, Rating
from models_store.taste import prequential, proof

pytestmark = pytest.mark.django_db

Role = PlaylistTrack.Role
ROLES = [Role.EVOLVED, Role.EVOLVED, Role.CONTROL, Role.ASKED]
START = timezone.now() - timedelta(days=30)


def rate(track, value, *, minutes=0.0):
    """A rating that was stored so long after START."""
    moment = START + timedelta(minutes=minutes)
    made = Rating.objects.create(
        id=uuid.uuid4(), listener=track.listener, track=track, value=value, seconds=1.0, given_at=moment
    )
    Rating.objects.filter(pk=made.pk).update(stored_at=moment)


@pytest.fixture
def play(make_playlist):
    """A playlist with these roles, rated with these values an hour after the one before; None: not rated."""

    def make(listener, number, values, *, roles=ROLES, chance=0.8):
        playlist = make_playlist(listener, number=number, tracks=len(roles))
        places = list(playlist.places.select_related("track__listener"))
        for place, role, value in zip(places, roles, values, strict=True):
            place.role, place.chance = role, chance
            place.save(update_fields=["role", "chance"])
            if value is not None:
                rate(place.track, value, minutes=60 * number + place.position)
        return places

    return make


def test_a_listener_without_ratings_has_nothing_to_show(listener, play, django_assert_num_queries):
    play(listener, 1, [None] * 4)
    with django_assert_num_queries(2):
        found = proofs.of_listener(listener)
    assert found["verdict"] == "nothing"
    assert found["playlists"] == 0
    assert found["evolved"] == {"mean": None, "low": 0.0, "high": 1.0, "count": 0}
    assert found["noise"]["pairs"] == 0
    assert found["prediction"]["curve"] == []
    json.dumps(found, allow_nan=False)


def test_a_finished_playlist_is_compared_without_what_was_asked(listener, play):
    play(listener, 1, [1, -1, -1, 1])
    found = proofs.of_listener(listener)
    assert found["playlists"] == 1
    assert (found["evolved"]["mean"], found["evolved"]["count"]) == (0.5, 2)
    assert (found["controls"]["mean"], found["controls"]["count"]) == (0.0, 1)
    assert found["difference"]["mean"] == 0.5


def test_an_unfinished_playlist_tells_nothing_of_its_control(listener, play):
    """Whatever is said of its tracks, no share moves before it is finished."""
    before = play(listener, 1, [1, 1, -1, 1])
    seen = proofs.of_listener(listener)
    open_places = play(listener, 2, [None] * 4)
    for minutes, place in enumerate(open_places[:3], start=121):
        rate(place.track, -1, minutes=minutes)
        now = proofs.of_listener(listener)
        assert {name: now[name] for name in ("evolved", "controls", "difference", "playlists", "evidence")} == {
            name: seen[name] for name in ("evolved", "controls", "difference", "playlists", "evidence")
        }
        assert now["prediction"]["accuracy"]["count"] == len(before) + minutes - 120
    rate(open_places[3].track, 1, minutes=130)
    assert proofs.of_listener(listener)["playlists"] == 2


def test_a_playlist_that_was_left_counts_as_it_was_when_the_next_was_begun(listener, play):
    left = play(listener, 1, [1, None, -1, None])
    play(listener, 2, [None, 1, None, None])
    assert proofs.of_listener(listener)["playlists"] == 1
    assert proofs.of_listener(listener)["evolved"]["count"] == 1
    rate(left[1].track, 1, minutes=500)  # the figures may have told by now which one the control was
    assert proofs.of_listener(listener)["evolved"]["count"] == 1


def test_the_latest_word_counts_and_no_opinion_is_none(listener, play):
    first, second, control, _ = play(listener, 1, [-1, 1, 1, 1])
    rate(first.track, 1, minutes=90)
    rate(control.track, -1, minutes=91)
    play(listener, 2, [1, 1, 1, 1])
    found = proofs.of_listener(listener)
    assert (found["evolved"]["mean"], found["controls"]["mean"]) == (1.0, 0.5)
    rate(second.track, 0, minutes=200)
    assert proofs.of_listener(listener)["evolved"]["count"] == 3


def test_a_repeat_is_held_against_the_first_time_and_is_no_prediction(listener, play):
    heard = play(listener, 1, [1, -1, -1, 1])
    again = play(listener, 2, [1, -1, 1, -1], roles=[Role.EVOLVED, Role.REPEAT, Role.CONTROL, Role.REPEAT])
    for place, earlier in ((again[1], heard[1]), (again[3], heard[0])):
        place.track.repeats = earlier.track
        place.track.save(update_fields=["repeats"])
    found = proofs.of_listener(listener)
    assert (found["noise"]["pairs"], found["noise"]["changed"]["mean"]) == (2, 0.5)
    assert found["prediction"]["accuracy"]["count"] == 6


def test_playlists_of_before_there_were_chances_are_judged_by_the_sign(listener, play):
    play(listener, 1, [1, 1, -1, 1], chance=None)  # all were predicted at a likeness of 0.1
    found = proofs.of_listener(listener)
    assert found["prediction"]["accuracy"]["mean"] == 0.75
    assert found["prediction"]["scores"] is None


def test_a_duet_proves_nothing_about_one_of_the_two(listener, other_listener, play):
    places = play(listener, 1, [1, 1, -1, 1])
    playlist = places[0].playlist
    playlist.duet = Duet.objects.create(host=listener, guest=other_listener)
    playlist.save(update_fields=["duet"])
    assert proofs.of_listener(listener)["playlists"] == 0


def test_the_figures_are_those_of_the_pure_proof(listener, play):
    rng = random.Random(7)
    blocks, predictions = [], []
    for number in range(1, 13):
        values = [rng.choice([1, -1]) for _ in ROLES]
        play(listener, number, values, chance=0.3)
        liked = [value > 0 for value in values]
        blocks.append(proof.Block(tuple(liked[:2]), (liked[2],)))
        predictions += [prequential.Prediction(number, one, 0.3, 0.1) for one in liked]
    found, expected = proofs.of_listener(listener), proof.prove(blocks)
    assert found["difference"]["low"] == expected.difference.low
    assert found["controls"]["high"] == expected.controls.high
    assert found["sentence"] == proof.sentence(expected)
    assert found["prediction"]["scores"]["brier"] == prequential.record(predictions).scores.brier


def test_over_everyone_the_playlists_of_all_make_one_proof(listener, other_listener, play, django_assert_num_queries):
    for number in range(1, 6):
        play(listener, number, [1, 1, -1, 1])
        play(other_listener, number, [1, 1, -1, -1])
    alone = proofs.of_listener(listener)
    with django_assert_num_queries(2):
        found = proofs.of_everyone()
    assert alone["verdict"] == "nothing"
    assert found["verdict"] == "proved"
    assert (found["playlists"], found["listeners"], found["proved"]) == (10, 2, 0)
    assert found["prediction"]["accuracy"]["count"] == 40
    json.dumps(found, allow_nan=False)


def test_over_everyone_means_people_unless_others_are_named(listener, play):
    Listener.objects.filter(pk=listener.pk).update(user=None, reference_user=3)
    play(listener, 1, [1, 1, -1, 1])
    assert proofs.of_everyone()["listeners"] == 0
    assert proofs.of_everyone(Listener.objects.filter(pk=listener.pk))["listeners"] == 1


def test_nobody_elses_ratings_are_counted(listener, other_listener, play):
    play(other_listener, 1, [1, 1, -1, 1])
    assert proofs.of_listener(listener)["prediction"]["accuracy"]["count"] == 0
