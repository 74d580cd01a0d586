"""Hands rounds to the conductors, by name: who asks for a round need not import what runs it."""

from __future__ import annotations

import logging

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def enqueue(round_id: int) -> None:
    """Have a conductor run the round. When the broker is down the round stays pending and is found later."""
    try:
        current_app.send_task("listening.tasks.run_round", args=[round_id], queue="rounds")
    except OperationalError:
        logger.warning("round %s: the broker does not answer; it will be found when it does", round_id)
