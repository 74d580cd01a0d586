"""Who is there: each process holds a connection under its role's name, and PostgreSQL lists them.

A process that dies takes its connection with it, so nothing has to expire.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection

logger = logging.getLogger(__name__)

PREFIX = "evomusic-here "
INTERVAL = 3.0  # seconds between two looks at the held connection


def announce(role: str) -> None:
    """Hold a connection named after `role` for as long as this process lives."""
    _start(role, threading.Event())


@contextmanager
def present(role: str) -> Iterator[None]:
    """Hold such a connection inside the block."""
    leave = threading.Event()
    thread = _start(role, leave)
    give_up = time.monotonic() + INTERVAL
    while not count().get(role) and time.monotonic() < give_up:
        time.sleep(0.01)
    try:
        yield
    finally:
        leave.set()
        thread.join()


def count() -> dict[str, int]:
    """How many processes of each role are there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substr(application_name, %s), count(*) FROM pg_stat_activity"
            " WHERE application_name LIKE %s GROUP BY 1",
            [len(PREFIX) + 1, PREFIX + "%"],
        )
        return dict(cursor.fetchall())


def _start(role: str, leave: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=_hold, args=(role, leave), name="presence", daemon=True)
    thread.start()
    return thread


def _hold(role: str, leave: threading.Event) -> None:
    parameters = {**connection.get_connection_params(), "application_name": PREFIX + role}
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(ours, None)
    while not leave.is_set():
        try:
            with psycopg.connect(**parameters, autocommit=True) as held:
                while not leave.wait(INTERVAL):
                    held.execute("SELECT 1")
        except psycopg.Error:
            logger.warning("%s: the database does not answer; asking again in %.0f s", role, INTERVAL)
            leave.wait(INTERVAL)
