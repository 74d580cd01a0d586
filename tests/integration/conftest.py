"""Real PostgreSQL and Redis, embedded, in a folder of this test run; real workers where a test asks for them."""

from __future__ import annotations

import random
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from evolution.models import Evaluation, Experiment, Recording, Round
from evomusic_site import services, settings
from evomusic_site.celery import app
from laboratory import experiments
from listening import listeners
from listening.models import Listener, Playlist, PlaylistTrack, Track, User
from tests.integration import everything, in_process, panel


@pytest.fixture(scope="session")
def state_folder() -> Iterator[Path]:
    """Not pytest's own folder: another pytest may close that to the user that PostgreSQL runs as under root."""
    with tempfile.TemporaryDirectory(prefix="evomusic-tests-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        connections["default"].close_pool()
        services.stop(Path(folder))


@pytest.fixture(scope="session")
def redis_url(state_folder: Path) -> str:
    return services.start_redis(state_folder / "redis")


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The whole server goes when the run is over: nothing has to be dropped before."""
    return True


@pytest.fixture(scope="session")
def django_db_modify_db_settings(state_folder: Path, redis_url: str) -> None:
    """Before the test database is made: start the servers and point Django, Channels and Celery at them."""
    from channels.layers import channel_layers
    from django.conf import settings as django_settings

    address = services.start_postgresql(state_folder / "postgresql")
    connections["default"].settings_dict.update(settings._database(address))
    django_settings.REDIS_URL = redis_url
    django_settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0]["address"] = redis_url
    channel_layers.backends.clear()
    app.conf.broker_url = redis_url.replace("unix://", "redis+socket://")


@pytest.fixture(autouse=True)
def media(tmp_path: Path, settings: object) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"  # type: ignore[attr-defined]
    return tmp_path / "media"


@pytest.fixture
def listener(db: None) -> Listener:
    return listeners.make_guest()


@pytest.fixture
def other_listener(db: None) -> Listener:
    return listeners.make_guest()


@pytest.fixture
def make_playlist(media: Path) -> Callable[..., Playlist]:
    """A playlist that is there without having been evolved: rows as the loop writes them, and small files."""

    def make(listener: Listener, *, number: int = 1, tracks: int = 4) -> Playlist:
        round_ = Round.objects.create(
            run=listener.run, number=number, status=Round.Status.DONE, generations_planned=1, finished_at=timezone.now()
        )
        playlist = Playlist.objects.create(listener=listener, round=round_, number=number)
        for position in range(tracks):
            _make_track(playlist, position)
        return playlist

    return make


@pytest.fixture
def zeb(db: None, settings: object) -> Listener:
    """An account with a name and an address that stand nowhere else."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]  # soon done
    password = everything.PASSWORD
    return listeners.attach(User.objects.create_user(everything.NAME, email="zeb@example.org", password=password))


@pytest.fixture
def filled(zeb: Listener, other_listener: Listener, make_playlist: Callable[..., Playlist]) -> Playlist:
    """A playlist of zeb, of whom every table holds something."""
    made = make_playlist(zeb)
    everything.fill(zeb, made, other_listener)
    return made


def _make_track(playlist: Playlist, position: int) -> None:
    from django.core.files.base import ContentFile

    key = uuid.uuid4().hex * 2
    evaluation = Evaluation.objects.create(key=key, embedding=b"\0" * 16, layers=2, dim=2, artefacts=[0.0] * 5)
    recording = Recording(key=key, evaluation=evaluation, seconds=12.0, loudness=-16.0, peaks=[0.5] * 200)
    recording.file.save(f"{key}.mp3", ContentFile(random.Random(position).randbytes(1000)), save=False)
    recording.save(force_insert=True)
    track = Track.objects.create(
        listener=playlist.listener,
        recording=recording,
        title=f"Song {position}",
        prompt="calm jazz with piano, slow",
        embedding=[1.0, 0.0],
    )
    PlaylistTrack.objects.create(playlist=playlist, track=track, position=position, predicted=0.1, uncertainty=0.2)


@pytest.fixture
def workers(transactional_db: None, redis_url: str) -> Iterator[None]:
    """A conductor and a player in one: a real Celery worker on both queues, in threads of this process."""
    import redis

    from evolution import presence

    with redis.Redis.from_url(redis_url) as broker:
        broker.flushall()
    with (
        in_process.worker("rounds", "gpu"),
        presence.present("conductor"),
        presence.present("player"),
    ):
        yield


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_user("ada", is_staff=True))
    return client


@pytest.fixture
def made() -> Experiment:
    return experiments.create(panel.SMALL, author="ada")
