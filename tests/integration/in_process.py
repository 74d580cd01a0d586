"""A Celery worker in threads of the test's own process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from celery.contrib.testing.worker import start_worker

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
