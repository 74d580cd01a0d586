"""Metrics and the status page: who may read them, what they tell, and what they cost."""

from __future__ import annotations

import logging
import re
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from evolution import playing, serving, tasks, waiting
from evolution.models import Evaluation, Generation, Round
from evolution.takes import Instruments
from evomusic_site import figures, log_context, logs, measuring, metrics, standing, task_hooks
from evomusic_site.celery import app
from listening.models import Rating, TasteSnapshot
from models_store import devices

TOKEN = "a token of the tests alone"


@pytest.fixture(autouse=True)
def no_figures_of_before():
    figures._LATEST.clear()
    yield
    figures._LATEST.clear()


@pytest.fixture
def token(settings):
    settings.METRICS_TOKEN = TOKEN


def samples(text):
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def scrape(client, token, db):
    def ask():
        figures._LATEST.clear()
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        return samples(answer.content.decode())

    return ask


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


# workers


SEEN: list[dict] = []


@app.task(name="tests.look")
def look(subject):
    SEEN.append(log_context.current())


@pytest.mark.django_db(transaction=True)
def test_a_task_is_timed_counted_and_knows_on_whose_behalf_it_was_sent(workers):
    def ended():
        return metrics.REGISTRY.get_sample_value("evomusic_tasks_total", {"task": "tests.look", "outcome": "done"}) or 0

    SEEN.clear()
    before = ended()
    with log_context.knowing({"run": 3, "round": 7, "listener": 5, "request": "abc", "chunk": "not carried"}):
        look.apply_async([1], queue="gpu")
    give_up = timezone.now() + timedelta(seconds=20)
    while ended() == before and timezone.now() < give_up:
        pass
    assert ended() == before + 1
    assert SEEN[0] == {"run": 3, "round": 7, "listener": 5, "request": "abc", "task": SEEN[0]["task"]}
    assert log_context.current() == {}


@pytest.mark.django_db
def test_a_round_of_a_conductor_logs_its_run_and_listener(listener):
    round_ = Round.objects.create(run=listener.run, number=1, generations_planned=1)
    told = task_hooks._subject("listening.tasks.run_round", (round_.pk,))
    assert told == {"round": round_.pk, "run": listener.run_id, "listener": listener.pk}
    assert task_hooks._subject("listening.tasks.run_round", (0,)) == {"round": 0}


def chunk_for(listener, *, items=3):
    made = waiting.chunk(
        "evaluations",
        [{"key": f"{number:064d}", "genome": "calm jazz with piano", "seed": number} for number in range(items)],
        seconds=1.0,
        instruments=Instruments(),
        reply="replies:test",
        run=listener.run_id,
    )
    waiting.add([made])
    return made


@pytest.mark.django_db
def test_chunks_that_wait_are_told_until_they_are_played(scrape, listener):
    before = scrape()
    chunk_for(listener)
    after = scrape()
    assert after["evomusic_chunks", "waiting"] - before["evomusic_chunks", "waiting"] == 1
    assert after["evomusic_chunk_candidates",] - before["evomusic_chunk_candidates",] == 3


@pytest.mark.django_db
def test_a_player_counts_what_it_played_and_logs_for_which_run(listener, monkeypatch):
    def count(name):
        return metrics.REGISTRY.get_sample_value(name, {"kind": "evaluations"}) or 0

    made, seen = chunk_for(listener), []
    evaluate = playing.evaluate

    def heard(*given):
        seen.append(log_context.current())
        evaluate(*given)

    monkeypatch.setitem(serving._KINDS, "evaluations", (Evaluation, heard))
    before = count("evomusic_played_total"), count("evomusic_chunk_seconds_count")
    tasks.play_waiting.apply()
    after = count("evomusic_played_total"), count("evomusic_chunk_seconds_count")
    assert (after[0] - before[0], after[1] - before[1]) == (3, 1)
    assert (seen[0]["run"], seen[0]["chunk"]) == (listener.run_id, str(made.pk)[:8])
    assert log_context.current() == {}
    tasks.play_waiting.apply()
    assert count("evomusic_chunk_seconds_count") == after[1], "nothing waited"


