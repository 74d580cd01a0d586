"""The panel's pages and actions: parse, make one call, answer. All for staff."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from evolution import config, targets
from evolution.models import Experiment, Recording, Run
from laboratory import drafts, experiments, outcomes, places, roster
from laboratory.access import for_staff
from laboratory.forms import NoteForm, OpenForm, StartForm, TextForm, UploadsForm, drawn_seed
from laboratory.settings_form import SettingsForm
from listening import sound
from listening.models import Track

LARGEST_REQUEST = targets.LARGEST_BYTES + places.MOST_PROMPT_BYTES + 1024 * 1024
"""Bytes: a target, prompts, and the rest of the form."""

HEARD_BY = ("evolution.view_recording", "listening.view_track")
"""Permissions of the admin, of which one is enough to hear any recording: they show its player."""

_DONE = {"pause": "paused", "resume": "resumed", "stop": "stopped"}


@require_GET
@for_staff
def index(request: HttpRequest) -> HttpResponse:
    """All experiments, and the arms that new listeners fall into."""
    search = request.GET.get("search", "").strip()[:100]
    found = [] if "\0" in search else outcomes.experiments(search=search)  # a database cannot even be asked for it
    shown = {"experiments": found, "arms": roster.arms(), "search": search.replace("\0", "")}
    return render(request, "laboratory/index.html", shown)


@csrf_exempt  # the token is in the body, which is not read before its size is known; `_new` checks it
@require_http_methods(["GET", "POST"])
@for_staff
def new(request: HttpRequest) -> HttpResponseBase:
    """A new experiment, from an example, a form or a text."""
    try:
        size = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        size = 0
    if size > LARGEST_REQUEST:
        most = targets.LARGEST_BYTES // 2**20
        shown = {"reason": f"Expected at most {most} MB for the target music, got {size / 2**20:.0f} MB in all."}
        return render(request, "laboratory/too_large.html", shown, status=413)
    return _new(request)


@csrf_protect
def _new(request: HttpRequest) -> HttpResponseBase:
    way = request.POST.get("way") or request.GET.get("way") or "examples"
    if way == "settings":
        return _from_settings(request)
    if way == "text":
        return _from_text(request)
    return render(request, "laboratory/new.html", {"way": "examples", "examples": drafts.examples()})


def _from_settings(request: HttpRequest) -> HttpResponse:
    form = SettingsForm(request.POST, request.FILES) if request.method == "POST" else SettingsForm()
    if request.method == "POST" and form.is_valid():
        text, hidden = drafts.without_secrets(form.text())
        text_form = TextForm(initial={"name": form.cleaned_data["name"], "text": text})
        return _checked(request, text_form, text, hidden=hidden)
    status = 400 if form.is_bound else 200
    return render(request, "laboratory/new.html", {"way": "settings", "form": form}, status=status)


def _from_text(request: HttpRequest) -> HttpResponseBase:
    if request.method != "POST":
        begun, notes = _begun(request)
        beginning = {"way": "text", "form": TextForm(initial=begun), "warnings": notes}
        return render(request, "laboratory/new.html", beginning)
    form = TextForm(request.POST, request.FILES)
    form.is_valid()
    text, hidden = drafts.without_secrets(_with_uploads(request.POST.get("text", ""), form))
    shown = TextForm(initial={name: form.data.get(name, "") for name in ("name", "note")} | {"text": text})
    if form.errors:
        return _checked(request, shown, text, wrong=form, hidden=hidden)
    if "check" in request.POST or hidden:
        return _checked(request, shown, text, hidden=hidden)
    try:
        made = experiments.create(
            text,
            name=form.cleaned_data["name"],
            note=form.cleaned_data["note"],
            author=request.user.get_username(),
        )
    except config.ConfigurationError:
        return _checked(request, shown, text)
    messages.success(request, f"{made.name} is made. Choose who listens to it.")
    return redirect("laboratory:experiment", made.name)


def _begun(request: HttpRequest) -> tuple[dict[str, str], list[str]]:
    """What the text begins with, an example, an old experiment, or nothing; and what was left out of it."""
    asked, clone = request.GET.get("example"), request.GET.get("clone")
    if clone:
        if "\0" in clone:
            raise Http404
        old = get_object_or_404(Experiment, name=clone)
        text, notes = places.cloned(experiments.configuration(old), prompts=old.prompts)
        return {"name": old.name[:40], "note": f"After {old.name}.", "text": text}, notes
    if asked:
        example = drafts.example(asked)
        if example is None:
            raise Http404
        return {"name": example.name, "text": example.text}, []
    return {"text": ""}, []


def _with_uploads(text: str, form: UploadsForm) -> str:
    """The text naming what was uploaded with it."""
    text = text.replace("\r\n", "\n")
    if form.target_name:
        text = drafts.with_target(text, form.target_name)
    return drafts.with_prompts(text, form.prompts_name) if form.prompts_name else text


def _checked(
    request: HttpRequest, form: TextForm, text: str, *, wrong: TextForm | None = None, hidden: bool = False
) -> HttpResponse:
    """The text with what is wrong with it beside its lines, or with what it comes to."""
    shown: dict[str, Any] = {"way": "text", "form": form, "wrong": wrong, "hidden": hidden}
    try:
        configuration = drafts.check(text)
    except config.ConfigurationError as error:
        lines = drafts.listing(text, error.faults)
        shown |= {"lines": lines, "faults": [(line, fault) for line in lines for fault in line.faults]}
        return render(request, "laboratory/new.html", shown, status=400)
    shown |= {"configuration": configuration, "warnings": drafts.warnings(configuration)}
    return render(request, "laboratory/new.html", shown, status=400 if wrong or hidden else 200)


@require_GET
@for_staff
def experiment(request: HttpRequest, name: str) -> HttpResponse:
    """An experiment: its runs, who listens, its configuration."""
    return _experiment(request, get_object_or_404(Experiment, name=name))


def _experiment(request: HttpRequest, shown: Experiment, *, status: int = 200, **forms: Any) -> HttpResponse:
    configuration = experiments.configuration(shown)
    users = [user.target_user_id for user in configuration.user_model.users if user.target_user_id is not None]
    known = {
        "experiment": shown,
        "configuration": configuration,
        "text": places.text(configuration),
        "complete": config.to_yaml(places.named(configuration)),
        "runs": roster.of(shown, page=request.GET.get("page")),
        "counts": roster.status_counts(shown),
        "has_people": roster.has_people(shown),
        "warnings": drafts.warnings(configuration),
        "start_form": StartForm(initial={"listeners": ", ".join(map(str, users)) or "0", "seed": drawn_seed()}),
        "open_form": OpenForm(initial={"weight": shown.weight}),
        "note_form": NoteForm(initial={"note": shown.note}),
    }
    return render(request, "laboratory/experiment.html", known | forms, status=status)


@require_POST
@for_staff
def start(request: HttpRequest, name: str) -> HttpResponse:
    """Begin a run for each of the chosen reference listeners."""
    chosen, form = get_object_or_404(Experiment, name=name), StartForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            if given["listeners"].strip():
                listeners = experiments.reference_listeners(chosen, given["listeners"])
            else:
                listeners = experiments.drawn_listeners(chosen, count=given["count"], seed=given["seed"])
        except experiments.RefusedError as reason:
            form.add_error("listeners" if given["listeners"].strip() else "count", _sentence(reason))
        else:
            begun = experiments.start(chosen, listeners=listeners, seed=given["seed"])
            messages.success(request, f"{len(begun)} {'run' if len(begun) == 1 else 'runs'} begun.")
            return redirect("laboratory:experiment", name)
    return _experiment(request, chosen, status=400, start_form=form)


@require_POST
@for_staff
def open_to_people(request: HttpRequest, name: str) -> HttpResponse:
    """Let new listeners fall into it."""
    chosen, form = get_object_or_404(Experiment, name=name), OpenForm(request.POST)
    if form.is_valid():
        try:
            experiments.open_to_people(chosen, weight=form.cleaned_data["weight"])
        except experiments.RefusedError as reason:
            form.add_error(None, _sentence(reason))
        else:
            messages.success(request, f"{name} is open: new listeners fall into it.")
            return redirect("laboratory:experiment", name)
    return _experiment(request, chosen, status=400, open_form=form)


@require_POST
@for_staff
def close(request: HttpRequest, name: str) -> HttpResponse:
    """Let no new listener fall into it."""
    experiments.close(get_object_or_404(Experiment, name=name))
    messages.success(request, f"{name} is closed. Those who listen to it go on.")
    return redirect("laboratory:experiment", name)


@require_POST
@for_staff
def note(request: HttpRequest, name: str) -> HttpResponse:
    """Keep a note."""
    chosen, form = get_object_or_404(Experiment, name=name), NoteForm(request.POST)
    if not form.is_valid():
        return _experiment(request, chosen, status=400, note_form=form)
    experiments.note(chosen, form.cleaned_data["note"])
    messages.success(request, "The note is kept.")
    return redirect("laboratory:experiment", name)


@require_http_methods(["GET", "POST"])
@for_staff
def delete(request: HttpRequest, name: str) -> HttpResponse:
    """Ask, then delete an experiment with its runs."""
    chosen = get_object_or_404(Experiment, name=name)
    if request.method == "POST":
        try:
            experiments.delete(chosen)
        except experiments.RefusedError as reason:
            messages.error(request, f"{name} cannot be deleted: {reason}.")
            return redirect("laboratory:experiment", name)
        messages.success(request, f"{name} is deleted.")
        return redirect("laboratory:index")
    shown = {"experiment": chosen, "counts": roster.status_counts(chosen), "has_people": roster.has_people(chosen)}
    return render(request, "laboratory/delete.html", shown)


@require_POST
@for_staff
def steer(request: HttpRequest, run_id: int, action: experiments.Action) -> HttpResponse:
    """Pause, resume or stop a run, and go back to where that was asked for (`next`)."""
    run = get_object_or_404(Run.objects.select_related("experiment").defer("searcher_state"), pk=run_id)
    try:
        if experiments.steer(run, action):
            messages.success(request, f"Run {run.pk} is {_DONE[action]}.")
        else:
            status = run.get_status_display().lower()
            messages.warning(request, f"Run {run.pk} is {status}: there is nothing to {action}.")
    except experiments.RefusedError as reason:
        messages.error(request, _sentence(reason))
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return redirect(back)
    return redirect("laboratory:experiment", run.experiment.name)


@require_POST
@for_staff
def steer_all(request: HttpRequest, name: str, action: str) -> HttpResponse:
    """Pause, resume or stop every run of an experiment."""
    if action not in _DONE:
        raise Http404
    number = experiments.steer_all(get_object_or_404(Experiment, name=name), action)  # type: ignore[arg-type]
    messages.success(request, f"{number} {'run is' if number == 1 else 'runs are'} {_DONE[action]}.")
    return redirect("laboratory:experiment", name)


@require_safe
@for_staff
def recording_audio(request: HttpRequest, key: str) -> HttpResponse:
    """A recording's sound, for the admin's players: for who may look at the rows that have one."""
    if not any(request.user.has_perm(permission) for permission in HEARD_BY):
        raise Http404
    recording = get_object_or_404(Recording, key=key)
    return sound.answer(request, Track(recording=recording, title=key[:12]), download=False)


def _sentence(reason: Exception) -> str:
    text = str(reason)
    return f"{text[:1].upper()}{text[1:]}."
