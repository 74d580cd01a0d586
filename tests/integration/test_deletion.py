from __future__ import annotations

import logging
import threading
import time
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from psycopg import sql

from evolution.models import Evaluation, Experiment, Recording, Round, Run
from listening import account_views, consumers, deletion, feedback, listeners, sharing, tasks
from listening.models import Duet, Listen, Listener, Playlist, Rating, Track, User
from tests.integration import everything
from tests.integration.everything import NAME, PASSWORD

pytestmark = pytest.mark.django_db


def browser(listener):
    client = Client()
    client.force_login(listener.user)
    return client


def files(media):
    return sorted(path.name for path in (media / "recordings").glob("*"))


def tables():
    with connection.cursor() as cursor:
        return connection.introspection.table_names(cursor)


def saying(text):
    """Every table with a row that has the text in any column."""
    found = []
    with connection.cursor() as cursor:
        for table in tables():
            every = sql.SQL("SELECT 1 FROM {} AS r WHERE r::text ILIKE %s LIMIT 1").format(sql.Identifier(table))
            cursor.execute(every, [f"%{text}%"])
            if cursor.fetchone():
                found.append(table)
    return found


def pointing(model, key):
    """Every table with a row that refers to this one, or names it as the admin's log does."""
    found = []
    for other in apps.get_models(include_auto_created=True):
        for column in other._meta.concrete_fields:
            leads = column.is_relation and column.related_model is model
            if leads and other._default_manager.filter(**{column.name: key}).exists():
                found.append(f"{other._meta.label}.{column.name}")
    return found


def committed(capture):
    """Do what the deletion does once it is committed."""
    return capture(execute=True)


def test_no_row_and_no_file_of_somebody_is_left(zeb, filled, media, django_capture_on_commit_callbacks):
    Experiment.objects.filter(pk=zeb.run.experiment_id).update(author=NAME)
    browser(zeb)
    Client().post("/login/", {"username": NAME, "password": "a loud river"})
    assert apps.get_model("axes.AccessAttempt").objects.filter(username=NAME).exists()
    assert len(files(media)) == 4
    assert saying(NAME)
    keys = {User: zeb.user_id, Listener: zeb.pk, Run: zeb.run_id, Playlist: filled.pk}
    tracks = list(filled.places.values_list("track", flat=True))
    with committed(django_capture_on_commit_callbacks):
        assert deletion.delete([zeb.user_id]) == 1
    assert saying(NAME) == []
    assert saying("zeb@example.org") == []
    for model, key in keys.items():
        assert not model.objects.filter(pk=key).exists()
        assert pointing(model, key) == []
    assert [saying(str(track)) for track in tracks] == [[]] * 4
    assert not Session.objects.exists()
    assert files(media) == []
    assert not Recording.objects.exists()
    assert not Evaluation.objects.exists()


def test_nothing_of_anybody_else_is_touched(
    zeb, filled, other_listener, make_playlist, django_capture_on_commit_callbacks
):
    theirs = make_playlist(other_listener)
    there = browser(other_listener)
    own = everything.token(other_listener)
    with committed(django_capture_on_commit_callbacks):
        deletion.delete([zeb.user_id])
    assert there.get(f"/playlists/{theirs.pk}/").status_code == 200
    first = theirs.places.get(position=0).track
    assert there.get(f"/tracks/{first.pk}/audio").status_code == 200
    own.refresh_from_db()


def test_music_that_somebody_else_has_stays_until_they_go_too(
    zeb, filled, other_listener, make_playlist, media, django_capture_on_commit_callbacks
):
    shared = filled.places.get(position=0).track.recording
    theirs = make_playlist(other_listener, tracks=1).places.get().track
    Track.objects.filter(pk=theirs.pk).update(recording=shared)
    name = shared.file.name.split("/")[-1]
    with committed(django_capture_on_commit_callbacks):
        deletion.delete([zeb.user_id])
    assert name in files(media)
    assert browser(other_listener).get(f"/tracks/{theirs.pk}/audio").status_code == 200
    with committed(django_capture_on_commit_callbacks):
        deletion.delete([other_listener.user_id])
    assert name not in files(media)


