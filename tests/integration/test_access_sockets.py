"""Every socket tried by everybody, from everywhere, with everything."""

from __future__ import annotations

import inspect
import json
import random
import re

import pytest
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.testing import WebsocketCommunicator

from evomusic_site import asgi
from listening.models import Rating
from tests.integration import access_world
from tests.integration.access_table import ROLES, SOCKETS

pytestmark = pytest.mark.django_db(transaction=True)

DOORS = {"connect", "disconnect", "receive", "receive_json"}
OWN = {"send_state", "tell", "tell_candidate", "run"}
"""What consumers call themselves; no event has such a name."""


def consumers() -> dict[str, type]:
    return {str(one.pattern): one.callback.consumer_class for one in asgi.sockets}


def opened(world, route: str, role: str, *, origin: bytes | None = b"http://localhost"):
    address = "/" + re.sub(r"<\w+:(\w+)>", lambda match: world.arguments[match[1]], route)
    headers = [(b"host", b"localhost"), *([(b"origin", origin)] if origin is not None else [])]
    if role in world.sessions:
        headers.append((b"cookie", f"sessionid={world.sessions[role]}".encode()))
    return WebsocketCommunicator(asgi.application, address, headers=headers)


async def met(one: WebsocketCommunicator) -> str:
    """ "in" when the socket stays open and tells its state, "closed" when it is closed for good."""
    if not (await one.connect(timeout=10))[0]:
        return "refused"
    first = await one.receive_output(timeout=10)
    if first["type"] == "websocket.close":
        return "closed" if first["code"] == 4401 else f"closed with {first['code']}"
    return "in" if json.loads(first["text"])["type"] == "state" else first["text"]


def test_every_socket_has_a_row_that_knows_its_events():
    there = consumers()
    assert {one.route for one in SOCKETS} == set(there), "say in tests/integration/access_table.py who may open it"
    for one in SOCKETS:
        named = inspect.getmembers(there[one.route], inspect.iscoroutinefunction)
        own = {name for name, _ in named if name not in dir(AsyncJsonWebsocketConsumer)} - DOORS - OWN
        assert own == one.told, f"say in tests/integration/access_table.py what {one.route} tells"


async def test_everybody_is_met_as_the_table_says_and_only_pages_of_this_site(make_playlist, redis_url):
    world = await database_sync_to_async(access_world.make)(make_playlist)
    for row in SOCKETS:
        for role in ROLES:
            one = opened(world, row.route, role)
            assert await met(one) == row.rule.of(role), f"{row.route} as {role}"
            await one.disconnect()
        inside = "owner" if row.rule.owner == "in" else "staff"
        for origin in (b"http://evil.example", b"http://localhost.evil.example", b"null", b"", b"\xff", None):
            one = opened(world, row.route, inside, origin=origin)
            assert await met(one) == "refused", f"{row.route} from {origin!r}"
            await one.disconnect()


async def test_what_is_said_to_a_socket_is_what_the_table_knows_and_about_one_s_own(make_playlist, redis_url):
    world = await database_sync_to_async(access_world.make)(make_playlist)
    for row in SOCKETS:
        one = opened(world, row.route, "owner" if row.rule.owner == "in" else "staff")
        assert await met(one) == "in"
        await one.send_json_to({"type": "?"})
        told = (await one.receive_json_from(timeout=10))["message"]
        expected = re.search(r"expected (.+), got", told)[1]
        assert set(re.findall(r"\w+", expected)) - {"or"} == row.said, "say in access_table.py what may be said to it"
        await one.disconnect()
    stranger = opened(world, "ws/listen/", "guest")
    await met(stranger)
    track = world.arguments["track_id"]
    common = {"id": "8b5a3c1e-0d7c-4f41-9a55-6f6f6c1f0a01", "track": track}
    for said in ({"type": "rate", "value": 1}, {"type": "listen", "ending": "left", "seconds": 3}):
        await stranger.send_json_to({**said, **common})
        assert await stranger.receive_json_from(timeout=10) == {"type": "error", "message": "There is no such track."}
    await stranger.disconnect()


def noise(luck: random.Random) -> str:
    """A message that is nothing, or nearly something."""
    values = [None, True, -1, 1e308, 10**400, "x" * 50, "\0", "\ud800", [], [[]] * 3, {}, {"type": "rate"}, "NaN"]
    keys = ["type", "id", "track", "value", "seconds", "given_at", "never", "ending"]
    made = {key: luck.choice(values) for key in luck.sample(keys, luck.randrange(1, 6))}
    made |= luck.choice([{}, {"type": "rate"}, {"type": "listen"}, {"type": "pulse"}, {"type": ["rate"]}])
    text = json.dumps(made)
    return luck.choice([text, text[: luck.randrange(len(text))], "[" * 2000, text.replace("null", "NaN"), "1" * 5000])


async def test_noise_is_answered_and_the_socket_stays(make_playlist, redis_url):
    world = await database_sync_to_async(access_world.make)(make_playlist)
    luck = random.Random(6)
    for row in SOCKETS:
        one = opened(world, row.route, "owner" if row.rule.owner == "in" else "staff")
        assert await met(one) == "in"
        for message in [noise(luck) for _ in range(60)] + ["x" * 200_000]:
            await one.send_to(text_data=message)
            answer = await one.receive_json_from(timeout=10)
            assert answer["type"] in ("error", "state", "pulse"), message[:200]
            assert "Traceback" not in answer.get("message", "")
        await one.send_to(bytes_data=bytes(1000))
        assert (await one.receive_json_from(timeout=10))["type"] == "error"
        await one.disconnect()
    assert not await database_sync_to_async(Rating.objects.exists)()
