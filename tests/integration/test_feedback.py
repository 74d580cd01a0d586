from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from evolution.models import Round
from listening import feedback, selectors
from listening.feedback import Opinion, RatingError
from listening.models import Rating, Track
from listening.selectors import Progress

pytestmark = pytest.mark.django_db


def opinion(track, value=1, *, rating_id=None, seconds=5.0, given_at=None):
    return Opinion(
        id=rating_id or uuid.uuid4(), track=track.pk, value=value, seconds=seconds, given_at=given_at or timezone.now()
    )


def current(track):
    return selectors.with_opinion(Track.objects.filter(pk=track.pk)).get().opinion


def test_a_rating_is_stored_once_however_often_it_is_sent(listener, make_playlist):
    track = make_playlist(listener).places.first().track
    said = opinion(track)
    assert feedback.record(listener=listener, opinion=said).is_new
    assert not feedback.record(listener=listener, opinion=said).is_new
    assert Rating.objects.count() == 1


def test_the_latest_rating_counts_and_the_earlier_ones_stay(listener, make_playlist):
    track = make_playlist(listener).places.first().track
    for value in (1, -1, 0):
        feedback.record(listener=listener, opinion=opinion(track, value))
    assert current(track) == 0
    assert list(Rating.objects.order_by("stored_at").values_list("value", flat=True)) == [1, -1, 0]


def test_a_rating_sent_late_does_not_undo_a_later_one(listener, make_playlist):
    track = make_playlist(listener).places.first().track
    feedback.record(listener=listener, opinion=opinion(track, -1))
    feedback.record(listener=listener, opinion=opinion(track, 1, given_at=timezone.now() - timedelta(minutes=5)))
    assert current(track) == -1


def test_a_clock_that_runs_ahead_is_not_the_last_word_for_ever(listener, make_playlist):
    track = make_playlist(listener).places.first().track
    feedback.record(listener=listener, opinion=opinion(track, 1, given_at=timezone.now() + timedelta(days=3)))
    later = timezone.now() + timedelta(seconds=2)
    feedback.record(listener=listener, opinion=opinion(track, -1, given_at=later))
    assert Rating.objects.filter(given_at__gt=timezone.now() + timedelta(seconds=5)).count() == 0


def test_somebody_elses_track_is_not_found_and_nothing_is_stored(listener, other_listener, make_playlist):
    track = make_playlist(other_listener).places.first().track
    with pytest.raises(Track.DoesNotExist):
        feedback.record(listener=listener, opinion=opinion(track))
    assert not Rating.objects.exists()


def test_somebody_elses_rating_id_is_not_found_and_nothing_is_stored(listener, other_listener, make_playlist):
    theirs = make_playlist(other_listener).places.first().track
    mine = make_playlist(listener).places.first().track
    used = feedback.record(listener=other_listener, opinion=opinion(theirs)).rating
    with pytest.raises(Rating.DoesNotExist):
        feedback.record(listener=listener, opinion=opinion(mine, rating_id=used.pk))
    assert Rating.objects.count() == 1


def test_an_id_of_ones_own_for_another_track_is_refused(listener, make_playlist):
    first, second = (place.track for place in make_playlist(listener).places.all()[:2])
    used = feedback.record(listener=listener, opinion=opinion(first)).rating
    with pytest.raises(RatingError, match="not used before"):
        feedback.record(listener=listener, opinion=opinion(second, rating_id=used.pk))
    assert Rating.objects.count() == 1


@pytest.mark.parametrize("value", [7, -2, 0.5, None, "1", True])
def test_a_rating_that_is_no_like_dislike_or_none_is_refused(listener, make_playlist, value):
    track = make_playlist(listener).places.first().track
    with pytest.raises(RatingError, match="expected 1"):
        opinion(track, value)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), 1e9])
def test_impossible_listening_times_are_refused(listener, make_playlist, seconds):
    track = make_playlist(listener).places.first().track
    with pytest.raises(RatingError, match="seconds"):
        opinion(track, seconds=seconds)


def test_enough_ratings_begin_the_next_round_and_no_more_than_one(listener, make_playlist):
    playlist = make_playlist(listener, tracks=4)
    progress, rounds = [], []
    for place in playlist.places.all():
        feedback.record(listener=listener, opinion=opinion(place.track, -1))
        progress.append(feedback.evolve_if_rated(listener=listener))
        rounds.append(selectors.pending_round(listener))
    assert progress == [Progress(1, 3, False), Progress(2, 3, False), Progress(3, 3, True), Progress(4, 3, True)]
    assert rounds[0] is None
    assert rounds[1] is None
    assert rounds[2] == rounds[3]
    assert rounds[2].number == 2


def test_no_opinion_counts_as_unrated(listener, make_playlist):
    playlist = make_playlist(listener, tracks=4)
    for place in playlist.places.all():
        feedback.record(listener=listener, opinion=opinion(place.track, 0))
    assert feedback.evolve_if_rated(listener=listener) == Progress(0, 3, False)
    assert selectors.pending_round(listener) is None


def test_asking_twice_for_the_next_playlist_asks_once(listener, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks():
        first = feedback.evolve(listener=listener)
        second = feedback.evolve(listener=listener)
    assert first == second
    assert first.generations_planned == 1


def test_a_failed_round_can_be_asked_for_again(listener):
    failed = feedback.evolve(listener=listener)
    Round.objects.filter(pk=failed.pk).update(status=Round.Status.FAILED, message="It broke.")
    again = feedback.evolve(listener=listener)
    assert (again.pk, again.status, again.message) == (failed.pk, Round.Status.QUEUED, "")
