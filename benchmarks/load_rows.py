"""Listeners with playlists, as rows in bulk, with real sound files: what months of rounds would have left.

Runs inside Django, whose services are up and whose tables are made.
"""

from __future__ import annotations

import math
import random
import uuid
from datetime import timedelta
from io import BytesIO
from typing import Any

import numpy as np
import soundfile
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.utils import timezone

from evolution import runs
from evolution.models import Evaluation, Recording, Round, Run
from listening.models import Listener, Playlist, PlaylistTrack, Rating, Track, User

TRACK_SECONDS, SAMPLE_RATE = 12.0, 44_100
TRACKS = 8
RECORDINGS = 24
"""Sound files; tracks of many listeners share one, as tracks of one genome do."""
PEAKS = 200


@transaction.atomic
def make(*, listeners: int, playlists: int, seed: int) -> list[dict[str, Any]]:
    """Guests with so many playlists of TRACKS tracks each; all but the newest playlist are rated.

    Gives of each: listener (its id), session (a cookie's value), playlist (the newest one's id), tracks (their ids).
    """
    rng = random.Random(seed)
    recordings = _recordings(rng)
    people = _listeners(listeners, rng)
    newest: dict[int, Playlist] = {}
    tracks: dict[int, list[Track]] = {}
    for number in range(1, playlists + 1):
        newest, tracks = _playlists(people, recordings, number, rng, rated=number < playlists)
    sessions = _sessions(people)
    return [
        {
            "listener": one.pk,
            "session": session,
            "playlist": str(newest[one.pk].pk),
            "tracks": [str(track.pk) for track in tracks[one.pk]],
        }
        for one, session in zip(people, sessions, strict=True)
    ]


def settle() -> None:
    """Tell PostgreSQL's planner what is there, as its own worker would within a minute."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _recordings(rng: random.Random) -> list[Recording]:
    found = []
    for _ in range(RECORDINGS):
        key = f"{rng.getrandbits(256):064x}"
        evaluation = Evaluation(key=key, embedding=b"\0" * 16, layers=2, dim=2, artefacts=[0.0] * 5)
        peaks = [round(rng.random(), 3) for _ in range(PEAKS)]
        one = Recording(key=key, evaluation=evaluation, seconds=TRACK_SECONDS, loudness=-16.0, peaks=peaks)
        one.file.save(f"{key}.mp3", ContentFile(_sound(rng)), save=False)
        found.append(one)
    Evaluation.objects.bulk_create([one.evaluation for one in found])
    return Recording.objects.bulk_create(found)


def _sound(rng: random.Random) -> bytes:
    """Chords over noise in stereo, as MP3: about as large as a track of the service."""
    noise = np.random.default_rng(rng.getrandbits(32))
    time = np.arange(int(TRACK_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    tones = sum(0.1 * np.sin(2 * math.pi * rng.uniform(80, 2000) * time) for _ in range(6))
    samples = np.stack([tones, tones], axis=1) + noise.normal(0, 0.05, (len(time), 2))  # [samples, 2]
    written = BytesIO()
    soundfile.write(written, samples.clip(-1, 1), SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")
    return written.getvalue()


def _listeners(count: int, rng: random.Random) -> list[Listener]:
    people = [User(username=f"guest-{rng.getrandbits(64):016x}") for _ in range(count)]
    for user in people:
        user.set_unusable_password()
    experiment = runs.experiment(name="listening", configuration=settings.LISTENING_CONFIGURATION)
    made = Run.objects.bulk_create([Run(experiment=experiment, seed=rng.getrandbits(62)) for _ in range(count)])
    User.objects.bulk_create(people)
    return Listener.objects.bulk_create(
        [Listener(user=user, run=run, is_guest=True) for user, run in zip(people, made, strict=True)]
    )


def _playlists(
    people: list[Listener], recordings: list[Recording], number: int, rng: random.Random, *, rated: bool
) -> tuple[dict[int, Playlist], dict[int, list[Track]]]:
    """The playlist of that number of everybody, and its tracks, by listener."""
    ended = timezone.now() - timedelta(days=1)
    done = {"number": number, "status": Round.Status.DONE, "generations_planned": 3}
    rounds = Round.objects.bulk_create(
        [Round(run_id=one.run_id, started_at=ended, finished_at=ended, **done) for one in people]
    )
    Round.objects.update(requested_at=ended)  # they count for no quota of this hour
    playlists = Playlist.objects.bulk_create(
        [Playlist(listener=one, round=round_, number=number) for one, round_ in zip(people, rounds, strict=True)]
    )
    tracks = {one.pk: [_track(one, rng.choice(recordings), position) for position in range(TRACKS)] for one in people}
    Track.objects.bulk_create([track for some in tracks.values() for track in some])
    places = [
        PlaylistTrack(playlist=playlist, track=track, position=position, predicted=0.1, uncertainty=0.2)
        for playlist in playlists
        for position, track in enumerate(tracks[playlist.listener_id])
    ]
    PlaylistTrack.objects.bulk_create(places)
    if rated:
        everything = [track for some in tracks.values() for track in some]
        Rating.objects.bulk_create([_rating(track, rng) for track in everything])
    return {one.listener_id: one for one in playlists}, tracks


def _track(listener: Listener, recording: Recording, position: int) -> Track:
    title, prompt = f"Song {position}", "calm jazz with piano, slow and warm, in a small room"
    return Track(listener=listener, recording=recording, title=title, prompt=prompt, embedding=[1.0, 0.0])


def _rating(track: Track, rng: random.Random) -> Rating:
    given = {"value": rng.choice((-1, 1)), "seconds": TRACK_SECONDS, "given_at": timezone.now() - timedelta(days=1)}
    return Rating(id=uuid.UUID(int=rng.getrandbits(128)), listener=track.listener, track=track, **given)


def _sessions(people: list[Listener]) -> list[str]:
    """The session of each, as a login would have left it."""
    store, until = SessionStore(), timezone.now() + timedelta(days=1)
    rows = []
    for one in people:
        assert one.user is not None
        content = {
            SESSION_KEY: str(one.user_id),
            BACKEND_SESSION_KEY: "listening.recognition.WithListener",
            HASH_SESSION_KEY: one.user.get_session_auth_hash(),
        }
        key = uuid.uuid4().hex
        rows.append(Session(session_key=key, session_data=store.encode(content), expire_date=until))
    Session.objects.bulk_create(rows)
    return [one.session_key for one in rows]
