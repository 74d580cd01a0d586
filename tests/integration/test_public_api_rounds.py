"""Rounds over the API: asked for, followed in the queue, called off."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.test import Client

from evolution.models import Round
from listening import feedback
from listening.models import Listener, Playlist
from tests.integration.test_public_api import account, opinion, program, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def grace() -> Listener:
    return account("grace")


@pytest.fixture
def api(grace: Listener) -> Client:
    return program(grace)


def test_evolving_is_accepted_and_its_state_told(api: Client, grace: Listener):
    asked = send(api, "POST", "evolve", None)
    assert (asked.status_code, asked.json()["round"]["status"]) == (202, "queued")
    again = api.get("/api/v1/evolve").json()
    assert (again["round"]["number"], again["playlist"]) == (1, None)
    assert send(api, "POST", "evolve", None).json()["round"]["number"] == 1


def test_a_round_is_called_off_once_and_none_begins_until_it_is_asked_for(
    api: Client, grace: Listener, make_playlist: Callable[..., Playlist]
):
    playlist = make_playlist(grace)
    assert api.delete("/api/v1/evolve").json()["cancelled"] is False
    send(api, "POST", "evolve", None)
    told = api.delete("/api/v1/evolve")
    assert (told.status_code, told.json()["cancelled"]) == (200, True)
    assert (told.json()["round"]["number"], told.json()["round"]["status"]) == (2, "cancelled")
    assert (told.json()["round"]["queue"], told.json()["playlist"]) == (None, str(playlist.pk))
    again = api.delete("/api/v1/evolve").json()
    assert (again["cancelled"], again["round"]["status"]) == (False, "cancelled")
    batch = [opinion(place.track_id, id=str(uuid.uuid4())) for place in playlist.places.all()]
    assert send(api, "POST", "ratings", batch).json()["evolving"] is False
    assert send(api, "POST", "evolve", None).json()["round"]["status"] == "queued"


def test_a_round_whose_playlist_is_there_is_not_called_off(
    api: Client, grace: Listener, make_playlist: Callable[..., Playlist]
):
    make_playlist(grace)
    Round.objects.filter(run=grace.run).update(status=Round.Status.COMPOSING)
    assert api.delete("/api/v1/evolve").json()["cancelled"] is False
    assert Round.objects.get(run=grace.run).status == Round.Status.COMPOSING


def test_nobody_calls_off_what_is_made_for_somebody_else(api: Client, grace: Listener):
    ada = account("ada")
    theirs = feedback.evolve(listener=ada)
    assert api.delete("/api/v1/evolve").json()["cancelled"] is False
    theirs.refresh_from_db()
    assert theirs.status == Round.Status.QUEUED


def test_a_round_tells_its_place_in_the_queue_until_it_is_over(api: Client, grace: Listener):
    feedback.evolve(listener=account("ada"))
    send(api, "POST", "evolve", None)
    assert api.get("/api/v1/evolve").json()["round"]["queue"] == {"before": 1, "seconds": None}
    api.delete("/api/v1/evolve")
    assert api.get("/api/v1/evolve").json()["round"]["queue"] is None


def test_who_asked_for_enough_is_told_when_to_come_again(api: Client, grace: Listener, settings: object):
    settings.ACCOUNT_EVOLVES_PER_HOUR = 1  # type: ignore[attr-defined]
    assert send(api, "POST", "evolve", None).status_code == 202
    Round.objects.filter(run=grace.run).update(status=Round.Status.DONE)
    refused = send(api, "POST", "evolve", None)
    assert (refused.status_code, refused.json().keys()) == (429, {"error", "field"})
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    assert Round.objects.filter(run=grace.run).count() == 1
