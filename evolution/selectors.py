"""Reads of the search's rows."""

from __future__ import annotations

from evolution.models import Candidate, Round, Run


def latest_round(run_id: int) -> Round | None:
    """The newest round of a run, with the run but for what only a search needs of it: that may be megabytes."""
    rounds = Round.objects.filter(run_id=run_id).select_related("run")
    return rounds.defer("run__searcher_state", "run__first_prompts").order_by("-number").first()


def pending_rounds(*, begun_only: bool = False, most_trials: int | None = None) -> list[int]:
    """The ids of the rounds that are asked for (or, of these, that were begun) and not finished.

    Those that people wait for first, then those of runs that go on by themselves, each oldest first; of the latter
    `most_trials` at most. Those of runs that rest, or that a command works on, are not among them.
    """
    found = Round.objects.filter(
        status__in=Round.PENDING, run__status=Run.Status.RUNNING, run__conductor=Run.Conductor.SERVICE
    ).order_by("requested_at")
    if begun_only:
        found = found.exclude(started_at=None)
    people = found.filter(run__rounds_planned=None).values_list("pk", flat=True)
    trials = found.exclude(run__rounds_planned=None).values_list("pk", flat=True)
    return [*people, *trials[:most_trials]]


def rounds_before(round_: Round) -> int:
    """How many rounds that nobody has begun were asked for before this one."""
    waiting = Round.objects.filter(status=Round.Status.QUEUED, started_at=None, run__status=Run.Status.RUNNING)
    return waiting.filter(requested_at__lt=round_.requested_at).count()


def best_fitness(round_: Round) -> list[float]:
    """The best fitness of each generation of a round so far."""
    return list(round_.generations.order_by("number").values_list("best", flat=True))


def candidates(round_: Round) -> list[Candidate]:
    """Every candidate of a round, one per evaluation (an elite stands for itself once), latest generation first."""
    found: dict[str | None, Candidate] = {}
    query = Candidate.objects.filter(generation__round=round_).select_related("evaluation", "generation")
    for candidate in query.order_by("-generation__number", "position"):
        if candidate.evaluation_id is not None:
            found.setdefault(candidate.evaluation_id, candidate)
    return list(found.values())
