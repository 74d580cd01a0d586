from __future__ import annotations

import json
import uuid

import pytest
from django.test import Client
from django.utils import timezone

from listening.models import Rating

pytestmark = pytest.mark.django_db


@pytest.fixture
def mine(client, listener):
    client.force_login(listener.user)
    return client


def rating(track, /, **changes):
    return {
        "id": str(uuid.uuid4()),
        "track": str(track.pk),
        "value": 1,
        "seconds": 3.5,
        "given_at": "2026-01-02T03:04:05Z",
        **changes,
    }


def post(client, content):
    body = content if isinstance(content, str) else json.dumps(content)
    return client.post("/api/ratings/", body, content_type="application/json")


def test_a_rating_is_stored_and_answered_with_what_is_missing(mine, listener, make_playlist):
    track = make_playlist(listener, tracks=4).places.first().track
    answer = post(mine, rating(track))
    assert answer.status_code == 201
    assert answer.json() == {"track": str(track.pk), "value": 1, "rated": 1, "needed": 3, "evolving": False}


def test_the_same_rating_again_is_no_error(mine, listener, make_playlist):
    content = rating(make_playlist(listener).places.first().track)
    assert [post(mine, content).status_code for _ in range(3)] == [201, 200, 200]
    assert Rating.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"value": 7},
        {"value": "like"},
        {"value": None},
        {"id": "not a uuid"},
        {"id": 5},
        {"track": None},
        {"seconds": "long"},
        {"seconds": -3},
        {"seconds": 10**400},
        {"given_at": "yesterday"},
        {"given_at": "2026-01-02T03:04:05"},
        {"given_at": 5},
        {"given_at": "2026-13-40T99:99:99Z"},
    ],
)
def test_a_malformed_rating_is_answered_with_what_was_expected(mine, listener, make_playlist, changes):
    track = make_playlist(listener).places.first().track
    answer = post(mine, rating(track, **changes))
    assert answer.status_code == 400
    assert "expected" in answer.json()["error"].lower()
    assert not Rating.objects.exists()


@pytest.mark.parametrize("told", ["1970-01-01T00:00:12Z", "0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59Z"])
def test_a_rating_counts_as_of_now_when_the_browsers_clock_was_never_set(mine, listener, make_playlist, told):
    before = timezone.now()
    given = rating(make_playlist(listener).places.first().track, given_at=told)
    assert [post(mine, given).status_code for _ in range(2)] == [201, 200]
    assert before <= Rating.objects.get().given_at <= timezone.now()


@pytest.mark.parametrize("body", ["", "{", "[]", '"like"', "null", "5", "\x00", "[" * 100_000])
def test_a_body_that_is_no_rating_is_refused(mine, body):
    answer = post(mine, body)
    assert answer.status_code == 400
    assert "error" in answer.json()


def test_what_belongs_to_somebody_else_is_not_found(mine, other_listener, make_playlist):
    playlist = make_playlist(other_listener)
    track = playlist.places.first().track
    assert post(mine, rating(track)).status_code == 404
    for address in (
        f"/playlists/{playlist.pk}/",
        f"/api/playlists/{playlist.pk}/",
        f"/tracks/{track.pk}/audio",
        f"/tracks/{track.pk}/download",
    ):
        assert mine.get(address).status_code == 404, address
    assert not Rating.objects.exists()


def test_somebody_elses_rating_id_is_not_found(mine, listener, other_listener, make_playlist):
    content = rating(make_playlist(other_listener).places.first().track)
    other = Client()
    other.force_login(other_listener.user)
    assert post(other, content).status_code == 201
    own = rating(make_playlist(listener).places.first().track, id=content["id"])
    assert post(mine, own).status_code == 404
    assert Rating.objects.count() == 1


def test_nobody_is_told_to_start_listening(client):
    for answer in (post(client, {}), client.post("/api/evolve/"), client.get("/api/state/")):
        assert answer.status_code == 401
        assert "log in" in answer.json()["error"]


def test_ratings_and_evolving_need_the_page_s_token(listener):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(listener.user)
    assert post(strict, {}).status_code == 403
    assert strict.post("/api/evolve/").status_code == 403


def test_state_says_that_nobody_is_there_to_make_music(mine):
    mine.post("/api/evolve/")
    round_ = mine.get("/api/state/").json()["round"]
    assert round_["status"] == "waiting"
    assert "no player" in round_["message"]


def test_a_playlist_has_all_that_the_page_needs(mine, listener, make_playlist):
    playlist = make_playlist(listener, tracks=2)
    content = mine.get(f"/api/playlists/{playlist.pk}/").json()
    assert content["number"] == 1
    assert [track["position"] for track in content["tracks"]] == [1, 2]
    assert len(content["tracks"][0]["peaks"]) == 200
    assert content["tracks"][0]["rating"] is None
