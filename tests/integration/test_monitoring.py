"""Metrics: who may read them, what they tell of the service and of a web process, and what they cost."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evolution.models import Generation, Round
from evomusic_site import figures, log_context, measuring, metrics, standing
from listening.models import Rating
from tests.integration.scraping import TOKEN, scraped


@pytest.fixture(autouse=True)
def no_figures_of_before():
    figures._LATEST.clear()
    yield
    figures._LATEST.clear()


@pytest.fixture
def token(settings):
    settings.METRICS_TOKEN = TOKEN


@pytest.fixture
def scrape(client, settings, db):
    settings.METRICS_TOKEN = TOKEN
    return lambda: scraped(client)


def rate(playlist, value, *, never=False):
    now = timezone.now()
    track = playlist.places.first().track
    Rating.objects.create(
        id=uuid.uuid4(), listener=playlist.listener, track=track, value=value, never=never, seconds=3.0, given_at=now
    )


# who may read the metrics


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}é", TOKEN])
def test_without_the_token_there_are_no_metrics(client, token, header):
    assert client.get("/metrics", headers={"Authorization": header} if header else {}).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["Bearer ", "Bearer None", ""])
def test_where_no_token_is_set_none_fits(client, settings, header):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 404


@pytest.mark.django_db
def test_a_listener_finds_no_metrics_and_staff_do(client, listener, staff):
    assert staff.get("/metrics").status_code == 200
    client.force_login(listener.user)
    assert client.get("/metrics").status_code == 404


@pytest.mark.django_db
def test_metrics_are_only_read(staff):
    assert staff.post("/metrics").status_code == 405


# what they tell


@pytest.mark.django_db
def test_ratings_rounds_and_listeners_change_what_is_told(scrape, listener, make_playlist):
    before = scrape()
    assert before["evomusic_up", "database"] == before["evomusic_up", "broker"] == 1
    playlist = make_playlist(listener)
    for value, never in ((1, False), (-1, False), (-1, True), (0, False)):
        rate(playlist, value, never=never)
    waiting = Round.objects.create(run=listener.run, number=2, generations_planned=3)
    Round.objects.filter(pk=waiting.pk).update(requested_at=timezone.now() - timedelta(seconds=90))
    after = scrape()
    for kind in figures.RATINGS:
        assert after["evomusic_ratings_total", kind] - before["evomusic_ratings_total", kind] == 1
    assert after["evomusic_playlists",] - before["evomusic_playlists",] == 1
    assert after["evomusic_rounds", "queued"] - before["evomusic_rounds", "queued"] == 1
    assert 90 <= after["evomusic_oldest_pending_round_seconds",] < 120
    assert after["evomusic_listeners_active", "5m"] == after["evomusic_listeners_active", "1d"] == 1


@pytest.mark.django_db
def test_what_was_played_and_what_failed_is_told(scrape, listener):
    now = timezone.now()
    ended = {"run": listener.run, "generations_planned": 1, "status": Round.Status.FAILED}
    failed = Round.objects.create(**ended, number=1, finished_at=now)
    Round.objects.create(**ended, number=2, finished_at=now - timedelta(hours=2))
    fitness = {"best": 0.5, "mean": 0.4, "median": 0.4, "worst": 0.1}
    Generation.objects.create(round=failed, number=1, seconds=2.0, player_seconds=5.0, played=20, **fitness)
    told = scrape()
    assert told["evomusic_rounds", "failed"] == 2
    assert told["evomusic_rounds_failed_in_an_hour",] == 1
    assert told["evomusic_evaluations_total",] / told["evomusic_player_seconds_total",] == 4


@pytest.mark.django_db
def test_every_answer_is_counted_under_its_view_and_under_nothing_that_was_sent(scrape, client, listener):
    client.force_login(listener.user)
    before = scrape()
    answer = client.get("/playlists/")
    client.get(f"/playlists/{uuid.uuid4()}/")
    client.get("/no/such/place-of-somebody")
    after = scrape()

    def more(view, status):
        key = ("evomusic_http_requests_total", *sorted((view, status)))
        return after.get(key, 0) - before.get(key, 0)

    assert more("listening:history", "2xx") == 1
    assert more("listening:playlist", "4xx") == 1
    assert more("none", "4xx") == 1
    assert not [key for key in after if "place-of-somebody" in str(key)]
    assert re.fullmatch(r"[0-9a-f]{12}", answer.headers["X-Request-ID"])


@pytest.mark.django_db
def test_a_request_keeps_the_id_that_a_proxy_gave_if_it_is_a_plain_word(client):
    assert client.get("/", headers={"X-Request-ID": "proxy-0001"}).headers["X-Request-ID"] == "proxy-0001"
    given = "a b; DROP\x1b[2J"
    assert client.get("/", headers={"X-Request-ID": given}).headers["X-Request-ID"] != given


@pytest.mark.django_db
def test_a_view_logs_whose_request_it_is(client, listener, monkeypatch):
    client.force_login(listener.user)
    seen = []
    monkeypatch.setattr("listening.selectors.history", lambda *_: seen.append(log_context.current()) or 1 / 0)
    client.raise_request_exception = False
    client.get("/playlists/")
    assert seen[0]["listener"] == listener.pk
    assert seen[0]["user"] == listener.user_id
    assert len(str(seen[0]["request"])) == 12


@pytest.mark.django_db
def test_reading_costs_few_queries_and_a_second_reader_none(listener, make_playlist):
    make_playlist(listener)
    with CaptureQueriesContext(connection) as asked:
        figures.latest()
    assert len(asked) <= 15
    with CaptureQueriesContext(connection) as again:
        figures.latest()
    assert len(again) == 0
    with CaptureQueriesContext(connection) as page:
        standing.read()
    assert len(page) <= 6


@pytest.mark.django_db
def test_a_database_and_a_broker_that_are_away_are_told(scrape, monkeypatch, settings):
    def lost(*_):
        raise figures.DATABASE_LOST[0]("gone")

    monkeypatch.setattr(figures, "_rounds", lost)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    told = scrape()
    assert told["evomusic_up", "database"] == told["evomusic_up", "broker"] == 0
    assert not [key for key in told if key[0] in ("evomusic_rounds", "evomusic_queue_messages")]


# sockets


async def _echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
    await send(
        {"type": "websocket.send", "text": str(metrics.REGISTRY.get_sample_value("evomusic_sockets_open", KIND))}
    )
    await receive()


KIND = {"kind": "laboratory"}


def test_sockets_are_counted_while_they_are_open():
    def count(name, **labels):
        return metrics.REGISTRY.get_sample_value(name, {**KIND, **labels}) or 0

    async def talk():
        socket = WebsocketCommunicator(measuring.Sockets(_echo), "/ws/laboratory/runs/1/")
        await socket.connect()
        await socket.send_to(text_data="hello")
        during = float(await socket.receive_from())
        await socket.disconnect()
        return during

    before = count("evomusic_sockets_open"), count("evomusic_socket_messages_total", direction="received")
    assert async_to_sync(talk)() == before[0] + 1
    after = count("evomusic_sockets_open"), count("evomusic_socket_messages_total", direction="received")
    assert after == (before[0], before[1] + 1)
