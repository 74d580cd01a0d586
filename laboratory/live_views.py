"""The pages that show what comes out: a run while it goes on, runs beside each other, where a candidate comes from."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST, require_safe

from evolution.models import Candidate, Generation, Run
from laboratory import ancestry, comparisons, hearing, outcomes, population, results
from laboratory.access import for_staff
from listening import sound
from listening.models import Track

LARGEST_ID = 2**63 - 1
LARGEST_MATCH = 100  # values of one name in an address
KINDS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
UNAVAILABLE = 503
TEXTS = ("label", "mode", "fitness_mode", "prompt", "position")
"""Columns that one looks at from the beginning of the alphabet; the others, from the largest."""
CANDIDATES = {
    "position": "No.",
    "fitness": "Fitness",
    "prompt": "Prompt",
    "likeness": "Likeness",
    "artefacts": "Artefacts",
}
COMPARED = {
    "label": "Run or experiment",
    "mode": "Search",
    "fitness_mode": "Fitness",
    "runs": "Runs",
    "generations": "Generations",
    "best": "Best",
    "final_best": "Final best",
    "final_mean": "Final mean",
    "final_median": "Final median",
    "evaluations": "Evaluations",
    "player_seconds": "GPU seconds",
    "seconds": "Seconds",
    "spearman": "Spearman",
    "auc": "AUC",
    "cosine": "Cosine",
    "embedding_cosine": "Embedding cosine",
}


@require_GET
@for_staff
@ensure_csrf_cookie
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    chosen = _run(run_id)
    shown = _population(request, chosen)
    if request.GET.get("part") == "population":
        return render(request, "laboratory/_population.html", {"run": chosen, "population": shown})
    settings = chosen.experiment.configuration["evolution"]
    page = {
        "run": chosen,
        "listeners": outcomes.listeners(chosen),
        "mode": settings["search"]["mode"],
        "fitness": settings["fitness"]["mode"],
        "population": shown,
        **{name: value for name, value in outcomes.pulse(chosen).items() if name != "run"},
    }
    return render(request, "laboratory/run.html", page)


@require_GET
@for_staff
def run_data(request: HttpRequest, run_id: int) -> JsonResponse:
    """The run's state or, with ?generation=, the candidates of that generation."""
    chosen = _run(run_id)
    if "generation" in request.GET:
        generation = _generation(request, chosen)
        return JsonResponse({"candidates": population.described(generation) if generation else []})
    return JsonResponse(outcomes.state(chosen))


@require_GET
@for_staff
def run_export(request: HttpRequest, run_id: int, kind: str) -> HttpResponse:
    """The run as a file: CSV of its generations (?table=candidates: of its candidates), or JSON of everything."""
    chosen = _run(run_id)
    if _known(kind) == "json":
        content = {
            "result": results.result(chosen),
            "history": results.history_rows(chosen),
            "candidates": list(results.candidate_rows(chosen)),
        }
        return _file(JsonResponse(content), f"run-{run_id}.json", kind)
    table = request.GET.get("table", "history")
    if table not in ("history", "candidates"):
        raise Http404
    if table == "history":
        text = results.as_csv(results.history_rows(chosen), results.HISTORY)
    else:
        text = results.as_csv(results.candidate_rows(chosen), results.CANDIDATES)
    return _file(HttpResponse(text), f"run-{run_id}-{table}.csv", kind)


@require_GET
@for_staff
def compare(request: HttpRequest) -> HttpResponse:
    compared = _compared(request)
    experiments, runs = comparisons.choices()
    page = {
        "rows": compared.rows,
        "curves": compared.curves,
        "left_out": compared.left_out,
        "each": "each" in request.GET,
        "order": request.GET.get("order", ""),
        "columns": _columns(COMPARED, request.GET.get("order", "")),
        "query": _query(request, without=("order",)),
        "experiments": experiments,
        "runs": runs,
        "chosen_experiments": request.GET.getlist("experiment"),
        "chosen_runs": _numbers(request, "run"),
        "most": comparisons.MOST_LINES,
    }
    return render(request, "laboratory/compare.html", page)


@require_GET
@for_staff
def compare_export(request: HttpRequest, kind: str) -> HttpResponse:
    compared = _compared(request)
    if _known(kind) == "json":
        return _file(JsonResponse({"rows": compared.rows, "curves": compared.curves}), "comparison.json", kind)
    return _file(HttpResponse(results.as_csv(compared.rows, comparisons.COLUMNS)), "comparison.csv", kind)


