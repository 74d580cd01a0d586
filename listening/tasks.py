"""The conductor's doors (queue `rounds`). What they call is imported inside: the web process must not import torch."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.conf import settings


@shared_task
def run_round(round_id: int) -> None:
    from listening import conducting

    conducting.serve(round_id)


@shared_task
def resume_abandoned() -> None:
    from listening import conducting, rounds

    rounds.resume_abandoned()
    conducting.resume_stranded()


@shared_task
def prune_evaluations() -> None:
    from evolution import pruning

    pruning.prune(older_than=timedelta(days=settings.EVALUATIONS_KEPT_DAYS))
