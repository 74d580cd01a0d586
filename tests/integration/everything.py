"""A person of whom every table holds something: rows as the loop writes them, and small files."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from evolution.models import Candidate, Generation, PlayerTime
from listening import duets, sharing
from listening.models import Duet, Listen, Listener, Playlist, Rating, TasteEdit, TasteReport, TasteSnapshot, Track

NAME = "zebedee-quillfeather"
PASSWORD = "a quiet river"


def fill(listener: Listener, playlist: Playlist, partner: Listener) -> None:
    """Write a row of every kind that hangs on the listener, whose playlist has at least two tracks."""
    now, round_ = timezone.now(), playlist.round
    assert round_ is not None
    assert listener.user is not None
    generation = Generation.objects.create(round=round_, number=1, best=0, mean=0, median=0, worst=0, seconds=1.0)
    tracks = list(Track.objects.filter(place__playlist=playlist).order_by("place__position"))
    for position, track in enumerate(tracks):
        track.candidate = Candidate.objects.create(
            generation=generation,
            position=position,
            prompt=track.prompt,
            genome=track.prompt,
            seed=position,
            evaluation=track.recording.evaluation,
            fitness=0.5,
            likeness=0.5,
            artefacts=0.0,
        )
        track.save(update_fields=["candidate"])
    PlayerTime.objects.create(run=listener.run, alike="a" * 64, played=4, seconds=1.0)
    TasteSnapshot.objects.create(
        listener=listener,
        round=round_,
        learner="bayes",
        embedding=[1.0, 0.0],
        state=b"\x01\x02",
        ratings=1,
        seconds=0.1,
        created_at=now,
    )
    for value, track in zip((1, -1), tracks, strict=False):
        said = {"id": uuid.uuid4(), "listener": listener, "track": track, "seconds": 3.0, "given_at": now}
        Rating.objects.create(value=value, **said)
        Listen.objects.create(ending=Listen.Ending.FINISHED, **{**said, "id": uuid.uuid4()})
    TasteEdit.objects.create(listener=listener, concept="genre jazz", kind=TasteEdit.Kind.LEAN, wanted=0.5)
    TasteReport.objects.create(listener=listener, content={"beliefs": []}, made_at=now)
    duet = duets.join(listener=partner, invitation=duets.token(duets.make(host=listener)))
    Duet.objects.filter(pk=duet.pk).update(fairness=0.25)
    sharing.of_playlist(listener=listener, playlist_id=playlist.pk, wish=sharing.Wish(signed_by="Zeb"))
    kind = ContentType.objects.get_for_model(Track)
    LogEntry.objects.create(
        user=listener.user, content_type=kind, object_id="1", object_repr="a track", action_flag=CHANGE
    )
    token(listener)


def token(listener: Listener) -> Any:
    """A token of the programs' interface."""
    return apps.get_model("public_api.Token").objects.create(
        user=listener.user,
        name="my script",
        key=uuid.uuid4().hex[:12],
        digest="d" * 64,
        scopes=["listen"],
        expires_at=timezone.now() + timedelta(days=1),
    )
