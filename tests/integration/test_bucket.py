from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from environs import EnvError

from evomusic_site import environment
from listening.models import Track
from tests.integration import buckets
from tests.integration.buckets import BUCKET


@pytest.fixture(scope="module")
def endpoint():
    with buckets.served() as address:
        yield address


@pytest.fixture
def requests_sent(endpoint, settings, monkeypatch):
    """Recordings go to the bucket inside a test; every request for one is written down."""
    buckets.make(endpoint)
    buckets.use(endpoint, settings, monkeypatch)
    sent = []
    client = default_storage.connection.meta.client
    client.meta.events.register("before-send.s3", lambda request, **_: sent.append((request.method, request.headers)))
    return sent


@pytest.fixture
def track(db, requests_sent, listener, make_playlist):
    return Track.objects.get(pk=make_playlist(listener, tracks=1).places.first().track_id)


@pytest.fixture
def get(client, listener, track):
    client.force_login(listener.user)
    return lambda range_=None: client.get(f"/tracks/{track.pk}/audio", headers={"Range": range_} if range_ else {})


def test_a_recording_is_in_the_bucket_and_nowhere_else(track, endpoint, media):
    stored = buckets.client(endpoint).get_object(Bucket=BUCKET, Key=f"music/{track.recording.file.name}")["Body"].read()
    assert len(stored) == 1000
    assert not list(media.rglob("*.mp3"))


def test_a_listener_hears_the_whole_file_from_the_bucket(get, track):
    answer = get()
    assert answer.status_code == 200
    assert answer.content == track.recording.file.open("rb").read()
    assert len(answer.content) == 1000


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-99", 0, 99), ("bytes=100-", 100, 999), ("bytes=-50", 950, 999), ("bytes=990-5000", 990, 999)],
)
def test_a_part_is_fetched_from_the_bucket_without_the_rest(get, track, requests_sent, asked, start, end):
    whole = track.recording.file.open("rb").read()
    requests_sent.clear()
    answer = get(asked)
    assert (answer.status_code, answer["Content-Range"]) == (206, f"bytes {start}-{end}/1000")
    assert answer.content == whole[start : end + 1]
    ranges = [headers.get("Range") for method, headers in requests_sent if method == "GET"]
    assert [_text(one) for one in ranges] == [f"bytes={start}-{end}"]


def _text(value):
    return value.decode() if isinstance(value, bytes) else value


def test_a_range_outside_of_what_the_bucket_has_cannot_be_had(get):
    assert get("bytes=1000-").status_code == 416


def test_the_bucket_is_no_way_round_the_owner(client, other_listener, track):
    client.force_login(other_listener.user)
    assert client.get(f"/tracks/{track.pk}/audio").status_code == 404


def test_a_file_of_the_bucket_is_read_like_any_other(requests_sent, db):
    content = bytes(range(256)) * 10
    name = default_storage.save("recordings/any.bin", ContentFile(content))
    with default_storage.open(name) as file:
        assert b"".join(file.chunks(1000)) == content
        assert file.size == len(content)
        file.seek(-6, 2)
        assert (file.read(4), file.tell(), file.read(), file.read(1)) == (content[-6:-2], 2558, content[-2:], b"")


def test_what_is_not_in_the_bucket_is_a_missing_file(requests_sent):
    with pytest.raises(FileNotFoundError, match=r"recordings/none\.mp3"):
        default_storage.open("recordings/none.mp3").read()


def test_writing_a_recording_again_keeps_its_name(requests_sent):
    names = [default_storage.save("recordings/twice.bin", ContentFile(b"same")) for _ in range(2)]
    assert names == ["recordings/twice.bin"] * 2


def test_half_a_pair_of_keys_is_refused(monkeypatch):
    monkeypatch.setenv("EVOMUSIC_S3_BUCKET", BUCKET)
    monkeypatch.setenv("EVOMUSIC_S3_ACCESS_KEY", "somebody")
    monkeypatch.delenv("EVOMUSIC_S3_SECRET_KEY", raising=False)
    with pytest.raises(EnvError, match="EVOMUSIC_S3_SECRET_KEY"):
        environment.read()


def test_the_environment_never_shows_the_keys(requests_sent):
    shown = repr(environment.read().s3)
    assert BUCKET in shown
    assert "never printed" not in shown
    assert "somebody" not in shown