@require_GET
@for_staff
@ensure_csrf_cookie
def candidate(request: HttpRequest, candidate_id: uuid.UUID) -> HttpResponse:
    one = _candidate(candidate_id)
    tree = ancestry.ancestors(one)
    page = {
        "candidate": one,
        "run": one.generation.round.run,
        "tree": tree,
        "picture": ancestry.picture(tree),
        "heard": hearing.recording(one),
    }
    return render(request, "laboratory/candidate.html", page)


@require_POST
@for_staff
def hear(request: HttpRequest, candidate_id: uuid.UUID) -> HttpResponse:
    """Have a candidate played: JSON for a script, the candidate's page for a form."""
    one = _candidate(candidate_id)
    try:
        answer, status = hearing.ask(one), 200
    except hearing.UnreachableError as error:
        answer, status = {"error": str(error)}, UNAVAILABLE
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(answer, status=status)
    message = answer.get("error") or answer.get("message")
    if message:
        messages.info(request, f"{message} Load this page again to hear it.")
    return redirect("laboratory:candidate", candidate_id)


@require_safe
@for_staff
def candidate_audio(request: HttpRequest, candidate_id: uuid.UUID) -> HttpResponse:
    one = _candidate(candidate_id)
    recording = hearing.recording(one)
    if recording is None:
        raise Http404
    title = f"run {one.generation.round.run_id} candidate {one.position}"
    track = Track(recording=recording, title=title)  # what `sound` answers with; never stored
    return sound.answer(request, track, download="download" in request.GET)


def _run(run_id: int) -> Run:
    try:
        return outcomes.run(min(run_id, LARGEST_ID))
    except Run.DoesNotExist:
        raise Http404 from None


def _candidate(candidate_id: uuid.UUID) -> Candidate:
    try:
        return population.candidate(candidate_id)
    except Candidate.DoesNotExist:
        raise Http404 from None


def _generation(request: HttpRequest, run: Run) -> Generation | None:
    asked = request.GET.get("generation", "")
    if asked and not _is_number(asked):
        raise Http404
    try:
        return population.generation(run, int(asked) if asked else None)
    except Generation.DoesNotExist:
        raise Http404 from None


def _population(request: HttpRequest, run: Run) -> dict[str, Any] | None:
    """A page of the table of a generation's candidates; None before there is a generation."""
    chosen = _generation(request, run)
    if chosen is None:
        return None
    order = request.GET.get("order", "-fitness")
    try:
        page = population.page(chosen, order=order, number=request.GET.get("page"))
    except ValueError:
        raise Http404 from None
    return {
        "generation": chosen,
        "page": page,
        "order": order,
        "columns": _columns(CANDIDATES, order),
        **population.neighbours(run, chosen),
    }


def _columns(labels: dict[str, str], order: str) -> list[dict[str, str]]:
    """The heads of a sortable table: names as of people, what a click sorts by, and how it is sorted now."""
    heads = []
    for name, label in labels.items():
        falling, rising = f"-{name}", name
        first = rising if name in TEXTS else falling
        following = {falling: rising, rising: falling}.get(order, first)
        sorted_ = {falling: "descending", rising: "ascending"}.get(order, "")
        heads.append({"name": name, "label": label, "order": following, "sorted": sorted_})
    return heads


def _compared(request: HttpRequest) -> comparisons.Comparison:
    names = [name for name in request.GET.getlist("experiment")[:LARGEST_MATCH] if "\0" not in name]
    found = comparisons.compare(run_ids=_numbers(request, "run"), names=names, each="each" in request.GET)
    order = request.GET.get("order", "")
    if not order:
        return found
    try:
        return replace(found, rows=comparisons.ordered(found.rows, order))
    except ValueError:
        raise Http404 from None


def _numbers(request: HttpRequest, name: str) -> list[int]:
    """The whole numbers that an address gives for a name; whatever else it gives is no row's."""
    given = request.GET.getlist(name)[:LARGEST_MATCH]
    return [int(text) for text in given if _is_number(text)]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < len(str(LARGEST_ID))


def _query(request: HttpRequest, *, without: tuple[str, ...]) -> str:
    """The address's query without some names, ready for another one behind it."""
    kept = request.GET.copy()
    for name in without:
        kept.pop(name, None)
    return f"{kept.urlencode()}&" if kept else ""


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise Http404
    return kind


def _file(response: HttpResponse, name: str, kind: str) -> HttpResponse:
    response.headers["Content-Type"] = KINDS[kind]
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
