"""Reads of the search's rows."""

from __future__ import annotations

from evolution.models import Candidate, Round, Run


def latest_round(run: Run) -> Round | None:
    """The newest round of a run."""
    return run.rounds.order_by("-number").first()


def pending_rounds(*, begun_only: bool = False) -> list[int]:
    """The ids of the rounds that are asked for (or, of these, that were begun) and not finished, oldest first.

    Those of runs that rest, or that a command works on, are not among them.
    """
    found = Round.objects.filter(
        status__in=Round.PENDING, run__status=Run.Status.RUNNING, run__conductor=Run.Conductor.SERVICE
    )
    if begun_only:
        found = found.exclude(started_at=None)
    return list(found.order_by("requested_at").values_list("pk", flat=True))


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
