"""A bucket that does not answer, refuses or is not there: said clearly to both, and nothing is lost."""

from __future__ import annotations

import errno
import logging

import pytest
import requests
from botocore.exceptions import ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from benchmarks.running import free_port
from evolution import evaluation, keeping, waiting
from evolution.evaluation import PlayingError
from evolution.keeping import KeepingError
from evolution.models import Recording, Round
from evolution.takes import Instruments, Take
from evomusic_site import bucket, outages
from evomusic_site import media as where_recordings_are
from listening import deletion, feedback
from listening.models import Listener, Playlist, Track
from tests.integration import buckets, in_process
from tests.integration.test_failures import SMALL

NOWHERE = "no-such-bucket-of-a-test"


@pytest.fixture(scope="module")
def endpoint():
    with buckets.served() as address:
        buckets.make(address)
        yield address


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch):
    monkeypatch.setattr(where_recordings_are, "ATTEMPTS", 1)


@pytest.fixture
def use(settings, monkeypatch):
    return lambda endpoint, **told: buckets.use(endpoint, settings, monkeypatch, **told)


@pytest.fixture
def silent():
    """The address of a service that is not there."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def guarded(endpoint):
    """A service that asks for keys that it knows, and knows none."""
    requests.post(f"{endpoint}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    yield endpoint
    requests.post(f"{endpoint}/moto-api/reset-auth", data=b"inf", timeout=10).raise_for_status()


def _refused(action):
    with pytest.raises(KeepingError) as caught:
        action()
    assert buckets.ACCESS_KEY not in str(caught.value)
    assert buckets.SECRET_KEY not in str(caught.value)
    return str(caught.value)


def _each(name):
    return {
        "save": lambda: default_storage.save(name, ContentFile(b"music")),
        "read": lambda: default_storage.open(name).read(),
        "delete": lambda: default_storage.delete(name),
        "exists": lambda: default_storage.exists(name),
        "size": lambda: default_storage.size(name),
        "listdir": lambda: default_storage.listdir("recordings"),
    }


@pytest.mark.parametrize("what", list(_each("")))
def test_a_bucket_that_does_not_answer_is_named_whatever_is_asked_of_it(use, silent, what):
    use(silent.replace("http://", "http://me:hidden@"))
    told = _refused(_each("recordings/any.bin")[what])
    host = silent.removeprefix("http://")
    assert told.endswith(f"the bucket {buckets.BUCKET} at {host} does not answer (EndpointConnectionError)")
    assert "hidden" not in told


def test_keys_that_are_not_known_are_told_so(use, guarded):
    use(guarded)
    told = _refused(_each("recordings/any.bin")["save"])
    assert f"the bucket {buckets.BUCKET} at" in told
    assert told.endswith("refuses PutObject: InvalidAccessKeyId, the access key is not known there")
    assert _refused(_each("recordings/any.bin")["size"]).endswith("HeadObject: 403, the keys do not allow it")


def test_a_bucket_that_is_not_there_is_told_so(use, endpoint):
    use(endpoint, bucket=NOWHERE)
    told = _refused(_each("recordings/any.bin")["save"])
    assert told.endswith("refuses PutObject: NoSuchBucket, there is no bucket of this name")
    assert NOWHERE in told


@pytest.mark.parametrize(("code", "status"), [("XMinioStorageFull", 507), ("QuotaExceeded", 403)])
def test_a_bucket_without_room_is_a_full_disk(code, status):
    answered = {"Error": {"Code": code, "Message": "full"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    told = bucket.failure(ClientError(answered, "PutObject"), "any.mp3", bucket="music", endpoint=None)
    assert told.errno == errno.ENOSPC
    assert told.errno in keeping.NO_ROOM
    assert not isinstance(told, KeepingError)
    assert "the bucket music has no room left" in str(told)


@pytest.mark.django_db(transaction=True)
def test_a_listener_is_told_of_a_bucket_that_fails_and_gets_the_playlist_when_it_takes_music_again(
    workers, listener, settings, caplog, use, endpoint, silent
):
    settings.LISTENING_CONFIGURATION = SMALL
    use(silent)
    with caplog.at_level(logging.ERROR, logger="evolution.serving"):
        failed = in_process.ended(feedback.evolve(listener=listener), seconds=40)
    assert failed.status == Round.Status.FAILED
    assert waiting.NOT_KEPT in failed.message
    lines = [record.getMessage() for record in caplog.records if record.name == "evolution.serving"]
    assert lines
    assert all("does not answer" in line and buckets.BUCKET in line for line in lines)
    assert buckets.SECRET_KEY not in caplog.text
    assert not Recording.objects.exists()
    made = failed.generations.count()

    use(endpoint)
    again = in_process.ended(feedback.evolve(listener=listener), seconds=40)
    assert (again.pk, again.status) == (failed.pk, Round.Status.DONE)
    assert again.generations.count() == made  # nothing that was evolved was lost
    track = Playlist.objects.get(listener=listener).places.first().track
    assert len(track.recording.file.open("rb").read()) > 2000


@pytest.mark.django_db(transaction=True)
def test_a_folder_that_cannot_be_written_is_told_like_a_bucket_that_refuses(workers, media, caplog):
    media.write_text("a file where the folder was")
    take, instruments = Take("calm jazz with piano", 1, 1.0), Instruments()
    with caplog.at_level(logging.ERROR, logger="evolution.serving"), pytest.raises(PlayingError) as refused:
        evaluation.record([take], instruments)
    assert str(refused.value) == waiting.NOT_KEPT
    assert "cannot be written" in caplog.text
    media.unlink()
    evaluation.record([take], instruments)
    assert Recording.objects.count() == 1


@pytest.mark.django_db
def test_a_listener_hears_why_nothing_plays_and_hears_it_when_the_bucket_is_back(
    client, listener, make_playlist, use, endpoint, silent
):
    use(endpoint)
    track = make_playlist(listener, tracks=1).places.get().track
    client.force_login(listener.user)
    client.raise_request_exception = False
    use(silent)
    answer = client.get(f"/tracks/{track.pk}/audio")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert outages.NOT_KEPT in answer.content.decode()
    use(endpoint)
    assert len(client.get(f"/tracks/{track.pk}/audio").content) == 1000


@pytest.mark.django_db(transaction=True)
def test_a_bucket_that_fails_keeps_nobody_from_deleting_what_is_theirs(
    listener, make_playlist, use, endpoint, silent, caplog
):
    use(endpoint)
    name = make_playlist(listener, tracks=1).places.get().track.recording.file.name
    use(silent)
    deletion.delete([listener.user_id])
    assert not Listener.objects.filter(pk=listener.pk).exists()
    assert not Track.objects.exists()
    assert f"{name} could not be deleted: delete it by hand" in caplog.text
    assert "does not answer" in caplog.text
