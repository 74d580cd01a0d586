from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from listening import listens, selectors
from listening.listens import Hearing, ListenError
from listening.models import Listen, Rating, Track

pytestmark = pytest.mark.django_db


@pytest.fixture
def mine(client, listener):
    client.force_login(listener.user)
    return client


@pytest.fixture
def track(listener, make_playlist):
    return make_playlist(listener).places.first().track


def told(track, /, **changes):
    return {
        "id": str(uuid.uuid4()),
        "track": str(track.pk),
        "ending": "skipped",
        "seconds": 3.5,
        "given_at": "2026-01-02T03:04:05Z",
        **changes,
    }


def post(client, content):
    body = content if isinstance(content, str) else json.dumps(content)
    return client.post("/api/listens/", body, content_type="application/json")


def hearing(track, /, **changes):
    return Hearing(
        **{
            "id": uuid.uuid4(),
            "track": track.pk,
            "ending": "finished",
            "seconds": 12.0,
            "given_at": timezone.now(),
            **changes,
        }
    )


def test_a_hearing_is_stored_with_how_it_ended(mine, listener, track):
    answer = post(mine, told(track))
    assert answer.status_code == 201
    assert answer.json() == {"received": 1, "stored": 1}
    stored = Listen.objects.get()
    assert (stored.listener, stored.track, stored.ending, stored.seconds) == (listener, track, "skipped", 3.5)
    assert stored.given_at.isoformat() == "2026-01-02T03:04:05+00:00"


def test_the_same_hearing_again_is_no_error_and_stored_once(mine, track):
    content = told(track)
    assert [post(mine, content).status_code for _ in range(3)] == [201, 200, 200]
    assert Listen.objects.count() == 1


def test_a_list_is_stored_whole(mine, track):
    content = [told(track, ending=ending) for ending in ("finished", "skipped", "left")]
    assert post(mine, content).json() == {"received": 3, "stored": 3}
    assert post(mine, [*content, told(track)]).json() == {"received": 4, "stored": 1}
    assert Listen.objects.count() == 4


def test_of_a_list_with_one_that_is_wrong_nothing_is_stored(mine, other_listener, make_playlist, track):
    theirs = make_playlist(other_listener).places.first().track
    assert post(mine, [told(track), told(track, ending="bored")]).status_code == 400
    assert post(mine, [told(track), told(theirs)]).status_code == 404
    assert not Listen.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"ending": "bored"},
        {"ending": None},
        {"ending": ["left"]},
        {"id": "not a uuid"},
        {"track": None},
        {"seconds": "long"},
        {"seconds": -3},
        {"seconds": True},
        {"seconds": 10**400},
        {"given_at": "yesterday"},
        {"given_at": "2026-01-02T03:04:05"},
    ],
)
def test_a_malformed_hearing_is_answered_with_what_was_expected_and_what_came(mine, track, changes):
    answer = post(mine, told(track, **changes))
    assert answer.status_code == 400
    assert next(iter(changes)) in answer.json()["error"]
    assert "expected" in answer.json()["error"]
    assert not Listen.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", '"left"', "null", "5", "[5]", "\x00", "[" * 100_000])
def test_a_body_that_is_no_hearing_is_refused(mine, body):
    answer = post(mine, body)
    assert answer.status_code == 400
    assert "xpected" in answer.json()["error"]


def test_more_hearings_than_a_message_may_hold_are_refused(mine, track):
    answer = post(mine, [told(track) for _ in range(101)])
    assert answer.status_code == 400
    assert "Expected 1 to 100 hearings, got 101" in answer.json()["error"]


def test_somebody_elses_hearing_id_is_not_found(mine, other_listener, make_playlist, track):
    theirs = make_playlist(other_listener).places.first().track
    used = listens.record(listener=other_listener, hearings=[hearing(theirs)])[0]
    assert post(mine, told(track, id=str(used.pk))).status_code == 404
    assert Listen.objects.count() == 1


def test_an_id_of_ones_own_for_another_track_is_refused(listener, make_playlist):
    first, second = (place.track for place in make_playlist(listener).places.all()[:2])
    used = listens.record(listener=listener, hearings=[hearing(first)])[0]
    with pytest.raises(ListenError, match="not used before"):
        listens.record(listener=listener, hearings=[hearing(second, id=used.pk)])
    with pytest.raises(Track.DoesNotExist):
        listens.record(listener=listener, hearings=[hearing(first), hearing(first, track=uuid.uuid4())])
    assert Listen.objects.count() == 1


def test_leafing_through_a_playlist_leaves_no_rows(mine, track):
    assert post(mine, told(track, seconds=0.4)).status_code == 200
    assert not Listen.objects.exists()


def test_no_more_than_so_many_hearings_of_a_track_are_kept_in_a_day(listener, track):
    many = [hearing(track) for _ in range(listens.MOST_A_DAY + 5)]
    assert len(listens.record(listener=listener, hearings=many)) == listens.MOST_A_DAY
    assert listens.record(listener=listener, hearings=[hearing(track)]) == []
    Listen.objects.update(stored_at=timezone.now() - timedelta(hours=25))
    assert len(listens.record(listener=listener, hearings=[hearing(track)])) == 1


def test_a_clock_that_runs_ahead_is_not_the_last_word_for_ever(listener, track):
    listens.record(listener=listener, hearings=[hearing(track, given_at=timezone.now() + timedelta(days=3))])
    assert not Listen.objects.filter(given_at__gt=timezone.now() + timedelta(seconds=5)).exists()


def test_hearings_need_the_page_s_token_and_somebody_who_listens(client, listener):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(listener.user)
    assert post(strict, {}).status_code == 403
    assert post(client, {}).status_code == 401


def test_a_hearing_says_nothing_of_how_much_is_rated(mine, listener, track):
    post(mine, told(track, ending="finished", seconds=12))
    assert (selectors.progress(listener).rated, selectors.progress(listener).needed) == (0, 3)
    assert not Rating.objects.exists()
