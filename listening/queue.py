"""Hands work to the conductors, by name: who asks for a round need not import what runs it."""

from __future__ import annotations

import logging
import uuid

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def enqueue(round_id: int) -> None:
    """Have a conductor run the round. When the broker is down the round stays pending and is found later."""
    _send("listening.tasks.run_round", round_id, f"round {round_id}")


def enqueue_report(listener_id: int) -> None:
    """Have a conductor read the listener's taste again for their page."""
    _send("listening.tasks.report_taste", listener_id, f"taste report of listener {listener_id}")


def enqueue_duet(duet_id: uuid.UUID) -> None:
    """Have a conductor make the playlist that two listeners asked for."""
    _send("listening.tasks.compose_duet", str(duet_id), f"duet {duet_id}")


def _send(task: str, subject: int | str, told: str) -> None:
    try:
        current_app.send_task(task, args=[subject], queue="rounds")
    except OperationalError:
        logger.warning("%s: the broker does not answer; it will be found when it does", told)