def test_the_partner_of_a_duet_keeps_its_playlists_without_a_name(
    zeb, filled, other_listener, make_playlist, django_capture_on_commit_callbacks
):
    duet = Duet.objects.get()
    theirs = make_playlist(other_listener)
    Playlist.objects.filter(pk=theirs.pk).update(duet=duet)
    music = filled.places.get(position=0).track
    kept = theirs.places.get(position=0).track
    Track.objects.filter(pk=kept.pk).update(candidate=music.candidate)
    assert f"with {NAME}" in browser(other_listener).get(f"/playlists/{theirs.pk}/").content.decode()
    with committed(django_capture_on_commit_callbacks):
        deletion.delete([zeb.user_id])
    page = browser(other_listener).get(f"/playlists/{theirs.pk}/")
    assert page.status_code == 200
    assert NAME not in page.content.decode()
    assert browser(other_listener).get("/duets/").status_code == 200
    kept.refresh_from_db()
    assert kept.candidate is None


def test_shared_links_die_with_the_account(zeb, filled, django_capture_on_commit_callbacks):
    address = sharing.path(sharing.of(zeb).get())
    assert Client().get(f"{address}1/audio").status_code == 200
    with committed(django_capture_on_commit_callbacks):
        deletion.delete([zeb.user_id])
    assert Client().get(address).status_code == 404
    assert Client().get(f"{address}1/audio").status_code == 404


def test_deleting_twice_is_fine(zeb, filled, django_capture_on_commit_callbacks):
    with committed(django_capture_on_commit_callbacks):
        assert deletion.delete([zeb.user_id]) == 1
        assert deletion.delete([zeb.user_id, 987654]) == 0


def test_an_account_goes_by_its_password_alone(zeb, filled, django_capture_on_commit_callbacks):
    client = browser(zeb)
    explained = client.get("/account/delete/").content.decode()
    assert "What goes" in explained
    wrong = client.post("/account/delete/", {"password": "a loud river"})
    assert wrong.status_code == 400
    assert "Nothing was deleted" in wrong.content.decode()
    assert User.objects.filter(pk=zeb.user_id).exists()
    with committed(django_capture_on_commit_callbacks):
        gone = client.post("/account/delete/", {"password": PASSWORD})
    assert gone.status_code == 200
    assert "storage" in gone.headers["Clear-Site-Data"]
    assert not User.objects.filter(pk=zeb.user_id).exists()
    assert client.get("/account/").status_code == 302
    assert client.session.get("_auth_user_id") is None


def test_a_guest_goes_by_a_word(listener, django_capture_on_commit_callbacks):
    client = browser(listener)
    assert client.post("/account/delete/", {"word": "keep"}).status_code == 400
    assert client.post("/account/delete/", {}).status_code == 400
    with committed(django_capture_on_commit_callbacks):
        assert client.post("/account/delete/", {"word": " Delete "}).status_code == 200
    assert not Listener.objects.filter(pk=listener.pk).exists()


def test_a_password_cannot_be_tried_for_ever(zeb, monkeypatch):
    monkeypatch.setattr(account_views, "MOST_TRIES", 2)
    client = browser(zeb)
    tries = [client.post("/account/delete/", {"password": word}).status_code for word in ("a", "b", PASSWORD)]
    assert tries == [400, 400, 429]
    assert User.objects.filter(pk=zeb.user_id).exists()


def test_a_foreign_page_deletes_nobody(listener):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(listener.user)
    assert strict.post("/account/delete/", {"word": "delete"}).status_code == 403
    assert Listener.objects.filter(pk=listener.pk).exists()


