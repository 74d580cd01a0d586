"""The conductor's rounds, and what follows them: a synthetic listener rates the playlist, and the next round begins."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext

from django.db.models import Exists, OuterRef
from django.utils import timezone

from evolution import generations, locks, runs, tracking
from evolution.models import Generation, Round, Run
from listening import feedback, profiles, rounds, trials
from listening.feedback import Opinion
from listening.models import Listener, Playlist, TasteSnapshot, Track
from models_store import seeding
from models_store.taste.synthetic import SyntheticListener

_NAMESPACE = uuid.UUID("8c0f7f4e-62c2-4d0c-9a55-0d5c3f0e8f11")
"""Ratings of synthetic listeners have names that follow from run and track: rating twice stores once."""


def conduct(
    round_id: int,
    *,
    on_generation: Callable[[Generation], None] | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> None:
    """One round and, of a run that goes on by itself, what comes after it: ratings, then the next round.

    on_generation: told every generation that is stored. on_wait: told what is being waited for when nothing moves.
    """
    rounds.run(round_id, watched_by=lambda _: nullcontext(on_generation or _nobody), on_wait=on_wait)
    after(round_id)


def serve(round_id: int) -> None:
    """The service's way to conduct a round: what the configuration asks to be tracked is.

    Runs that go on by themselves wait for a place, of which there are fewer than threads, so that people do not.
    """
    round_ = Round.objects.select_related("run__experiment").filter(pk=round_id).first()
    if round_ is None:
        return
    if round_.run.rounds_planned is None:
        rounds.run(round_id, watched_by=_tracked)
        return
    with _place() as there_is_one:
        if there_is_one:
            rounds.run(round_id, watched_by=_tracked)
            after(round_id)
    if there_is_one:  # whoever found no place is asked again; the beat would do it too, a little later
        rounds.resume_abandoned()


@contextmanager
def _place() -> Iterator[bool]:
    """Whether one of the places for runs that go on by themselves was free; it is kept inside the block."""
    with ExitStack() as stack:
        yield any(stack.enter_context(locks.claim(f"trial:{number}")) for number in range(rounds.most_trials()))


@contextmanager
def _tracked(round_: Round) -> Iterator[Callable[[Generation], None]]:
    """Whoever tracks the run is told what it does not know yet, every generation, and what was learned."""
    with tracking.of(round_.run) as tracker:
        tracker.catch_up()
        yield tracker.generation
        tracker.figures(round_.number, TasteSnapshot.objects.get(round=round_).figures)


def _nobody(_: Generation) -> None:
    """Nobody watches."""


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
