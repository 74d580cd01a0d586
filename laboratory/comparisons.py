"""Reads that put runs beside each other: one line and one curve for each run, or for all runs of an experiment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from statistics import fmean
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse

from evolution.models import Candidate, Experiment, Generation, Run
from listening.models import TasteSnapshot

MOST_LINES = 12
"""More curves in one picture cannot be told apart."""
MOST_RUNS = 200
"""Of one experiment; the newest."""
LISTED_RUNS = 30
MEASURES = ("best", "mean", "median", "worst")
TRUTHS = ("spearman", "auc", "cosine", "embedding_cosine")
"""The estimated taste against the true one, where that is known."""
COLUMNS = (
    *("label", "mode", "fitness_mode", "runs", "generations", "best", "final_best", "final_mean", "final_median"),
    *("evaluations", "player_seconds", "seconds", *TRUTHS),
)


Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """A row and a curve for each line.

    rows: keys COLUMNS and url. curves: {"label", and a list per name of MEASURES}, one value per generation.
    left_out: how many lines came after the first MOST_LINES.
    """

    rows: Rows
    curves: Rows
    left_out: int


@dataclass
class Line:
    """Runs that are looked at as one."""

    label: str
    url: str
    runs: list[Run] = field(default_factory=list)


@dataclass
class _Course:
    """What a run's generations came to. evaluations: candidates that were scored, kept ones counted once."""

    steps: list[tuple[float, ...]] = field(default_factory=list)
    evaluations: int = 0
    player_seconds: float = 0.0
    seconds: float = 0.0
    truth: dict[str, float] = field(default_factory=dict)


def compare(*, run_ids: Sequence[int] = (), names: Sequence[str] = (), each: bool = False) -> Comparison:
    """Runs and experiments beside each other: experiments first, as they were asked for.

    run_ids: runs that stand for themselves. names: of experiments, which stand as the mean over their runs or, with
    `each`, as these. What does not exist is left out. Figures of several runs are means; those of a measure that no
    run has are None.
    """
    asked = _lines(run_ids, names, each=each)
    lines = asked[:MOST_LINES]
    courses = _courses([run.pk for line in lines for run in line.runs])
    rows = [_row(line, [courses[run.pk] for run in line.runs]) for line in lines]
    curves = [{"label": line.label, **_curve([courses[run.pk] for run in line.runs])} for line in lines]
    return Comparison(rows, curves, left_out=len(asked) - len(lines))


def ordered(rows: list[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    """Rows by a column, with a minus in front the largest first; those without a value last.

    Raises ValueError for an order that is not among COLUMNS.
    """
    name = order.removeprefix("-")
    if name not in COLUMNS:
        raise ValueError(f"order: expected one of {', '.join(COLUMNS)}, got {name[:40]!r}")
    known = sorted((row for row in rows if row[name] is not None), key=lambda row: row[name], reverse=order[0] == "-")
    return known + [row for row in rows if row[name] is None]


def choices() -> tuple[list[Experiment], list[Run]]:
    """What can be compared: all experiments, and the newest runs."""
    experiments = Experiment.objects.order_by("-created_at", "-pk").only("name", "configuration")
    runs = Run.objects.select_related("experiment").order_by("-pk").only("status", "seed", "experiment__name")
    return list(experiments.filter(runs__isnull=False).distinct()), list(runs[:LISTED_RUNS])


def _lines(run_ids: Sequence[int], names: Sequence[str], *, each: bool) -> list[Line]:
    chosen = Run.objects.select_related("experiment").defer("searcher_state", "experiment__prompts")
    found = list(chosen.filter(Q(pk__in=run_ids) | Q(experiment__name__in=names)).order_by("-pk"))
    lines, apart = [], []
    for name in dict.fromkeys(names):
        members = [run for run in found if run.experiment.name == name][:MOST_RUNS]
        if each:
            apart += [run.pk for run in reversed(members)]
        elif members:
            lines.append(Line(name, reverse("laboratory:experiment", args=[name]), members))
    by_id = {run.pk: run for run in found}
    alone = [by_id[run_id] for run_id in dict.fromkeys([*apart, *run_ids]) if run_id in by_id]
    return lines + [Line(str(run), reverse("laboratory:run", args=[run.pk]), [run]) for run in alone]


def _courses(run_ids: Iterable[int]) -> dict[int, _Course]:
    courses: dict[int, _Course] = defaultdict(_Course)
    ids = list(run_ids)
    columns = ("round__run", *MEASURES, "player_seconds", "seconds")
    steps = Generation.objects.filter(round__run__in=ids).order_by("round__number", "number").values_list(*columns)
    for run_id, *measures, player_seconds, seconds in steps:
        course = courses[run_id]
        course.steps.append(tuple(measures))
        course.player_seconds += player_seconds
        course.seconds += seconds
    scored = Candidate.objects.filter(generation__round__run__in=ids, elite=False).values_list("generation__round__run")
    for run_id, count in scored.annotate(Count("pk")).order_by():
        courses[run_id].evaluations = count
    tastes = TasteSnapshot.objects.filter(round__run__in=ids, figures__has_key="spearman").order_by("round__number")
    for run_id, figures in tastes.values_list("round__run", "figures"):
        courses[run_id].truth = figures  # the last one stays
    return courses


def _row(line: Line, courses: Sequence[_Course]) -> dict[str, Any]:
    settings = line.runs[0].experiment.configuration["evolution"]
    begun = [course for course in courses if course.steps]
    return {
        "label": line.label,
        "url": line.url,
        "mode": settings["search"]["mode"],
        "fitness_mode": settings["fitness"]["mode"],
        "runs": len(line.runs),
        "generations": _mean((len(course.steps) for course in begun), digits=1),
        "best": _mean(max(step[0] for step in course.steps) for course in begun),
        "final_best": _mean(course.steps[-1][0] for course in begun),
        "final_mean": _mean(course.steps[-1][1] for course in begun),
        "final_median": _mean(course.steps[-1][2] for course in begun),
        "evaluations": _mean((course.evaluations for course in begun), digits=1),
        "player_seconds": _mean((course.player_seconds for course in begun), digits=1),
        "seconds": _mean((course.seconds for course in begun), digits=1),
        **{name: _mean(course.truth[name] for course in courses if name in course.truth) for name in TRUTHS},
    }


def _curve(courses: Sequence[_Course]) -> dict[str, list[float | None]]:
    """Each measure by generation: the mean over the runs that came so far."""
    by_generation = list(zip_longest(*(course.steps for course in courses)))
    return {
        name: [_mean(step[place] for step in steps if step is not None) for steps in by_generation]
        for place, name in enumerate(MEASURES)
    }


def _mean(values: Iterable[float], *, digits: int = 4) -> float | None:
    known = list(values)
    return round(fmean(known), digits) if known else None
