"""The conductor's doors (queue `rounds`). What they call is imported inside: the web process must not import torch."""

from __future__ import annotations

import uuid
from datetime import timedelta

from celery import shared_task
from django.conf import settings


@shared_task
def run_round(round_id: int) -> None:
    from listening import conducting

    conducting.serve(round_id)


@shared_task
def report_taste(listener_id: int) -> None:
    from listening import reports

    reports.make(listener_id)


@shared_task
def compose_duet(duet_id: str) -> None:
    from listening import duet_composition

    duet_composition.compose(uuid.UUID(duet_id))


@shared_task
def import_reference_listeners() -> None:
    from listening import reference_listeners

    reference_listeners.import_shipped()


@shared_task
def resume_abandoned() -> None:
    from listening import conducting, duet_composition, reports, rounds

    rounds.resume_abandoned()
    conducting.resume_stranded()
    reports.resume_lost()
    duet_composition.resume_lost()


@shared_task
def prune_evaluations() -> None:
    from evolution import pruning

    pruning.prune(older_than=timedelta(days=settings.EVALUATIONS_KEPT_DAYS))


@shared_task
def prune_guests() -> None:
    from listening import deletion

    deletion.prune_guests(idle=timedelta(days=settings.GUESTS_KEPT_DAYS))
    deletion.sweep()
