"""The panel's page of tastes: what is proved over all listeners, and maps of listeners and songs."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST, require_safe

from evolution.models import Experiment
from laboratory import taste_pictures
from laboratory.access import for_staff
from laboratory.forms import drawn_seed
from listening import proofs
from listening.models import Listener


@require_GET
@for_staff
def tastes(request: HttpRequest) -> HttpResponse:
    """What is proved over all people and over all synthetic listeners, and the maps that were drawn last."""
    groups = {
        "People": Listener.objects.filter(user__isnull=False),
        "Synthetic listeners": Listener.objects.filter(reference_user__isnull=False),
    }
    shown = {
        "groups": [(name, proofs.of_everyone(found)) for name, found in groups.items()],
        "experiments": Experiment.objects.order_by("-pk").values_list("name", flat=True)[:100],
        **taste_pictures.shown(),
    }
    return render(request, "laboratory/tastes.html", shown)


@require_safe
@for_staff
def picture(_request: HttpRequest, method: str) -> HttpResponse:
    """A map as it was drawn last."""
    path = taste_pictures.file(method)
    if path is None:
        raise Http404
    return HttpResponse(path.read_bytes(), content_type="image/png", headers={"Cache-Control": "private, no-cache"})


@require_POST
@for_staff
def draw(request: HttpRequest) -> HttpResponse:
    """Have the maps drawn, with the listeners of an experiment as marks."""
    experiment = request.POST.get("experiment", "")
    if "\0" in experiment or (experiment and not Experiment.objects.filter(name=experiment).exists()):
        raise Http404
    given = request.POST.get("seed", "").strip()
    if given and not (given.isascii() and given.isdigit() and len(given) <= 9):
        messages.error(request, f"Seed: expected a number from 0 to 999999999, got {given[:40]}.")
        return redirect("laboratory:tastes")
    try:
        seed = int(given) if given else drawn_seed()
        messages.info(request, taste_pictures.ask(experiment=experiment, seed=seed))
    except taste_pictures.UnreachableError as error:
        messages.error(request, str(error))
    return redirect("laboratory:tastes")
