"""What a run leaves, as values: the contents of `evolve`'s files, which the panel gives out too. Imports no torch."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from evolution import config
from evolution.models import Candidate, Generation, Run
from listening import selectors
from listening.models import Listener, Playlist, PlaylistTrack, TasteSnapshot, Track

Row = dict[str, Any]

HISTORY = ("round", "generation", "best", "mean", "median", "worst", "seconds", "likeness", "artefacts")
"""The same configuration and seed give the same values in all of them but `seconds`."""
CANDIDATES = (
    "round",
    "generation",
    "position",
    "prompt",
    "seed",
    "parents",
    "operators",
    "elite",
    "fitness",
    "likeness",
    "artefacts",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula."""


def history_rows(run: Run) -> list[Row]:
    """A row for each generation: fitness over its candidates, its seconds, mean likeness and mean artefacts."""
    columns = ("round__number", "number", "best", "mean", "median", "worst", "seconds")
    found = Generation.objects.filter(round__run=run).order_by("round__number", "number")
    parts = _parts(run)
    return [
        dict(zip(HISTORY, (*row, *(fmean(values) for values in zip(*parts[pk], strict=True))), strict=True))
        for pk, *row in found.values_list("pk", *columns)
    ]


def _parts(run: Run) -> dict[int, list[tuple[float, float]]]:
    """Generation -> likeness and artefacts of its candidates. The database's own mean depends on where rows lie."""
    parts: dict[int, list[tuple[float, float]]] = defaultdict(list)
    found = Candidate.objects.filter(generation__round__run=run)
    for generation, likeness, artefacts in found.values_list("generation", "likeness", "artefacts"):
        parts[generation].append((likeness, artefacts))
    return parts


def candidate_rows(run: Run) -> Iterator[Row]:
    """A row for each candidate of each generation. parents: positions in the generation before."""
    found = (
        Candidate.objects.filter(generation__round__run=run)
        .order_by("generation__round__number", "generation__number", "position")
        .values_list("generation__round__number", "generation__number", *CANDIDATES[2:])
    )
    for row in found.iterator(chunk_size=2000):
        named = dict(zip(CANDIDATES, row, strict=True))
        named["parents"] = " ".join(str(parent) for parent in named["parents"])
        named["operators"] = "; ".join(named["operators"])
        yield named


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """A table with a heading. Texts that a spreadsheet would take for a formula get an apostrophe in front."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_harmless(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def configuration_yaml(run: Run) -> str:
    """The whole configuration that the run goes by, with references for secrets."""
    return config.to_yaml(config.parse(run.experiment.configuration))


def result(run: Run) -> dict[str, Any]:
    """What a run came to.

    best_fitness: of all that was ever scored; final_*: of the last generation; None before the first.
    evaluations: candidates that were scored, elites that were kept counted once. played: those of them that the
    players had to play; the others were known from before. seconds: of the generations. users: see `user`.
    """
    steps = list(Generation.objects.filter(round__run=run).order_by("round__number", "number"))
    last = steps[-1] if steps else None
    settings = run.experiment.configuration["evolution"]
    return {
        "mode": settings["search"]["mode"],
        "best_fitness": max((step.best for step in steps), default=None),
        "final_best": last.best if last else None,
        "final_mean": last.mean if last else None,
        "final_median": last.median if last else None,
        "generations": len(steps),
        "evaluations": Candidate.objects.filter(generation__round__run=run, elite=False).count(),
        "seconds": round(sum(step.seconds for step in steps), 3),
        "seed": run.seed,
        "fitness_mode": settings["fitness"]["mode"],
        "rounds": run.rounds.filter(status="done").count(),
        "status": str(run.status),
        "played": sum(step.played for step in steps),
        "player_seconds": round(sum(step.player_seconds for step in steps), 3),
        "users": [user(listener) for listener in Listener.objects.filter(run=run).order_by("pk")],
    }


def user(listener: Listener) -> dict[str, Any]:
    """A listener of a run: {"reference_user", "ratings", "liked", "taste"}.

    liked: share of the likes among the ratings of the latest rated playlist, in [0, 1]; None before there is one.
    taste: how well it was learned, as of the last round (TasteSnapshot.figures).
    """
    latest = TasteSnapshot.objects.filter(listener=listener).order_by("-round__number").first()
    opinions = selectors.with_opinion(Track.objects.filter(listener=listener)).filter(opinion__in=[-1, 1])
    rated = list(opinions.values_list("place__playlist__number", "opinion"))
    newest = max((number for number, _ in rated), default=None)
    said = [opinion == 1 for number, opinion in rated if number == newest]
    return {
        "reference_user": listener.reference_user,
        "ratings": len(rated),
        "liked": fmean(said) if said else None,
        "taste": latest.figures if latest else {},
    }


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """The same keys over several runs of one experiment: fitness as means over the users, effort as sums.

    generations: of each run, where they differ the most; users: each with its run's own figures under "result".
    """
    each = [result(run) for run in runs]
    if len(each) == 1:
        return each[0]
    means = ("best_fitness", "final_best", "final_mean", "final_median")
    sums = ("evaluations", "seconds", "played", "player_seconds")
    return {
        **each[0],
        **{name: _mean([one[name] for one in each]) for name in means},
        **{name: round(sum(one[name] for one in each), 3) for name in sums},
        "generations": max(one["generations"] for one in each),
        "rounds": min(one["rounds"] for one in each),
        "status": next((one["status"] for one in each if one["status"] != "done"), "done"),
        "users": [{**listener, "result": _without_users(one)} for one in each for listener in one["users"]],
        "note": "fitness: means over the users; evaluations and seconds: sums over them",
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _without_users(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "users"}


def taste_figures(run: Run) -> list[Row]:
    """How well the taste was learned, round by round: {"round", ...TasteSnapshot.figures}."""
    snapshots = TasteSnapshot.objects.filter(round__run=run).select_related("round").order_by("round__number")
    return [{"round": snapshot.round.number, **snapshot.figures} for snapshot in snapshots]


def last_playlist(run: Run) -> list[PlaylistTrack]:
    """The places of the run's newest playlist, in order; none before there is one."""
    newest = Playlist.objects.filter(round__run=run).order_by("-number").first()
    if newest is None:
        return []
    return list(newest.places.select_related("track__recording").order_by("position"))
