"""The conductor's doors (queue `rounds`). What they call is imported inside: the web process must not import torch."""

from __future__ import annotations

from celery import shared_task


@shared_task
def run_round(round_id: int) -> None:
    from listening import rounds

    rounds.run(round_id)


@shared_task
def resume_abandoned() -> None:
    from listening import rounds

    rounds.resume_abandoned()
