from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from listening import feedback, selectors
from listening.feedback import Opinion, RatingError
from listening.models import Rating

pytestmark = pytest.mark.django_db


@pytest.fixture
def mine(client, listener):
    client.force_login(listener.user)
    return client


def post(client, track, **changes):
    content = {"id": str(uuid.uuid4()), "track": str(track.pk), "value": -1, "never": True, "seconds": 2.0, **changes}
    return client.post("/api/ratings/", json.dumps(content), content_type="application/json")


def shown(playlist):
    return [(track["rating"], track["never"]) for track in selectors.playlist_content(playlist)["tracks"]]


def test_never_again_is_kept_and_shown_and_counts_as_a_rating(mine, listener, make_playlist):
    playlist = make_playlist(listener, tracks=2)
    answer = post(mine, playlist.places.first().track)
    assert answer.status_code == 201
    assert answer.json()["value"] == -1
    assert answer.json()["rated"] == 1
    assert Rating.objects.get().never is True
    assert shown(playlist) == [(-1, True), (None, False)]


def test_a_rating_that_says_nothing_of_never_is_an_ordinary_one(mine, listener, make_playlist):
    track = make_playlist(listener).places.first().track
    content = {"id": str(uuid.uuid4()), "track": str(track.pk), "value": -1, "seconds": 2.0}
    assert mine.post("/api/ratings/", json.dumps(content), content_type="application/json").status_code == 201
    assert Rating.objects.get().never is False


def test_the_latest_word_counts_so_never_again_can_be_taken_back(mine, listener, make_playlist):
    playlist = make_playlist(listener, tracks=1)
    track = playlist.places.get().track
    post(mine, track)
    post(mine, track, value=-1, never=False)
    assert shown(playlist) == [(-1, False)]
    post(mine, track, value=0, never=False)
    assert shown(playlist) == [(0, False)]
    assert Rating.objects.count() == 3


@pytest.mark.parametrize("changes", [{"never": "yes"}, {"never": 1}, {"never": None}, {"value": 1}, {"value": 0}])
def test_never_again_of_what_is_not_disliked_or_in_another_form_is_refused(mine, listener, make_playlist, changes):
    answer = post(mine, make_playlist(listener).places.first().track, **changes)
    assert answer.status_code == 400
    assert "expected" in answer.json()["error"]
    assert next(iter(changes)) in answer.json()["error"]
    assert not Rating.objects.exists()


def test_never_again_sent_late_does_not_undo_a_later_like(listener, make_playlist):
    playlist = make_playlist(listener, tracks=1)
    track = playlist.places.get().track

    def say(value, never, given_at):
        feedback.record(
            listener=listener,
            opinion=Opinion(id=uuid.uuid4(), track=track.pk, value=value, seconds=1, given_at=given_at, never=never),
        )

    say(1, False, timezone.now())
    say(-1, True, timezone.now() - timedelta(minutes=5))
    assert shown(playlist) == [(1, False)]


def test_the_database_too_refuses_a_like_that_means_never_again(listener, make_playlist):
    track = make_playlist(listener).places.first().track
    with pytest.raises(RatingError, match="value: expected -1"):
        Opinion(id=uuid.uuid4(), track=track.pk, value=1, seconds=1, given_at=timezone.now(), never=True)
    with pytest.raises(IntegrityError, match="never_again_is_a_dislike"):
        Rating.objects.create(
            id=uuid.uuid4(), listener=listener, track=track, value=1, never=True, seconds=1, given_at=timezone.now()
        )
