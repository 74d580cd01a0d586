"""The API for programs: who may ask, whose things are told, and that what is sent twice is stored once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from evolution.models import Round
from listening import listeners
from listening.models import Listen, Listener, Playlist, Rating
from public_api import tokens
from public_api.models import Token

pytestmark = pytest.mark.django_db


def account(name: str) -> Listener:
    return listeners.keep(listeners.make_guest(), username=name, password="a long pass phrase")


def token_for(listener: Listener, *scopes: str, days: int = 30) -> str:
    return tokens.make(user=listener.user, name="test", scopes=scopes or ["listen"], days=days).text


def program(listener: Listener) -> Client:
    """A program with a token of this listener."""
    return Client(headers={"Authorization": f"Bearer {token_for(listener)}"}, enforce_csrf_checks=True)


@pytest.fixture
def grace() -> Listener:
    return account("grace")


@pytest.fixture
def api(grace: Listener) -> Client:
    return program(grace)


def opinion(track: object, value: int = 1, **more: object) -> dict[str, object]:
    return {"track": str(track), "value": value, "seconds": 3.5, **more}


def send(api: Client, method: str, address: str, content: object):
    return api.generic(method, f"/api/v1/{address}", json.dumps(content), content_type="application/json")


def first_track(playlist: Playlist) -> str:
    return str(playlist.places.first().track_id)


def test_a_token_tells_who_listens(api: Client, grace: Listener, make_playlist: Callable[..., Playlist]):
    make_playlist(grace)
    told = api.get("/api/v1/me").json()
    assert told["name"] == "grace"
    assert told["listener"] == grace.pk
    assert told["counts"] == {"playlists": 1, "tracks": 4, "liked": 0, "disliked": 0}


def test_a_session_opens_nothing(client: Client, grace: Listener):
    client.force_login(grace.user)
    answered = client.get("/api/v1/me")
    assert answered.status_code == 401
    assert answered.headers["WWW-Authenticate"] == "Bearer"
    assert answered.json().keys() == {"error", "field"}


@pytest.mark.parametrize("said", ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer evo_000000000000_" + 43 * "A"])
def test_what_is_no_token_opens_nothing(client: Client, said: str):
    assert client.get("/api/v1/me", headers={"Authorization": said}).status_code == 401


def test_the_secret_half_of_another_token_does_not_fit(client: Client, grace: Listener):
    one, other = token_for(grace), token_for(grace)
    mixed = one[:17] + other[17:]
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {mixed}"}).status_code == 401


def test_an_expired_a_revoked_and_a_locked_out_users_token_open_nothing(client: Client, grace: Listener):
    for spoil in (
        lambda token: Token.objects.filter(pk=token.pk).update(expires_at=timezone.now()),
        lambda token: tokens.revoke(user=grace.user, token_id=token.pk),
        lambda _token: type(grace.user).objects.filter(pk=grace.user.pk).update(is_active=False),
    ):
        made = tokens.make(user=grace.user, name="radio", scopes=["listen"], days=1)
        headers = {"Authorization": f"Bearer {made.text}"}
        assert client.get("/api/v1/me", headers=headers).status_code == 200
        spoil(made.token)
        assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_only_a_digest_is_stored_and_the_use_is_noted(api: Client, grace: Listener):
    text = token_for(grace)
    stored = Token.objects.get(key=text.split("_")[1])
    assert not any(text.split("_", 2)[2] in str(value) for value in vars(stored).values())
    assert stored.last_used_at is None
    api.get("/api/v1/me", headers={"Authorization": f"Bearer {text}"})
    stored.refresh_from_db()
    assert (timezone.now() - stored.last_used_at).total_seconds() < 60


def test_more_requests_than_allowed_are_told_when_to_come_again(api: Client, settings: object):
    settings.API_REQUESTS_A_MINUTE = 3  # type: ignore[attr-defined]
    # Seven of them are more than two minutes' worth, should the minute end meanwhile.
    answers = [api.get("/api/v1/me") for _ in range(7)]
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 61
    assert "3 requests a minute" in refused[0].json()["error"]


def test_playlists_are_paged_and_tell_nothing_of_why_a_track_is_there(
    api: Client, grace: Listener, make_playlist: Callable[..., Playlist]
):
    for number in range(1, 13):
        make_playlist(grace, number=number, tracks=1)
    first, second = (api.get(f"/api/v1/playlists?page={page}") for page in (1, 2))
    assert [one["number"] for one in first.json()["playlists"]] == list(range(12, 2, -1))
    assert [one["number"] for one in second.json()["playlists"]] == [2, 1]
    assert second.json() | {"playlists": 0} == {"page": 2, "pages": 2, "count": 12, "playlists": 0}
    track = api.get(f"/api/v1/tracks/{second.json()['playlists'][0]['tracks'][0]['id']}")
    taste = api.get("/api/v1/taste").json()
    taste.pop("proof")  # which tells of controls as a whole
    told = second.content + track.content + json.dumps(taste).encode()
    assert not any(word in told for word in (b"role", b"control", b"predicted", b"chance", b"uncertainty", b"repeats"))


def test_what_is_somebody_elses_is_not_there(api: Client, make_playlist: Callable[..., Playlist]):
    theirs = make_playlist(account("ada"))
    track = first_track(theirs)
    for address in (f"playlists/{theirs.pk}", f"tracks/{track}", f"tracks/{track}/audio", f"tracks/{track}/download"):
        assert api.get(f"/api/v1/{address}").status_code == 404
    assert send(api, "PUT", f"ratings/{uuid.uuid4()}", opinion(track)).status_code == 404
    assert send(api, "POST", "ratings", [opinion(track, id=str(uuid.uuid4()))]).status_code == 404
    heard = {"id": str(uuid.uuid4()), "track": track, "ending": "left", "seconds": 9}
    assert send(api, "POST", "listens", [heard]).json() == {"error": "There is no such track.", "field": None}
    assert not Rating.objects.exists()
    assert not Listen.objects.exists()


def test_a_track_comes_with_its_sound_whole_and_in_parts(
    api: Client, grace: Listener, make_playlist: Callable[..., Playlist]
):
    playlist = make_playlist(grace)
    told = api.get(f"/api/v1/tracks/{first_track(playlist)}").json()
    assert told["playlist"] == str(playlist.pk)
    assert len(told["peaks"]) == 200
    whole = api.get(told["audio_url"])
    part = api.get(told["audio_url"], headers={"Range": "bytes=10-19"})
    beyond = api.get(told["audio_url"], headers={"Range": "bytes=5000-"})
    assert (whole.status_code, len(whole.getvalue())) == (200, 1000)
    assert (part.status_code, part.headers["Content-Range"]) == (206, "bytes 10-19/1000")
    assert part.getvalue() == whole.getvalue()[10:20]
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */1000")
    assert "attachment" in api.get(told["download_url"]).headers["Content-Disposition"]


def test_a_rating_sent_twice_is_stored_once(api: Client, grace: Listener, make_playlist: Callable[..., Playlist]):
    track, rating = first_track(make_playlist(grace)), uuid.uuid4()
    answers = [send(api, "PUT", f"ratings/{rating}", opinion(track)) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 200]
    assert answers[0].json() == {"track": track, "value": 1, "rated": 1, "needed": 3, "evolving": False}
    assert Rating.objects.get().seconds == 3.5


def test_never_again_is_a_dislike(api: Client, grace: Listener, make_playlist: Callable[..., Playlist]):
    track = first_track(make_playlist(grace))
    liked = send(api, "PUT", f"ratings/{uuid.uuid4()}", opinion(track, 1, never=True))
    assert (liked.status_code, liked.json()["field"]) == (400, "value")
    assert send(api, "PUT", f"ratings/{uuid.uuid4()}", opinion(track, -1, never=True)).status_code == 201
    assert api.get(f"/api/v1/tracks/{track}").json()["never"] is True


def test_an_id_that_was_used_for_another_track_is_refused(
    api: Client, grace: Listener, make_playlist: Callable[..., Playlist]
):
    places = list(make_playlist(grace).places.all())
    rating = uuid.uuid4()
    send(api, "PUT", f"ratings/{rating}", opinion(places[0].track_id))
    again = send(api, "PUT", f"ratings/{rating}", opinion(places[1].track_id))
    assert (again.status_code, again.json()["field"]) == (400, "id")


def test_a_batch_is_stored_whole_or_not_and_begins_the_next_round(
    api: Client, grace: Listener, make_playlist: Callable[..., Playlist], django_capture_on_commit_callbacks
):
    ids = [place.track_id for place in make_playlist(grace).places.all()]
    batch = [opinion(track, id=str(uuid.uuid4())) for track in ids]
    spoilt = [*batch, opinion(uuid.uuid4(), id=str(uuid.uuid4()))]
    assert send(api, "POST", "ratings", spoilt).status_code == 404
    assert not Rating.objects.exists()
    told = send(api, "POST", "ratings", batch)
    assert told.status_code == 201
    assert told.json() == {"received": 4, "stored": 4, "rated": 4, "needed": 3, "evolving": True}
    assert Round.objects.filter(run=grace.run, status=Round.Status.QUEUED).count() == 1
    assert send(api, "POST", "ratings", batch).status_code == 200
    assert Rating.objects.count() == 4


def test_hearings_are_stored_once(api: Client, grace: Listener, make_playlist: Callable[..., Playlist]):
    track = first_track(make_playlist(grace))
    heard = [{"id": str(uuid.uuid4()), "track": track, "ending": "skipped", "seconds": 4}]
    assert [send(api, "POST", "listens", heard).status_code for _ in range(2)] == [201, 200]
    assert Listen.objects.get().ending == "skipped"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"value": 1}, "track"),
        ({"track": "x", "value": 1}, "track"),
        (opinion(uuid.uuid4(), 2), "value"),
        (opinion(uuid.uuid4(), True), "value"),
        (opinion(uuid.uuid4(), given_at="0001-01-01T00:00:00+14:00"), "given_at"),
        (opinion(uuid.uuid4(), given_at="2026-01-01T00:00:00"), "given_at"),
        (opinion(uuid.uuid4(), given_at=5), "given_at"),
        (opinion(uuid.uuid4()) | {"seconds": 1e9}, "seconds"),
        (opinion(uuid.uuid4(), mood="sad"), "mood"),
        ([], None),
    ],
)
def test_a_rating_that_cannot_be_is_refused_by_the_name_of_its_field(api: Client, content: object, field: str | None):
    refused = send(api, "PUT", f"ratings/{uuid.uuid4()}", content)
    assert (refused.status_code, refused.json()["field"]) == (400, field)
    assert "Traceback" not in refused.json()["error"]


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff\xfe", b"", b'{"value": NaN}', b'{"a": "\\ud800"}'])
def test_a_body_that_is_no_json_of_ours_is_refused(api: Client, body: bytes):
    refused = api.generic("POST", "/api/v1/ratings", body, content_type="application/json")
    assert refused.status_code == 400
    assert refused.json().keys() == {"error", "field"}


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/", 404),
        ("GET", "/api/v1/playlists/nothing", 404),
        ("DELETE", "/api/v1/me", 405),
        ("GET", "/api/v1/playlists?page=0", 400),
        ("GET", "/api/v1/experiments", 403),
    ],
)
def test_every_fault_has_one_shape(api: Client, method: str, address: str, status: int):
    refused = api.generic(method, address)
    assert refused.status_code == status
    assert refused.json().keys() == {"error", "field"}
    assert refused.headers["Cache-Control"] == "no-store"


def test_a_body_too_large_is_refused(api: Client):
    refused = send(api, "POST", "ratings", ["x" * 3_000_000])
    assert refused.status_code == 413
    assert refused.json()["field"] is None