@pytest.mark.django_db
def test_memory_that_runs_out_is_counted():
    def count():
        return metrics.REGISTRY.get_sample_value("evomusic_events_total", {"event": "out_of_memory"})

    def work(part):
        if part.stop - part.start > 1:
            raise MemoryError
        return part.start

    logger, handler = logging.getLogger("models_store.devices"), logs.Counting()
    logger.addHandler(handler)
    handled_twice = 2 if any(isinstance(one, logs.Counting) for one in logging.root.handlers) else 1
    try:
        before = count()
        assert devices.in_parts(work, 2, at_once=2) == [0, 1]
        assert count() == before + handled_twice
    finally:
        logger.removeHandler(handler)


@pytest.mark.django_db
def test_rounds_generations_and_tastes_are_timed_when_they_are_stored(listener):
    def count(name, **labels):
        return metrics.REGISTRY.get_sample_value(name, labels) or 0

    names = ("evomusic_generation_seconds_sum", "evomusic_learn_seconds_sum")
    before = [count(name) for name in names], count("evomusic_round_seconds_count", outcome="done")
    round_ = Round.objects.create(run=listener.run, number=1, generations_planned=1)
    fitness = {"best": 0.5, "mean": 0.4, "median": 0.4, "worst": 0.1}
    Generation.objects.create(round=round_, number=1, seconds=2.5, **fitness)
    now = timezone.now()
    TasteSnapshot.objects.create(
        listener=listener, round=round_, learner="bayes", embedding=[1.0, 0.0], ratings=3, seconds=0.25, created_at=now
    )
    assert count("evomusic_round_seconds_count", outcome="done") == before[1]
    round_.status, round_.finished_at = Round.Status.DONE, now
    round_.save()
    after = [count(name) for name in names], count("evomusic_round_seconds_count", outcome="done")
    assert [b - a for a, b in zip(before[0], after[0], strict=True)] == pytest.approx([2.5, 0.25])
    assert after[1] == before[1] + 1


# the status page


@pytest.mark.django_db
def test_the_status_page_is_for_staff(client, listener):
    assert client.get("/laboratory/status/").status_code == 302
    client.force_login(listener.user)
    assert client.get("/laboratory/status/").status_code == 404


@pytest.mark.django_db
def test_the_page_shows_rounds_and_why_one_failed_and_holds_no_script(staff, listener):
    now = timezone.now()
    Round.objects.create(
        run=listener.run,
        number=1,
        generations_planned=1,
        status="failed",
        finished_at=now,
        message="The model is <gone>.",
    )
    Round.objects.create(run=listener.run, number=2, generations_planned=3, status="evolving", started_at=now)
    page = staff.get("/laboratory/status/").content.decode()
    assert "The model is &lt;gone&gt;." in page
    assert "0 of 3" in page
    assert "One round failed in the last hour." in page
    assert 'href="/laboratory/status/" aria-current="page"' in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert " style=" not in page
    part = staff.get("/laboratory/status/?part").content.decode()
    assert "<html" not in part
    assert "The model is &lt;gone&gt;." in part
    assert listener.user.get_username() not in page


@pytest.mark.django_db
def test_the_page_says_when_the_database_is_away(staff, monkeypatch):
    def lost():
        raise figures.DATABASE_LOST[0]("gone")

    monkeypatch.setattr(standing, "read", lost)
    answer = staff.get("/laboratory/status/")
    assert answer.status_code == 503
    assert "The database does not answer." in answer.content.decode()


@pytest.mark.django_db
def test_the_page_says_when_the_broker_is_away_and_nobody_works(staff, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    page = staff.get("/laboratory/status/").content.decode()
    assert "The broker (Redis) does not answer" in page
    assert "No conductor is up" in page
    assert "No player is up" in page
