"""The conductor's doors (queue `rounds`). What they call is imported inside: the web process must not import torch."""

from __future__ import annotations

import logging

from celery import shared_task
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


@shared_task
def run_round(round_id: int) -> None:
    from listening import rounds

    rounds.run(round_id)


@shared_task
def resume_abandoned() -> None:
    from listening import rounds

    rounds.resume_abandoned()


def enqueue(round_id: int) -> None:
    """Have a conductor run the round. When the broker is down the round stays pending and is found later."""
    try:
        run_round.delay(round_id)
    except OperationalError:
        logger.warning("round %s: the broker does not answer; it will be found when it does", round_id)
