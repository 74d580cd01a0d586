from __future__ import annotations

import csv
import io
import json
import re
import zipfile

import pytest
from django.apps import apps
from django.test import Client

from evolution.models import Candidate, Run
from listening import belongings, pace, personal_export
from listening.belongings import BELONGINGS, LEFT_OUT
from listening.models import Listener, Rating, Track, User
from tests.integration import everything

pytestmark = pytest.mark.django_db

SECRET = re.compile(r"password|secret|digest|session|signature")


def archive(listener, **how):
    return zipfile.ZipFile(io.BytesIO(b"".join(personal_export.archive(listener, **how))))


def rows(found, label):
    return json.loads(found.read(f"rows/{label}.json"))


def hanging():
    """Every table that hangs on a person: with a column that leads to a user, a listener, a run, or to one of these."""
    found = {User, Listener, Run}
    while True:
        more = {
            model
            for model in apps.get_models(include_auto_created=True)
            if model not in found and not model._meta.proxy
            for column in model._meta.concrete_fields
            if column.is_relation and column.related_model in found
        }
        if not more:
            return {model._meta.label for model in found}
        found |= more


def test_every_table_that_hangs_on_a_person_is_handed_out_or_left_out_with_a_reason():
    known = {belonging.label for belonging in BELONGINGS} | set(LEFT_OUT)
    assert hanging() - known == set()
    assert all(LEFT_OUT.values())


def test_every_table_that_is_named_is_there():
    missing = [label for label in [one.label for one in BELONGINGS] + list(LEFT_OUT) if not exists(label)]
    assert missing == []


def exists(label):
    app, name = label.split(".")
    return name.lower() in apps.get_app_config(app).models


def test_of_somebody_of_whom_there_is_everything_every_file_says_something(zeb, filled):
    found = archive(zeb)
    assert found.testzip() is None
    assert [one.label for one in BELONGINGS if not rows(found, one.label)] == []
    assert "everything that is kept about you" in found.read("README.txt").decode().lower()


def test_a_row_says_all_its_columns_but_those_that_are_kept_back(zeb, filled):
    found = archive(zeb)
    for belonging in BELONGINGS:
        columns = {column.attname for column in belonging.model._meta.concrete_fields}
        told = set(rows(found, belonging.label)[0])
        assert columns - told == set(belonging.without), belonging.label
        assert told - columns == set(belonging.more), belonging.label


def test_no_secret_is_handed_out(zeb, filled):
    client = Client()
    client.force_login(zeb.user)
    found = archive(zeb)
    columns = [name for one in BELONGINGS for name in belongings.columns(one)]
    assert [name for name in columns if SECRET.search(name)] == []
    secrets = [zeb.user.password, "d" * 64, client.session.session_key]
    whole = "".join(found.read(name).decode() for name in found.namelist())
    assert [secret for secret in secrets if secret in whole] == []


def test_nothing_of_somebody_else_is_handed_out(zeb, filled, other_listener, make_playlist):
    strangers = make_playlist(other_listener)
    everything.fill(other_listener, strangers, zeb)
    music = Candidate.objects.filter(generation__round__run=other_listener.run).first()
    control = filled.places.get(position=3).track
    Track.objects.filter(pk=control.pk).update(candidate=music)
    found = archive(zeb)
    whole = "".join(found.read(name).decode() for name in found.namelist())
    keys = [other_listener.user.username, str(music.pk), str(strangers.pk)]
    keys += [str(key) for key in Rating.objects.filter(listener=other_listener).values_list("pk", flat=True)]
    assert [key for key in keys if key in whole] == []
    assert sorted(duet["side"] for duet in rows(found, "listening.Duet")) == ["guest", "host"]
    assert all("host_id" not in duet for duet in rows(found, "listening.Duet"))
    told = {row["id"]: row["own_candidate"] for row in rows(found, "listening.Track")}
    assert told[str(control.pk)] is None
    assert sum(candidate is not None for candidate in told.values()) == 3


def test_the_ratings_are_a_table(zeb, filled):
    track = filled.places.get(position=0).track
    Track.objects.filter(pk=track.pk).update(prompt='=HYPERLINK("x"), "calm"\njazz')
    table = list(csv.DictReader(io.StringIO(archive(zeb).read("ratings.csv").decode(), newline="")))
    assert sorted((row["title"], row["value"], row["playlist"]) for row in table) == [
        ("Song 0", "1", "1"),
        ("Song 1", "-1", "1"),
    ]
    first = next(row for row in table if row["track"] == str(track.pk))
    assert first["prompt"] == '\'=HYPERLINK("x"), "calm"\njazz'


def test_the_music_comes_along_where_it_is_wanted_and_what_storage_lost_is_passed_over(zeb, filled):
    assert [name for name in archive(zeb).namelist() if name.startswith("music/")] == []
    lost, kept = (filled.places.get(position=position).track.recording for position in (1, 2))
    lost.file.storage.delete(lost.file.name)
    found = archive(zeb, music=True)
    music = [name for name in found.namelist() if name.startswith("music/")]
    assert music == ["music/0001-01 song-0.mp3", "music/0001-03 song-2.mp3", "music/0001-04 song-3.mp3"]
    with kept.file.open("rb") as file:
        assert found.read(music[1]) == file.read()


def test_many_rows_come_whole_and_each_once(zeb, filled, monkeypatch):
    monkeypatch.setattr(belongings, "_AT_ONCE", 2)
    told = [row["id"] for row in rows(archive(zeb), "listening.Track")]
    assert sorted(told) == sorted(map(str, Track.objects.filter(listener=zeb).values_list("pk", flat=True)))
    assert len(told) == 4


def test_a_new_guest_has_an_export_too(listener):
    found = archive(listener, music=True)
    assert rows(found, "listening.Rating") == []
    assert rows(found, "listening.Listener")[0]["id"] == listener.pk


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")  # the test's client is a synchronous one
def test_the_accounts_page_gives_the_file(zeb, filled):
    client = Client()
    client.force_login(zeb.user)
    assert "Take everything along" in client.get("/account/").content.decode()
    answer = client.post("/account/export/", {"music": "on"})
    assert answer.headers["Content-Type"] == "application/zip"
    assert re.fullmatch(r'attachment; filename="evomusic-[\d-]+\.zip"', answer.headers["Content-Disposition"])
    found = zipfile.ZipFile(io.BytesIO(b"".join(answer)))
    assert len([name for name in found.namelist() if name.startswith("music/")]) == 4


def test_an_export_is_asked_for_by_its_listener_and_not_by_a_link(zeb):
    assert Client().post("/account/export/").status_code == 302
    client = Client()
    client.force_login(zeb.user)
    assert client.get("/account/export/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(zeb.user)
    assert strict.post("/account/export/").status_code == 403


def test_exports_of_one_listener_are_bounded(zeb, monkeypatch):
    monkeypatch.setattr(personal_export, "MOST_AN_HOUR", 2)
    client = Client()
    client.force_login(zeb.user)
    answers = [client.post("/account/export/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, pace.TOO_MANY]
