"""Starting and steering experiments, runs and rounds: the writes that need no search."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from evolution import config, events
from evolution.models import Experiment, Round, Run
from evolution.takes import Instruments
from models_store.instruments import Kind, of

LARGEST_SEED = 2**63 - 1


class NotWantedError(RuntimeError):
    """Somebody paused or stopped the run while it was worked on; what was stored so far stays."""


def experiment(*, name: str, configuration: dict[str, object]) -> Experiment:
    """The experiment of that name, made from `configuration` when it is new.

    Raises evolution.config.ConfigurationError for a configuration that contradicts the schema.
    """
    complete = config.dump(config.parse(configuration))
    return Experiment.objects.get_or_create(name=name, defaults={"configuration": complete})[0]


@transaction.atomic
def create(
    configuration: config.Configuration,
    *,
    name: str = "",
    prompts: Sequence[str] = (),
    author: str = "",
    note: str = "",
) -> Experiment:
    """A new experiment. `name` (or exp_name) becomes a slug, with a number behind it when it is taken.

    prompts: the lines of its init_file, kept with it so that no run depends on the file any more.
    """
    wanted = slugify(name or configuration.evolution.exp_name)[:40] or "experiment"
    taken = set(Experiment.objects.filter(name__startswith=wanted).values_list("name", flat=True))
    number = next(number for number in range(1, len(taken) + 2) if _numbered(wanted, number) not in taken)
    return Experiment.objects.create(
        name=_numbered(wanted, number),
        configuration=config.dump(configuration),
        prompts=list(prompts),
        author=author,
        note=note,
    )


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def start(
    experiment: Experiment,
    *,
    seed: int | None = None,
    rounds_planned: int | None = None,
    conductor: str = Run.Conductor.SERVICE,
) -> Run:
    """A new run; its seed is drawn unless it is given, and is stored either way.

    rounds_planned: how many rounds it goes on by itself; None: as many as its listener asks for.
    """
    return Run.objects.create(
        experiment=experiment,
        seed=secrets.randbelow(LARGEST_SEED) if seed is None else seed,
        rounds_planned=rounds_planned,
        conductor=conductor,
    )


def configuration(run: Run) -> config.Configuration:
    """The validated configuration of a run."""
    return config.parse(run.experiment.configuration)


def instruments(run: Run) -> Instruments:
    """What plays and hears in a run."""
    return instruments_of(configuration(run))


def instruments_of(wanted: config.Configuration) -> Instruments:
    """What plays and hears in an experiment that is so configured."""
    told, ear = wanted.instrument, wanted.encoder
    heard = _default_model("encoder", wanted.music_encoder)  # None for the embedded one, which has no model
    if wanted.music_model == config.EMBEDDED_GENERATOR:
        parameters = {"soundfont_path": settings.SOUNDFONT} if settings.SOUNDFONT else {}
    else:
        known: dict[str, Any] = {
            "model": told.model or _default_model("generator", wanted.music_model),
            "inference_steps": told.inference_steps,
            "input_type": wanted.input_type,
        }
        parameters = {name: value for name, value in known.items() if value is not None}
    return Instruments(
        generator=wanted.music_model,
        encoder=wanted.music_encoder,
        parameters=parameters,
        encoder_parameters={"model": ear.model or heard} if heard else {},
        device=told.device,
        encoder_device=ear.device,
    )


def _default_model(kind: Kind, name: str) -> str | None:
    """The model that is loaded when none is named: spelt out, so that both ways share their evaluations."""
    return of(kind, name).default_model


def pause(run: Run) -> bool:
    """Let it rest after the generation that is being made; False when it was not running."""
    return _move(run, Run.Status.PAUSED, among=[Run.Status.RUNNING])


def resume(run: Run) -> bool:
    """Let it go on where it was; False when it was neither paused nor failed nor stopped."""
    return _move(run, Run.Status.RUNNING, among=[Run.Status.PAUSED, Run.Status.STOPPED, Run.Status.FAILED])


def stop(run: Run) -> bool:
    """End it before its time; what was made stays. False when it was over."""
    stopped = _move(run, Run.Status.STOPPED, among=[Run.Status.RUNNING, Run.Status.PAUSED])
    if stopped:
        for round_ in run.rounds.filter(status__in=Round.PENDING):
            enter(round_, Round.Status.STOPPED)
    return stopped


def finish(run: Run) -> bool:
    """All its rounds are done."""
    return _move(run, Run.Status.DONE, among=[Run.Status.RUNNING])


def fail(run: Run, message: str) -> bool:
    """It cannot go on; the message says why, and it can be resumed once that is mended."""
    return _move(run, Run.Status.FAILED, among=[Run.Status.RUNNING, Run.Status.PAUSED], message=message)


def _move(run: Run, status: Run.Status, *, among: Sequence[Run.Status], message: str = "") -> bool:
    """To another status, if it is in one of these; everybody who watches is told."""
    over = status in (Run.Status.STOPPED, Run.Status.DONE, Run.Status.FAILED)
    changes = {"status": status, "message": message, "finished_at": timezone.now() if over else None}
    moved = Run.objects.filter(pk=run.pk, status__in=among).update(**changes)
    if not moved and not Run.objects.filter(pk=run.pk).exists():
        return False
    run.refresh_from_db(fields=list(changes))
    if moved:
        transaction.on_commit(lambda: events.run_changed(run))
    return bool(moved)


def still_wanted(run: Run) -> None:
    """Raises NotWantedError when the run was paused, stopped or deleted since."""
    status = Run.objects.filter(pk=run.pk).values_list("status", flat=True).first()
    if status != Run.Status.RUNNING:
        raise NotWantedError(f"{run} is {status or 'deleted'}")


@transaction.atomic
def request_round(run_id: int, *, after: int | None = None) -> tuple[Round, bool]:
    """The pending round of a run, and whether it is new: asking twice asks once.

    after: the number of the round that it shall follow; when the run is further already, its latest is given.
    """
    runs = Run.objects.select_related("experiment").defer("searcher_state", "first_prompts")
    locked = runs.select_for_update(of=("self",)).get(pk=run_id)
    latest = locked.rounds.order_by("-number").first()
    if after is not None and latest is not None and latest.number != after:
        return latest, False
    if latest is not None and latest.status in Round.PENDING:
        return latest, False
    if latest is not None and latest.status in (Round.Status.FAILED, Round.Status.STOPPED):
        latest.status, latest.message, latest.finished_at = Round.Status.QUEUED, "", None
        latest.save(update_fields=["status", "message", "finished_at"])
        return latest, True
    number = latest.number + 1 if latest else 1
    settings = configuration(locked)
    # Before anything was rated there is no taste to evolve towards: one generation is enough to choose from.
    is_first = latest is None or (
        latest.status == Round.Status.CANCELLED and not locked.rounds.exclude(status=Round.Status.CANCELLED).exists()
    )
    blind = settings.evolution.fitness.mode == "dynamic" and is_first
    planned = 1 if blind else settings.evolution.generations
    return Round.objects.create(run=locked, number=number, generations_planned=planned), True


@transaction.atomic
def enter(round_: Round, status: Round.Status, *, message: str = "") -> None:
    """Note that a round has come to `status`. Raises NotWantedError for one that was cancelled, which is over."""
    now = Round.objects.select_for_update().filter(pk=round_.pk).values_list("status", flat=True).first()
    if now == Round.Status.CANCELLED and status != Round.Status.DONE:  # made before it was noticed: then it is there
        raise NotWantedError(f"{round_} was cancelled")
    round_.status, round_.message = status, message
    if round_.started_at is None and status != Round.Status.CANCELLED:
        round_.started_at = timezone.now()
    if status not in Round.PENDING:
        round_.finished_at = timezone.now()
    round_.save(update_fields=["status", "message", "started_at", "finished_at"])


def round_still_wanted(round_: Round) -> None:
    """Raises NotWantedError when the round was cancelled, stopped or deleted since: what is made of it now is lost.

    Not for a run that was paused: that rests after the generation that is being made.
    """
    status = Round.objects.filter(pk=round_.pk).values_list("status", flat=True).first()
    if status not in Round.PENDING:
        raise NotWantedError(f"{round_} is {status or 'deleted'}")
