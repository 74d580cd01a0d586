from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def track(listener, make_playlist):
    return make_playlist(listener).places.first().track


@pytest.fixture
def get(client, listener, track):
    client.force_login(listener.user)

    def ask(range_=None, address="audio"):
        headers = {"Range": range_} if range_ else {}
        return client.get(f"/tracks/{track.pk}/{address}", headers=headers)

    return ask


def content(track):
    with track.recording.file.open("rb") as file:
        return file.read()


def test_the_whole_file_without_a_range(get, track):
    answer = get()
    assert answer.status_code == 200
    assert answer.content == content(track)
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["Content-Type"] == "audio/mpeg"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, 999),
        ("bytes=-50", 950, 999),
        ("bytes=990-5000", 990, 999),
        ("bytes=-5000", 0, 999),
        ("bytes=999-999", 999, 999),
    ],
)
def test_a_range_is_answered_with_that_part(get, track, asked, start, end):
    answer = get(asked)
    assert answer.status_code == 206
    assert answer.content == content(track)[start : end + 1]
    assert answer["Content-Range"] == f"bytes {start}-{end}/1000"


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5000-6000", "bytes=50-10", "bytes=-0"])
def test_a_range_outside_the_file_cannot_be_had(get, asked):
    answer = get(asked)
    assert answer.status_code == 416
    assert answer["Content-Range"] == "bytes */1000"


@pytest.mark.parametrize(
    "asked", ["bytes=", "bytes=-", "seconds=1-2", "bytes=a-b", "bytes=0-1,5-6", "bytes=" + "9" * 5000 + "-"]
)
def test_a_range_that_is_not_understood_gets_the_whole_file(get, asked):
    assert get(asked).status_code == 200


def test_a_download_has_a_name(get):
    answer = get(address="download")
    assert answer["Content-Disposition"] == 'attachment; filename="song-0.mp3"'


def test_a_track_is_for_its_listener_alone(client, other_listener, track):
    assert client.get(f"/tracks/{track.pk}/audio").status_code == 302
    client.force_login(other_listener.user)
    assert client.get(f"/tracks/{track.pk}/audio").status_code == 404
