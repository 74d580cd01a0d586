"""Disk full, memory gone, a database that can only be read, clocks set wrong: said clearly, and nothing is lost."""

from __future__ import annotations

import errno
import os
import uuid
from datetime import timedelta

import django.db
import pytest
import torch
from celery.schedules import schedule
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.utils import timezone

from evolution import evaluation, runs, waiting
from evolution.evaluation import PlayingError
from evolution.models import PlayerTime, Recording, Round, WaitingChunk
from evolution.takes import Instruments, Take
from evomusic_site import demo, outages, schedules, services
from evomusic_site.celery import app
from listening import evidence, feedback, listeners, quotas, rounds, selectors
from listening.feedback import Opinion
from listening.models import Playlist, Rating, Track
from models_store import catalog
from tests.integration import in_process

pytestmark = pytest.mark.django_db(transaction=True)

SMALL = {
    "user_model": {"best_solutions": 3, "user_conf": {"init": "mean"}, "train_conf": {"lr": 0.1, "epochs": 5}},
    "evolution": {"generations": 1, "duration": 1.0, "best_duration": 1.0, "search": {"population_size": 6}},
}


@pytest.fixture(autouse=True)
def small(settings):
    settings.LISTENING_CONFIGURATION = SMALL


@pytest.fixture
def page(client, listener):
    """The listener's browser; failures are answered, as by a server."""
    client.force_login(listener.user)
    client.raise_request_exception = False
    return client


@pytest.fixture
def read_only():
    """A database in which this connection can write nothing."""
    _execute("SET default_transaction_read_only = on")
    yield
    _execute("SET default_transaction_read_only = off")


def _execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _rating(track):
    moment = timezone.now().isoformat()
    return {"id": str(uuid.uuid4()), "track": str(track.pk), "value": 1, "seconds": 4.0, "given_at": moment}


def _opinion(track, value, given_at):
    return Opinion(id=uuid.uuid4(), track=track.pk, value=value, seconds=1.0, given_at=given_at)


def test_a_rating_that_a_read_only_database_refuses_is_told_so_and_is_stored_when_sent_again(
    page, listener, make_playlist
):
    sent = _rating(make_playlist(listener).places.first().track)
    _execute("SET default_transaction_read_only = on")
    try:
        refused = page.post("/api/ratings/", sent, content_type="application/json")
        assert page.get("/api/state/").status_code == 200  # what is there can still be heard
    finally:
        _execute("SET default_transaction_read_only = off")
    assert refused.status_code == 503
    assert refused.json() == {"error": outages.READ_ONLY}
    assert refused.headers["Retry-After"] == "5"
    for status in (201, 200):
        assert page.post("/api/ratings/", sent, content_type="application/json").status_code == status
    assert [str(rating.pk) for rating in Rating.objects.all()] == [sent["id"]]


def test_a_page_that_needs_a_database_that_writes_says_why_it_cannot_be_shown(client, read_only):
    client.raise_request_exception = False
    answer = client.post("/start/")
    assert answer.status_code == 503
    assert outages.READ_ONLY in answer.content.decode()
    assert "A wrong note" not in answer.content.decode()


@pytest.mark.parametrize(
    ("cause", "told"), [("DiskFull", outages.FULL), ("AdminShutdown", outages.GONE), ("OperationalError", outages.GONE)]
)
def test_what_a_database_suffers_from_is_told_in_its_own_words(cause, told):
    import psycopg

    error = django.db.OperationalError("could not extend file")
    error.__cause__ = getattr(psycopg.errors, cause, psycopg.OperationalError)("could not extend file")
    assert outages.sentence(error) == told


