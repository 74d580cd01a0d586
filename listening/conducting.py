"""The conductor's rounds, and what follows them: a synthetic listener rates the playlist, and the next round begins."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.db.models import Exists, OuterRef
from django.utils import timezone

from evolution import generations, runs, tracking
from evolution.models import Generation, Round, Run
from listening import feedback, profiles, rounds, trials
from listening.feedback import Opinion
from listening.models import Listener, Playlist, TasteSnapshot, Track
from models_store import seeding
from models_store.taste.synthetic import SyntheticListener

_NAMESPACE = uuid.UUID("8c0f7f4e-62c2-4d0c-9a55-0d5c3f0e8f11")
"""Ratings of synthetic listeners have names that follow from run and track: rating twice stores once."""


def conduct(round_id: int, *, on_generation: Callable[[Generation], None] | None = None) -> None:
    """One round and, of a run that goes on by itself, what comes after it: ratings, then the next round."""
    rounds.run(round_id, on_generation=on_generation)
    after(round_id)


def serve(round_id: int) -> None:
    """The service's way to conduct a round: what the configuration asks to be tracked is."""
    round_ = Round.objects.select_related("run__experiment").filter(pk=round_id).first()
    if round_ is None:
        return
    with tracking.of(round_.run) as tracker:
        conduct(round_id, on_generation=tracker.generation)
        learned = TasteSnapshot.objects.filter(round=round_, round__status=Round.Status.DONE).first()
        if learned is not None:
            tracker.figures(round_.number, learned.figures)


def after(round_id: int) -> None:
    """Go on after a round that has ended, if its run goes on by itself."""
    round_ = Round.objects.select_related("run__experiment").filter(pk=round_id).first()
    if round_ is None or round_.run.rounds_planned is None:
        return
    if round_.status == Round.Status.FAILED:
        runs.fail(round_.run, round_.message)
        return
    listener = Listener.objects.select_related("run__experiment").filter(run=round_.run).first()
    if round_.status != Round.Status.DONE or listener is None or listener.reference_user is None:
        return
    rate(listener, Playlist.objects.get(round=round_))
    trials.proceed(round_.run, after=round_.number)


def resume_stranded() -> None:
    """Go on with runs whose conductor died between two rounds."""
    pending = Round.objects.filter(run=OuterRef("pk"), status__in=Round.PENDING)
    stranded = Run.objects.filter(
        status=Run.Status.RUNNING, conductor=Run.Conductor.SERVICE, rounds_planned__isnull=False
    ).exclude(Exists(pending))
    for run in stranded:
        last = run.rounds.order_by("-number").first()
        if last is None:
            trials.proceed(run)
        else:
            after(last.pk)


def rate(listener: Listener, playlist: Playlist, *, noise: float = 0.0) -> list[int]:
    """What the synthetic listener says of a playlist, stored: 1 or -1 per track, in playing order."""
    judge = SyntheticListener(profiles.reference(listener), noise=noise)
    tracks = list(
        Track.objects.filter(place__playlist=playlist)
        .select_related("recording__evaluation")
        .order_by("place__position")
    )
    embeddings = generations.heard([track.recording.evaluation for track in tracks]).embeddings
    ratings = judge.rate(embeddings, seed=seeding.derive(listener.run.seed, "rating", playlist.number)).tolist()
    for track, value in zip(tracks, ratings, strict=True):
        opinion = Opinion(
            id=uuid.uuid5(_NAMESPACE, f"{listener.run_id}:{track.pk}"),
            track=track.pk,
            value=int(value),
            seconds=track.recording.seconds,
            given_at=timezone.now(),
        )
        feedback.record(listener=listener, opinion=opinion)
    return [int(value) for value in ratings]
