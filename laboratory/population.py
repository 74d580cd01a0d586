"""Reads of a run's candidates: as points of a picture, as pages of a table, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Aggregate, FloatField, QuerySet
from django.urls import reverse

from evolution.models import Candidate, Generation, Run

MOST_POINTS = 20_000
"""Candidates in the picture of a population: those of the newest generations."""
PER_PAGE = 25
ORDERS = ("position", "fitness", "likeness", "artefacts", "prompt")
"""What the table can be sorted by; with a minus in front: the largest first."""


class Median(Aggregate):
    """PostgreSQL's percentile_cont(0.5) of a column."""

    function = "PERCENTILE_CONT"
    name = "Median"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def points(generation_ids: Sequence[int]) -> dict[int, dict[str, list[Any]]]:
    """Of each generation, by its id, the scores of its candidates in their order, and which of them are elites.

    Each: {"fitness": [N], "likeness": [N], "artefacts": [N], "elites": positions}. Of too many candidates
    (MOST_POINTS) only those of the last generations given.
    """
    columns = ("generation_id", "position", "fitness", "likeness", "artefacts", "elite")
    found = Candidate.objects.filter(generation__in=generation_ids).order_by(
        "-generation__round__number", "-generation__number", "position"
    )
    gathered: dict[int, dict[str, list[Any]]] = {}
    for generation_id, position, fitness, likeness, artefacts, elite in found.values_list(*columns)[:MOST_POINTS]:
        kept = gathered.setdefault(generation_id, {"fitness": [], "likeness": [], "artefacts": [], "elites": []})
        kept["fitness"].append(round(fitness, 4))
        kept["likeness"].append(round(likeness, 4))
        kept["artefacts"].append(round(artefacts, 4))
        if elite:
            kept["elites"].append(position)
    return gathered


def generation(run: Run, generation_id: int | None) -> Generation | None:
    """A generation of the run, or its newest. Raises Generation.DoesNotExist for another run's."""
    found = Generation.objects.select_related("round").filter(round__run=run)
    if generation_id is not None:
        return found.get(pk=generation_id)
    return found.order_by("-round__number", "-number").first()


def neighbours(run: Run, chosen: Generation) -> dict[str, int | None]:
    """The ids of the generations before and after: {"previous", "next"}; None where there is none."""
    ids = list(
        Generation.objects.filter(round__run=run).order_by("round__number", "number").values_list("pk", flat=True)
    )
    place = ids.index(chosen.pk)
    return {
        "previous": ids[place - 1] if place else None,
        "next": ids[place + 1] if place + 1 < len(ids) else None,
        "index": place + 1,
        "total": len(ids),
    }


def page(chosen: Generation, *, order: str, number: str | None) -> Page[Candidate]:
    """One page of a generation's candidates. Raises ValueError for an order that is not among ORDERS."""
    if order.removeprefix("-") not in ORDERS:
        raise ValueError(f"order: expected one of {', '.join(ORDERS)}, got {order[:40]!r}")
    found = _light().filter(generation=chosen).order_by(order, "position")
    return Paginator(found, PER_PAGE).get_page(number)


def candidate(candidate_id: Any) -> Candidate:
    """A candidate with its run and experiment. Raises Candidate.DoesNotExist."""
    return (
        Candidate.objects.select_related("generation__round__run__experiment")
        .defer(
            "generation__round__run__searcher_state",
            "generation__round__run__experiment__prompts",
        )
        .get(pk=candidate_id)
    )


def described(chosen: Generation) -> list[dict[str, Any]]:
    """The candidates of a generation, whole but for their genomes, in their order."""
    return [description(one) for one in _light().filter(generation=chosen).order_by("position")]


def description(one: Candidate) -> dict[str, Any]:
    """A candidate as the page knows it; the seed as text, which may be larger than a browser's numbers are exact."""
    return {
        "id": str(one.pk),
        "generation": one.generation_id,
        "position": one.position,
        "prompt": one.prompt,
        "seed": str(one.seed),
        "parents": one.parents,
        "operators": one.operators,
        "elite": one.elite,
        "fitness": round(one.fitness, 4),
        "likeness": round(one.likeness, 4),
        "artefacts": round(one.artefacts, 4),
        "url": reverse("laboratory:candidate", args=[one.pk]),
        "hear_url": reverse("laboratory:hear", args=[one.pk]),
    }


def _light() -> QuerySet[Candidate]:
    """Candidates without their genomes, which may be large."""
    return Candidate.objects.defer("genome")
