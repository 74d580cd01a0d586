from __future__ import annotations

import uuid

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator

from evolution.models import Round
from evomusic_site.asgi import application
from listening import events, listeners
from listening.models import Rating

pytestmark = pytest.mark.django_db(transaction=True)

HEADERS = [(b"origin", b"http://localhost"), (b"host", b"localhost")]


@database_sync_to_async
def logged_in():
    from django.test import Client

    listener = listeners.make_guest()
    client = Client()
    client.force_login(listener.user)
    return listener, client.cookies["sessionid"].value


def socket(session="", headers=HEADERS):
    cookie = [(b"cookie", f"sessionid={session}".encode())] if session else []
    return WebsocketCommunicator(application, "/ws/listen/", headers=[*headers, *cookie])


async def connected():
    listener, session = await logged_in()
    one = socket(session)
    assert (await one.connect())[0]
    assert (await one.receive_json_from())["type"] == "state"
    return listener, one


async def test_a_listener_is_told_the_state_at_once():
    _, one = await connected()
    await one.send_json_to({"type": "state"})
    answer = await one.receive_json_from()
    assert answer == {"type": "state", "round": None, "playlist": None, "rated": 0, "needed": 0}
    await one.disconnect()


async def test_a_playlist_reaches_its_listener_and_nobody_else(make_playlist):
    listener, mine = await connected()
    _, theirs = await connected()
    playlist = await database_sync_to_async(make_playlist)(listener)
    await database_sync_to_async(events.playlist_ready)(listener, playlist)
    got = await mine.receive_json_from()
    assert (got["type"], got["playlist"]["id"]) == ("playlist.ready", str(playlist.pk))
    assert await theirs.receive_nothing()
    await mine.disconnect()
    await theirs.disconnect()


async def test_progress_reaches_the_page():
    listener, one = await connected()
    round_ = await database_sync_to_async(Round.objects.create)(run=listener.run, number=1, generations_planned=3)
    await database_sync_to_async(events.progress)(listener, round_, seconds_left=4.0)
    got = await one.receive_json_from()
    assert got["round"]["generations"] == 3
    assert got["round"]["seconds_left"] == 4.0
    await one.disconnect()


async def test_a_rating_can_come_through_the_socket(make_playlist):
    listener, one = await connected()
    playlist = await database_sync_to_async(make_playlist)(listener)
    place = await database_sync_to_async(playlist.places.first)()
    await one.send_json_to({"type": "rate", "id": str(uuid.uuid4()), "track": str(place.track_id), "value": 1})
    assert (await one.receive_json_from())["type"] == "rating.stored"
    assert await database_sync_to_async(Rating.objects.count)() == 1
    await one.disconnect()


@pytest.mark.parametrize(
    "message",
    [" ", "{", "[]", "5", '{"type": "dance"}', "{}", '{"type": "rate"}', '{"type": "rate", "value": 7}', "x" * 20_000],
)
async def test_a_malformed_message_gets_an_error_and_the_connection_stays(message):
    _, one = await connected()
    await one.send_to(text_data=message)
    answer = await one.receive_json_from()
    assert answer["type"] == "error"
    assert answer["message"]
    await one.send_to(bytes_data=b"\x00\xff")
    assert (await one.receive_json_from())["type"] == "error"
    await one.send_json_to({"type": "state"})
    assert (await one.receive_json_from())["type"] == "state"
    assert await database_sync_to_async(Rating.objects.count)() == 0
    await one.disconnect()


async def test_nobody_is_turned_away():
    one = socket()
    await one.connect()
    closed = await one.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4401)
    await one.disconnect()


async def test_another_site_s_page_cannot_open_a_socket():
    _, session = await logged_in()
    one = socket(session, headers=[(b"origin", b"http://evil.example"), (b"host", b"localhost")])
    assert not (await one.connect())[0]
    await one.disconnect()
