"""Starting experiments, runs and rounds: the writes that need no search."""

from __future__ import annotations

import secrets

from django.db import transaction
from django.utils import timezone

from evolution import config
from evolution.models import Experiment, Round, Run

LARGEST_SEED = 2**63 - 1


def experiment(*, name: str, configuration: dict[str, object]) -> Experiment:
    """The experiment of that name, made from `configuration` when it is new.

    Raises evolution.config.ConfigurationError for a configuration that contradicts the schema.
    """
    complete = config.parse(configuration).model_dump(mode="json")
    return Experiment.objects.get_or_create(name=name, defaults={"configuration": complete})[0]


def start(experiment: Experiment, *, seed: int | None = None) -> Run:
    """A new run; its seed is drawn unless it is given, and is stored either way."""
    return Run.objects.create(experiment=experiment, seed=secrets.randbelow(LARGEST_SEED) if seed is None else seed)


def configuration(run: Run) -> config.Configuration:
    """The validated configuration of a run."""
    return config.parse(run.experiment.configuration)


@transaction.atomic
def request_round(run: Run) -> tuple[Round, bool]:
    """The pending round of a run, and whether it is new: asking twice asks once."""
    locked = Run.objects.select_for_update().get(pk=run.pk)
    latest = locked.rounds.order_by("-number").first()
    if latest is not None and latest.status in Round.PENDING:
        return latest, False
    if latest is not None and latest.status == Round.Status.FAILED:
        latest.status, latest.message, latest.finished_at = Round.Status.QUEUED, "", None
        latest.save(update_fields=["status", "message", "finished_at"])
        return latest, True
    number = latest.number + 1 if latest else 1
    settings = configuration(locked)
    # Before anything was rated there is no taste to evolve towards: one generation is enough to choose from.
    blind = settings.evolution.fitness.mode == "dynamic" and number == 1
    planned = 1 if blind else settings.evolution.generations
    return Round.objects.create(run=locked, number=number, generations_planned=planned), True


def enter(round_: Round, status: Round.Status, *, message: str = "") -> None:
    """Note that a round has come to `status`."""
    round_.status, round_.message = status, message
    if round_.started_at is None:
        round_.started_at = timezone.now()
    if status in (Round.Status.DONE, Round.Status.FAILED):
        round_.finished_at = timezone.now()
    round_.save(update_fields=["status", "message", "started_at", "finished_at"])
