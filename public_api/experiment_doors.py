"""What a token for experiments opens, for staff: make, begin, steer, follow, export. Doors: one call each."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from ninja.responses import Status

from evolution.models import Experiment
from laboratory import experiments, outcomes, results
from public_api import said, selectors, told
from public_api.access import Bearer, user_of
from public_api.fields import PAGE, SEARCH, Key
from public_api.listening_doors import FAULTS
from public_api.models import Token

RunId = Annotated[Key, Path()]
CSV = {
    "responses": {200: {"description": "The table", "content": {"text/csv": {"schema": {"type": "string"}}}}},
}

router = Router(auth=Bearer(Token.Scope.EXPERIMENTS), tags=["Experiments (staff)"])


@router.get(
    "/experiments", response={200: told.Experiments, **FAULTS}, url_name="experiments", summary="All experiments"
)
def index(request: HttpRequest, search: str = SEARCH, page: int = PAGE):
    """A page of experiments, the newest first; `search` looks in name, note and author."""
    return selectors.experiments(search=search, page=page)


@router.post(
    "/experiments", response={201: told.WholeExperiment, **FAULTS}, url_name="create", summary="Make an experiment"
)
def create(request: HttpRequest, experiment: said.NewExperiment):
    """Make an experiment from YAML; what is wrong with it is told with its lines."""
    author = user_of(request).get_username()
    text = experiment.configuration
    made = experiments.create(text, name=experiment.name, note=experiment.note, author=author)
    return Status(201, selectors.experiment(made.name, page=1))


@router.get(
    "/experiments/{slug:name}",
    response={200: told.WholeExperiment, **FAULTS},
    url_name="experiment",
    summary="One experiment",
)
def experiment(request: HttpRequest, name: str, page: int = PAGE):
    """An experiment, its configuration and a page of its runs."""
    return selectors.experiment(name, page=page)


@router.post(
    "/experiments/{slug:name}/runs", response={201: told.Begun, **FAULTS}, url_name="start", summary="Begin runs"
)
def start(request: HttpRequest, name: str, beginning: said.Beginning):
    """Begin a run for each of some reference listeners, all with the same seed."""
    chosen = Experiment.objects.get(name=name)
    if (beginning.listeners is None) == (beginning.count is None):
        raise experiments.RefusedError("listeners: expected either the listeners' numbers or a count of them")
    if beginning.listeners is not None:
        listeners = experiments.reference_listeners(chosen, ", ".join(map(str, beginning.listeners)))
    else:
        listeners = experiments.drawn_listeners(chosen, count=beginning.count or 0, seed=beginning.seed)
    begun = experiments.start(chosen, listeners=listeners, seed=beginning.seed)
    return Status(201, {"runs": [run.pk for run in begun]})


@router.post(
    "/experiments/{slug:name}/runs/{action}",
    response={200: told.Steered, **FAULTS},
    url_name="steer_all",
    summary="Pause, resume or stop all runs of an experiment",
)
def steer_all(request: HttpRequest, name: str, action: told.Action):
    """Every run that is in a state for it."""
    return {"changed": experiments.steer_all(Experiment.objects.get(name=name), action)}


@router.get("/runs/{run_id}", response={200: told.Pulse, **FAULTS}, url_name="run", summary="How far a run is")
def run(request: HttpRequest, run_id: RunId):
    """A run's state, its progress, what it cost, and its rounds."""
    return outcomes.pulse(outcomes.run(run_id))


@router.get(
    "/runs/{run_id}/history.csv",
    response={200: None, **FAULTS},
    url_name="history",
    summary="A run's generations as a table",
    openapi_extra=CSV,
)
def history(request: HttpRequest, run_id: RunId) -> HttpResponse:
    """CSV: round, generation, best, mean, median, worst, seconds, likeness, artefacts."""
    rows = results.history_rows(outcomes.run(run_id))
    headers = {"Content-Disposition": f'attachment; filename="run-{run_id}-history.csv"'}
    return HttpResponse(results.as_csv(rows, results.HISTORY), content_type="text/csv; charset=utf-8", headers=headers)


@router.post(
    "/runs/{run_id}/{action}",
    response={200: told.RunSteered, **FAULTS},
    url_name="steer",
    summary="Pause, resume or stop a run",
)
def steer(request: HttpRequest, run_id: RunId, action: told.Action):
    """`changed` is false when the run was in no state for it."""
    chosen = outcomes.run(run_id)
    changed = experiments.steer(chosen, action)
    return {"id": chosen.pk, "status": chosen.status, "changed": changed}
