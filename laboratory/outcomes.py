"""Reads of what the experiments came to: the index, and the state of one run as its page shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from django.db.models import Aggregate, Avg, Count, Max, Min, Q, QuerySet

from evolution.models import Experiment, Generation, Round, Run
from laboratory import population
from listening import selectors as listening
from listening.models import Listener, Track

FIGURES = ("spearman", "auc", "cosine", "embedding_cosine", "loss", "spread")
"""Of a taste, on the page; all of them, if known, are in TasteSnapshot.figures."""
RECENT = 3
"""Generations whose time tells how long the next one takes."""
OVERHEAD_GENERATIONS = 1.2
"""Learning and composing take about as long as so many generations, before a round has shown how long."""


def experiments(*, search: str = "") -> list[dict[str, Any]]:
    """All experiments, the newest first: what is set, how many runs there are of each status, how fit they became.

    search: only those whose name, note or author contains it.
    Each: {"experiment", "mode", "fitness", "runs": {status: count}, "total", "best": mean over the runs of the best
    fitness of each, or None}.
    """
    found = Experiment.objects.order_by("-created_at", "-pk").defer("prompts")
    if search:
        found = found.filter(Q(name__icontains=search) | Q(note__icontains=search) | Q(author__icontains=search))
    found = found.annotate(
        **{f"{status.value}_runs": Count("runs", filter=Q(runs__status=status)) for status in Run.Status}
    )
    listed = list(found)
    best = _mean_best([experiment.pk for experiment in listed])
    return [_summary(experiment, best.get(experiment.pk)) for experiment in listed]


def _summary(experiment: Experiment, best: float | None) -> dict[str, Any]:
    counts = {status.value: int(getattr(experiment, f"{status.value}_runs")) for status in Run.Status}
    settings = experiment.configuration["evolution"]
    return {
        "experiment": experiment,
        "mode": settings["search"]["mode"],
        "fitness": settings["fitness"]["mode"],
        "runs": {status: count for status, count in counts.items() if count},
        "total": sum(counts.values()),
        "best": best,
    }


def _mean_best(experiment_ids: Sequence[int]) -> dict[int, float]:
    """The mean over each experiment's runs of their best fitness; nothing of those without a generation."""
    rows = Generation.objects.filter(round__run__experiment__in=experiment_ids)
    best = rows.values_list("round__run__experiment", "round__run").annotate(Max("best")).order_by()
    by_experiment: dict[int, list[float]] = defaultdict(list)
    for experiment_id, _, value in best:
        by_experiment[experiment_id].append(value)
    return {experiment_id: fmean(values) for experiment_id, values in by_experiment.items()}


def run(run_id: int) -> Run:
    """A run with its experiment, without the searcher's state. Raises Run.DoesNotExist."""
    return Run.objects.select_related("experiment").defer("searcher_state", "experiment__prompts").get(pk=run_id)


def listeners(run: Run) -> list[Listener]:
    """Who goes through the run: one listener, as a rule."""
    return list(run.listeners.select_related("user").order_by("pk"))


def state(run: Run) -> dict[str, Any]:
    """All that the run's page shows: `pulse`, and "generations" with the points of their candidates."""
    return {**pulse(run), "generations": generations(run)}


def pulse(run: Run) -> dict[str, Any]:
    """What changes between generations too: {"run", "progress", "totals", "rounds"}."""
    rounds = list(run.rounds.select_related("taste").order_by("number"))
    steps = list(
        Generation.objects.filter(round__run=run)
        .order_by("round__number", "number")
        .values("round_id", "best", "seconds", "player_seconds", "played")
    )
    return {
        "run": {"id": run.pk, "status": run.status, "message": run.message},
        "progress": _progress(run, rounds, steps),
        "totals": {
            "generations": len(steps),
            "evaluations": sum(step["played"] for step in steps),
            "player_seconds": round(sum(step["player_seconds"] for step in steps), 2),
            "seconds": round(sum(step["seconds"] for step in steps), 2),
            "best": max((step["best"] for step in steps), default=None),
        },
        "rounds": _rounds(run, rounds),
    }


def generations(run: Run, *, only: int | None = None) -> list[dict[str, Any]]:
    """The run's generations in order: scores, costs, and `population.points` of the newest.

    only: the id of the one that is wanted.
    """
    found = Generation.objects.filter(round__run=run).order_by("round__number", "number")
    chosen = found if only is None else found.filter(pk=only)
    rows = list(_measured(chosen))
    points = population.points([row.pk for row in rows])
    first = _index(found, rows[0]) if only is not None and rows else 1
    return [_generation(row, index, points.get(row.pk)) for index, row in enumerate(rows, start=first)]


def _measured(found: QuerySet[Generation]) -> QuerySet[Any]:
    """Generations with likeness and artefacts of their candidates summed up."""
    measures: dict[str, Aggregate] = {}
    for name in ("likeness", "artefacts"):
        column = f"candidates__{name}"
        measures |= {
            f"{name}_highest": Max(column),
            f"{name}_mean": Avg(column),
            f"{name}_median": population.Median(column),
            f"{name}_lowest": Min(column),
        }
    return found.select_related("round").annotate(**measures)


