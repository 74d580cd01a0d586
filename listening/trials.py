"""Runs that go on by themselves, with synthetic listeners: begin, resume, proceed. Imports no torch."""

from __future__ import annotations

from django.db import transaction

from evolution import runs
from evolution.models import Experiment, Round, Run
from listening import listeners, queue
from listening.models import Listener


@transaction.atomic
def begin(
    experiment: Experiment,
    *,
    reference_user: int,
    seed: int,
    conductor: str = Run.Conductor.SERVICE,
) -> Listener:
    """A synthetic listener with a run of its own, as many rounds as the configuration's `epochs`."""
    listener = listeners.make_synthetic(
        reference_user=reference_user,
        seed=seed,
        experiment=experiment,
        conductor=conductor,
        rounds=int(experiment.configuration["epochs"]),
    )
    if conductor == Run.Conductor.SERVICE:
        transaction.on_commit(lambda: proceed(listener.run))
    return listener


@transaction.atomic
def resume(run: Run) -> bool:
    """Let a run that rests, was stopped or failed go on where it was; False when there is nothing to resume."""
    if not runs.resume(run):
        return False
    latest = run.rounds.order_by("-number").first()
    if run.conductor == Run.Conductor.SERVICE and latest is not None and latest.status != Round.Status.DONE:
        round_, _ = runs.request_round(run.pk)
        transaction.on_commit(lambda: queue.enqueue(round_.pk))
    return True  # between two rounds the next one is asked for by `conducting.resume_stranded`


def proceed(run: Run, *, after: int = 0) -> None:
    """Ask for the round that follows number `after`, or note that the run is over. Any number of times."""
    run.refresh_from_db()
    if run.status != Run.Status.RUNNING or run.rounds_planned is None:
        return
    if after >= run.rounds_planned:
        runs.finish(run)
        return
    round_, is_new = runs.request_round(run.pk, after=after)
    if is_new and run.conductor == Run.Conductor.SERVICE:
        queue.enqueue(round_.pk)