@pytest.mark.parametrize("way", ["action", "page"])
def test_staff_delete_somebody_as_thoroughly_and_the_admins_log_keeps_no_name(
    zeb, filled, media, way, django_capture_on_commit_callbacks, caplog
):
    root = Client()
    root.force_login(User.objects.create_superuser("root-of-it-all"))
    with committed(django_capture_on_commit_callbacks), caplog.at_level(logging.INFO):
        if way == "action":
            chosen = {"action": "delete_selected", "_selected_action": [zeb.user_id], "post": "yes"}
            answer = root.post("/admin/listening/user/", chosen)
        else:
            answer = root.post(f"/admin/listening/user/{zeb.user_id}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert saying(NAME) == []
    assert not Run.objects.filter(pk=zeb.run_id).exists()
    assert files(media) == []
    assert f"deletes users [{zeb.user_id}]" in caplog.text


def old(listener, days=40):
    past = timezone.now() - timedelta(days=days)
    Listener.objects.filter(pk=listener.pk).update(created_at=past)
    User.objects.filter(pk=listener.user_id).update(last_login=past, date_joined=past)
    Playlist.objects.filter(listener=listener).update(made_at=past)
    Round.objects.filter(run=listener.run_id).update(requested_at=past)


def test_guests_of_whom_nothing_was_heard_for_long_are_pruned_and_nobody_else(zeb, make_playlist, settings):
    idle, rating, hearing, fresh, coming = (listeners.make_guest() for _ in range(5))
    for one in (idle, rating, hearing, coming, zeb):
        make_playlist(one)
        old(one)
    said = {"seconds": 3.0, "given_at": timezone.now()}
    Rating.objects.create(id=uuid.uuid4(), listener=rating, track=rating.tracks.first(), value=1, **said)
    Listen.objects.create(id=uuid.uuid4(), listener=hearing, track=hearing.tracks.first(), ending="finished", **said)
    User.objects.filter(pk=coming.user_id).update(last_login=timezone.now())
    settings.GUESTS_KEPT_DAYS = 0
    tasks.prune_guests()
    assert Listener.objects.count() == 6
    settings.GUESTS_KEPT_DAYS = 30
    tasks.prune_guests()
    left = set(Listener.objects.values_list("pk", flat=True))
    assert left == {one.pk for one in (rating, hearing, fresh, coming, zeb)}


def test_a_night_prunes_a_bounded_number_of_guests(db):
    for _ in range(3):
        old(listeners.make_guest())
    assert deletion.prune_guests(idle=timedelta(days=30), most=2) == 2
    assert deletion.prune_guests(idle=timedelta(days=30), most=2) == 1


def test_recordings_that_nobody_has_are_swept_when_they_are_a_day_old(
    listener, make_playlist, media, django_capture_on_commit_callbacks
):
    made = make_playlist(listener, tracks=3)
    fresh, stray = (made.places.get(position=position).track for position in (0, 1))
    Recording.objects.filter(pk=stray.recording_id).update(created_at=timezone.now() - timedelta(days=2))
    Track.objects.filter(pk__in=[fresh.pk, stray.pk]).delete()
    with committed(django_capture_on_commit_callbacks):
        assert deletion.sweep() == 1
    assert len(files(media)) == 2
    assert not Recording.objects.filter(pk=stray.recording_id).exists()


@pytest.mark.django_db(transaction=True)
async def test_an_open_socket_is_closed(redis_url):
    listener = await sync_to_async(listeners.make_guest)()
    socket = WebsocketCommunicator(consumers.ListeningConsumer.as_asgi(), "/ws/listen/")
    socket.scope["user"] = listener.user
    assert (await socket.connect())[0]
    await socket.receive_json_from(timeout=5)
    await sync_to_async(deletion.delete)([listener.user_id])
    closed = await socket.receive_output(timeout=5)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4401)


def test_somebody_can_go_while_their_round_runs(workers, media, settings):
    settings.LISTENING_CONFIGURATION = {
        "user_model": {"best_solutions": 3, "train_conf": {"learner": "bayes"}},
        "evolution": {"duration": 1.0, "best_duration": 1.0, "search": {"population_size": 12}},
    }
    listener, watched = listeners.make_guest(), listeners.make_guest()
    round_ = feedback.evolve(listener=listener)
    assert _until(lambda: Round.objects.get(pk=round_.pk).status != Round.Status.QUEUED)
    assert deletion.delete([listener.user_id]) == 1
    other = feedback.evolve(listener=watched)
    assert _until(lambda: Round.objects.get(pk=other.pk).status == Round.Status.DONE)
    assert not Run.objects.filter(pk=listener.run_id).exists()
    assert pointing(Listener, listener.pk) == []
    assert set(Track.objects.values_list("listener", flat=True)) == {watched.pk}
    rest = set(Recording.objects.values_list("pk", flat=True)) - set(Track.objects.values_list("recording", flat=True))
    Recording.objects.filter(pk__in=rest).update(created_at=timezone.now() - timedelta(days=2))
    assert deletion.sweep() == len(rest)
    assert len(files(media)) == Track.objects.values("recording").distinct().count()


def test_two_who_delete_the_same_person_at_once_are_both_answered(transactional_db, make_playlist):
    listener = listeners.make_guest()
    make_playlist(listener)
    counts = []

    def leave():
        counts.append(deletion.delete([listener.user_id]))
        connections.close_all()

    threads = [threading.Thread(target=leave) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 1]
    assert not Track.objects.exists()


def _until(holds, *, seconds=60.0):
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if holds():
            return True
        time.sleep(0.05)
    return False
