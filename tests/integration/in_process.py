"""A Celery worker in threads of the test's own process, and waiting for what it does."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from celery.contrib.testing.worker import start_worker

from evolution.models import Round
from evomusic_site.celery import app


@contextmanager
def worker(*queues: str) -> Iterator[None]:
    """A worker on `queues`. Celery silences the whole process's log as it starts one: the level is put back."""
    level = logging.root.level
    try:
        with start_worker(app, pool="threads", concurrency=6, queues=list(queues), perform_ping_check=False):
            logging.root.setLevel(level)
            yield
    finally:
        logging.root.setLevel(level)


def ended(round_: Round, *, seconds: float = 60.0) -> Round:
    """The round as it is when it is over, however it ended. Raises AssertionError when it is not in so long."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        round_.refresh_from_db()
        if round_.status not in Round.PENDING:
            return round_
        time.sleep(0.05)
    raise AssertionError(f"{round_} is still {round_.status}")