def _index(found: QuerySet[Generation], row: Generation) -> int:
    """Which generation of its run it is, from 1."""
    number = row.round.number
    return found.filter(Q(round__number__lt=number) | Q(round__number=number, number__lte=row.number)).count()


def _generation(row: Any, index: int, points: dict[str, list[Any]] | None) -> dict[str, Any]:
    return {
        "id": row.pk,
        "index": index,
        "round": row.round.number,
        "number": row.number,
        "fitness": _rounded(best=row.best, mean=row.mean, median=row.median, worst=row.worst),
        "likeness": _rounded(
            best=row.likeness_highest, mean=row.likeness_mean, median=row.likeness_median, worst=row.likeness_lowest
        ),
        "artefacts": _rounded(  # the fewer the better
            best=row.artefacts_lowest, mean=row.artefacts_mean, median=row.artefacts_median, worst=row.artefacts_highest
        ),
        "seconds": round(row.seconds, 2),
        "player_seconds": round(row.player_seconds, 2),
        "played": row.played,
        "points": points,
    }


def _rounded(**values: float | None) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 4) for name, value in values.items()}


def _progress(run: Run, rounds: Sequence[Round], steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How far the run is: {"round", "rounds", "round_status", "generation", "generations", "done", "planned",
    "seconds_left"}; rounds and planned are None of a run that goes on as long as it is asked to."""
    current = rounds[-1] if rounds else None
    in_current = _made(current, steps) if current else 0
    planned = _planned(run, rounds)
    return {
        "round": current.number if current else 0,
        "rounds": run.rounds_planned,
        "round_status": str(current.status) if current else "",
        "generation": in_current,
        "generations": current.generations_planned if current else 0,
        "done": len(steps),
        "planned": planned,
        "seconds_left": _seconds_left(run, rounds, steps, planned),
    }


def _planned(run: Run, rounds: Sequence[Round]) -> int | None:
    """Generations of the whole run; None when nobody knows how many rounds there will be."""
    if run.rounds_planned is None:
        return None
    coming = max(0, run.rounds_planned - len(rounds))
    per_round = int(run.experiment.configuration["evolution"]["generations"])
    blind = not rounds and coming and run.experiment.configuration["evolution"]["fitness"]["mode"] == "dynamic"
    return sum(one.generations_planned for one in rounds) + coming * per_round - (per_round - 1 if blind else 0)


def _seconds_left(
    run: Run, rounds: Sequence[Round], steps: Sequence[Mapping[str, Any]], planned: int | None
) -> float | None:
    """An estimate from the last generations and from what rounds took beside theirs; None when none can be made.

    Of a run without an end: until its present round is over.
    """
    if planned is None or run.rounds_planned is None:
        unfinished = sum(1 for one in rounds if one.status in Round.PENDING)
        coming = sum(one.generations_planned - _made(one, steps) for one in rounds if one.status in Round.PENDING)
    else:
        unfinished = run.rounds_planned - sum(1 for one in rounds if one.status == Round.Status.DONE)
        coming = planned - len(steps)
    if run.status != Run.Status.RUNNING or not steps or not unfinished:
        return None
    per_generation = fmean(step["seconds"] for step in steps[-RECENT:])
    beside = list(_beside(rounds, steps))
    per_round = fmean(beside) if beside else OVERHEAD_GENERATIONS * per_generation
    return round(max(0, coming) * per_generation + max(0, unfinished) * per_round, 1)


def _made(round_: Round, steps: Sequence[Mapping[str, Any]]) -> int:
    return sum(1 for step in steps if step["round_id"] == round_.pk)


def _beside(rounds: Sequence[Round], steps: Sequence[Mapping[str, Any]]) -> Iterable[float]:
    """Seconds that each finished round took beside its generations."""
    for one in rounds:
        if one.status == Round.Status.DONE and one.started_at and one.finished_at:
            whole = (one.finished_at - one.started_at).total_seconds()
            yield max(0.0, whole - sum(step["seconds"] for step in steps if step["round_id"] == one.pk))


def _rounds(run: Run, rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Each round: {"number", "status", "tracks", "liked", "disliked", "ratings"} and FIGURES of its taste."""
    opinions: dict[int, list[int | None]] = defaultdict(list)
    tracks = listening.with_opinion(Track.objects.filter(place__playlist__round__run=run))
    for round_id, opinion in tracks.values_list("place__playlist__round", "opinion"):
        opinions[round_id].append(opinion)
    return [_round(one, opinions[one.pk]) for one in rounds]


def _round(round_: Round, opinions: Sequence[int | None]) -> dict[str, Any]:
    taste = getattr(round_, "taste", None)
    figures = taste.figures if taste else {}
    return {
        "number": round_.number,
        "status": str(round_.status),
        "message": round_.message,
        "tracks": len(opinions),
        "liked": opinions.count(1),
        "disliked": opinions.count(-1),
        "ratings": taste.ratings if taste else 0,
        **_rounded(**{name: figures.get(name) for name in FIGURES}),
    }
