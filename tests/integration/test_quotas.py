"""How often listeners may ask for music, counted from their rounds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from evolution.models import Round
from listening import feedback, quotas, selectors
from listening.models import Listener

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few(settings):
    settings.GUEST_EVOLVES_PER_HOUR, settings.GUEST_EVOLVES_PER_DAY = 2, 3
    settings.ACCOUNT_EVOLVES_PER_HOUR, settings.ACCOUNT_EVOLVES_PER_DAY = 3, 0


def asked(listener: Listener, *minutes_ago: int) -> None:
    """Rounds that are over, asked for so long ago."""
    for minutes in minutes_ago:
        number = listener.run.rounds.count() + 1
        round_ = Round.objects.create(run=listener.run, number=number, generations_planned=1, status=Round.Status.DONE)
        moment = timezone.now() - timedelta(minutes=minutes)
        Round.objects.filter(pk=round_.pk).update(requested_at=moment)


def test_a_guest_who_asked_enough_in_an_hour_is_told_when_it_goes_on(listener, client):
    asked(listener, 40, 10)
    client.force_login(listener.user)
    answer = client.post(reverse("listening:evolve"), {}, content_type="application/json")
    assert answer.status_code == 429
    assert 19 * 60 < int(answer["Retry-After"]) <= 20 * 60
    assert answer.json()["retry_after"] == int(answer["Retry-After"])
    assert "Guests can ask for 2 playlists in an hour. It goes on in about 20 minutes" in answer.json()["error"]
    assert listener.run.rounds.count() == 2


def test_the_longer_of_two_waits_is_told(listener):
    asked(listener, 10 * 60, 50, 10)
    with pytest.raises(quotas.QuotaError, match=r"3 playlists in a day\. It goes on in about 14 hours") as told:
        feedback.evolve(listener=listener)
    assert told.value.seconds == pytest.approx(14 * 3600, abs=60)


def test_what_was_asked_for_before_the_window_does_not_count(listener):
    asked(listener, 25 * 60, 70, 10)
    assert feedback.evolve(listener=listener).status == Round.Status.QUEUED


def test_an_account_may_ask_more_and_0_is_no_limit(listener):
    listener.is_guest = False
    listener.save()
    asked(listener, *range(70, 90), 20, 10)
    assert feedback.evolve(listener=listener).status == Round.Status.QUEUED


def test_staff_may_ask_as_often_as_they_like(listener):
    listener.user.is_staff = True
    listener.user.save()
    asked(listener, *range(1, 30))
    assert feedback.evolve(listener=listener).status == Round.Status.QUEUED


def test_asking_for_the_round_that_is_being_made_counts_once_and_trying_a_failed_one_again_does_not(listener):
    asked(listener, 10)
    round_ = feedback.evolve(listener=listener)
    assert feedback.evolve(listener=listener) == round_
    Round.objects.filter(pk=round_.pk).update(status=Round.Status.FAILED)
    assert feedback.evolve(listener=listener) == round_


def test_a_rating_that_would_begin_a_round_is_stored_and_begins_none(listener, make_playlist, client):
    make_playlist(listener, tracks=1)
    asked(listener, 10)
    client.force_login(listener.user)
    track = selectors.newest_playlist(listener).places.get().track_id
    content = {"id": "8c0f7f4e-62c2-4d0c-9a55-0d5c3f0e8f12", "track": str(track), "value": 1}
    answer = client.post(reverse("listening:rate"), content, content_type="application/json")
    assert answer.status_code == 201
    assert answer.json()["evolving"] is False


def test_the_page_comes_also_for_somebody_who_asked_enough(listener, client):
    asked(listener, 40, 10)
    client.force_login(listener.user)
    assert client.get(reverse("listening:listen")).status_code == 200


def test_what_waits_for_a_conductor_knows_how_many_wait_before_it(listener, other_listener):
    first, second = feedback.evolve(listener=listener), feedback.evolve(listener=other_listener)
    assert selectors.round_state(first)["queue"] == {"before": 0, "seconds": None}
    assert selectors.round_state(second)["queue"] == {"before": 1, "seconds": None}
    Round.objects.filter(pk=first.pk).update(status=Round.Status.DONE)
    first.refresh_from_db()
    assert selectors.round_state(first)["queue"] is None