def test_a_fault_of_ours_is_not_blamed_on_the_database(page, monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(selectors, "state", broken)
    assert page.get("/api/state/").status_code == 500


def test_a_service_on_a_read_only_database_is_not_ready_and_says_so(client):
    name = connection.settings_dict["NAME"]
    _execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        answer = client.get("/readyz")
    finally:
        _execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    assert answer.status_code == 503
    assert answer.json()["reason"] == "The database can only be read: nothing can be stored."
    assert client.get("/readyz").json()["reason"] == ""


def test_a_round_waits_for_a_database_that_can_only_be_read_and_is_finished_afterwards(workers):
    round_ = runs.request_round(listeners.make_synthetic(reference_user=0, seed=1).run_id)[0]
    _execute("SET default_transaction_read_only = on")
    try:
        with pytest.raises(django.db.InternalError, match="read-only"):
            rounds.run(round_.pk)
    finally:
        _execute("SET default_transaction_read_only = off")
    round_.refresh_from_db()
    assert round_.status in Round.PENDING
    rounds.run(round_.pk)
    assert in_process.ended(round_, seconds=40).status == Round.Status.DONE


def test_a_recording_for_which_the_disk_has_no_room_is_refused_leaves_no_half_and_can_be_made_later(workers, media):
    take, instruments = Take("calm jazz with piano", 1, 1.0), Instruments()
    file = media / "recordings" / f"{take.key(instruments)}.mp3"
    file.parent.mkdir(parents=True)
    file.symlink_to("/dev/full")  # the kernel answers every write to it: no space left on device
    with pytest.raises(PlayingError) as refused:
        evaluation.record([take], instruments)
    assert str(refused.value) == waiting.NO_ROOM
    assert not file.is_symlink()
    assert not Recording.objects.exists()
    assert not WaitingChunk.objects.exists()
    evaluation.record([take], instruments)
    assert file.stat().st_size > 2000


def test_a_listener_is_told_that_there_is_no_room_and_gets_the_playlist_when_there_is(workers, listener, monkeypatch):
    def full(storage, name, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(FileSystemStorage, "_save", full)
        failed = in_process.ended(feedback.evolve(listener=listener), seconds=40)
    assert failed.status == Round.Status.FAILED
    assert waiting.NO_ROOM in failed.message
    made = failed.generations.count()
    again = in_process.ended(feedback.evolve(listener=listener), seconds=40)
    assert again.pk == failed.pk
    assert again.status == Round.Status.DONE
    assert again.generations.count() == made  # nothing that was evolved was lost
    assert Playlist.objects.get(listener=listener).places.count() == 3


def test_a_player_whose_memory_runs_out_says_so_and_plays_on(workers, listener, monkeypatch):
    real = catalog.generator

    class Greedy:
        def __getattr__(self, name):
            return getattr(real("soundfont"), name)

        def generate(self, *_, **__):
            return torch.empty(2**58)  # a real allocation that fails

    with monkeypatch.context() as memory:
        memory.setattr(catalog, "generator", lambda *_, **__: Greedy())
        failed = in_process.ended(feedback.evolve(listener=listener), seconds=40)
    assert failed.status == Round.Status.FAILED
    assert waiting.NO_MEMORY in failed.message
    assert not WaitingChunk.objects.exists()
    assert in_process.ended(feedback.evolve(listener=listener), seconds=40).status == Round.Status.DONE


def test_what_was_played_before_the_clock_was_set_back_stops_no_player(workers, listener):
    run = listener.run
    PlayerTime.objects.create(run=run, kind="evaluations", alike="", played=1, seconds=1.0)
    PlayerTime.objects.update(at=timezone.now() + timedelta(days=30))
    assert len(evaluation.evaluate([Take("calm jazz with piano", 1, 1.0)], Instruments())) == 1


def test_what_was_asked_for_before_the_clock_was_set_back_counts_against_nobody(listener, settings):
    settings.GUEST_EVOLVES_PER_HOUR = 1
    first = runs.request_round(listener.run_id)[0]
    runs.enter(first, Round.Status.DONE)
    Round.objects.update(requested_at=timezone.now() + timedelta(days=3))
    second = runs.request_round(listener.run_id)[0]
    quotas.check(listener, second)
    Round.objects.filter(pk=first.pk).update(requested_at=timezone.now())
    with pytest.raises(quotas.QuotaError):
        quotas.check(listener, second)


def test_a_change_of_mind_counts_although_our_clock_was_set_back_since(listener, make_playlist):
    track = make_playlist(listener).places.first().track
    feedback.record(listener=listener, opinion=_opinion(track, 1, timezone.now()))
    ahead = timezone.now() + timedelta(hours=1)  # the clock was an hour ahead of now, as the listener's still is
    Rating.objects.update(given_at=ahead, stored_at=ahead)
    feedback.record(listener=listener, opinion=_opinion(track, -1, ahead + timedelta(minutes=1)))
    assert selectors.with_opinion(Track.objects.filter(pk=track.pk)).get().opinion == -1
    assert not Rating.objects.filter(given_at__gt=ahead + timedelta(seconds=1)).exists()


def test_what_was_said_before_the_clock_was_set_back_is_learned_from(listener, make_playlist):
    track = make_playlist(listener).places.first().track
    feedback.record(listener=listener, opinion=_opinion(track, 1, timezone.now()))
    Rating.objects.update(stored_at=timezone.now() + timedelta(hours=1))
    assert [one.pk for one in evidence.tracks(listener, until=evidence.moment(listener))] == [track.pk]


def test_the_beat_goes_on_after_the_clock_was_set_back():
    last = timezone.now() + timedelta(hours=1)
    assert schedules.Steady(3.0, app=app).is_due(last).is_due
    assert not schedule(3.0, app=app).is_due(last).is_due  # why it is needed
    assert not schedules.Steady(3.0, app=app).is_due(timezone.now()).is_due
    assert schedules.Steady(3.0, app=app).is_due(timezone.now() - timedelta(seconds=4)).is_due


def test_a_supervisor_goes_on_when_a_service_cannot_be_started_again(monkeypatch, tmp_path):
    def full(_):
        raise services.ServiceError("the embedded PostgreSQL did not start: No space left on device")

    monkeypatch.setattr(services, "revive", full)
    [said] = demo._revive(tmp_path)
    assert "No space left on device. It is tried again" in said


def test_a_connection_is_called_after_its_process():
    with connection.cursor() as cursor:
        cursor.execute("SHOW application_name")
        assert cursor.fetchone()[0].endswith(f" {os.getpid()}")
