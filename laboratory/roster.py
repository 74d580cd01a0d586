"""The runs of an experiment, who goes through each, and how far they are."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Max, OuterRef, Prefetch, Q, QuerySet, Subquery

from evolution.models import Experiment, Generation, Round
from listening.models import Listener

RUNS_PER_PAGE = 50


def of(experiment: Experiment, *, page: str | None = None) -> Page[Any]:
    """A page of the experiment's runs, the newest first, each with `best`, `steps`, `rounds_done` and `people`."""
    return Paginator(_runs(experiment), RUNS_PER_PAGE).get_page(page)


def status_counts(experiment: Experiment) -> dict[str, int]:
    """How many runs there are of each status, without those of which there is none."""
    counted = experiment.runs.values_list("status").annotate(number=Count("pk")).order_by("status")
    return dict(counted.values_list("status", "number"))


def has_people(experiment: Experiment) -> bool:
    """Whether a person goes, or went, through it: their ratings are kept for ever."""
    return Listener.objects.filter(run__experiment=experiment, user__isnull=False).exists()


def arms() -> list[Experiment]:
    """The open experiments, each with its `share` of new listeners."""
    found = list(Experiment.objects.filter(is_open=True).defer("prompts", "configuration").order_by("name"))
    total = sum(arm.weight for arm in found)
    for arm in found:
        arm.share = arm.weight / total  # type: ignore[attr-defined]
    return found


def _runs(experiment: Experiment) -> QuerySet[Any]:
    steps = Generation.objects.filter(round__run=OuterRef("pk")).values("round__run")
    people = Prefetch("listeners", Listener.objects.select_related("user").order_by("pk"), to_attr="people")
    return (
        experiment.runs.defer("searcher_state")
        .annotate(
            best=Subquery(steps.annotate(value=Max("best")).values("value")),
            steps=Subquery(steps.annotate(value=Count("pk")).values("value")),
            rounds_done=Count("rounds", filter=Q(rounds__status=Round.Status.DONE)),
        )
        .prefetch_related(people)
        .order_by(F("created_at").desc(), "-pk")
    )
