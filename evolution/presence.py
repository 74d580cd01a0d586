"""Who is there: each process holds a connection under its role's name, and PostgreSQL lists them.

A process that dies takes its connection with it, so nothing has to expire.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

logger = logging.getLogger(__name__)

PREFIX = "evomusic-here "
_COUNT = (
    "SELECT substr(application_name, %s), count(*) FROM pg_stat_activity"
    " WHERE application_name LIKE %s AND datname = current_database() GROUP BY 1"
)
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
        cursor.execute(_COUNT, [len(PREFIX) + 1, PREFIX + "%"])
        return dict(cursor.fetchall())


def probe() -> dict[str, int] | None:
    """The same by a connection of its own, within seconds; None when the database does not answer."""
    try:
        with psycopg.connect(**_parameters("probe"), autocommit=True, connect_timeout=2) as asked:
            return dict(asked.execute(_COUNT, [len(PREFIX) + 1, PREFIX + "%"]).fetchall())
    except psycopg.Error:
        return None


def writable() -> bool | None:
    """Whether the database takes what is written; None when it does not answer. Asked by a connection of its own."""
    try:
        with psycopg.connect(**_parameters("probe"), autocommit=True, connect_timeout=2) as asked:
            row = asked.execute("SHOW transaction_read_only").fetchone()
            return row is not None and row[0] == "off"
    except psycopg.Error:
        return None


def _start(role: str, leave: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=_hold, args=(role, leave), name="presence", daemon=True)
    thread.start()
    return thread


def _hold(role: str, leave: threading.Event) -> None:
    while not leave.is_set():
        try:
            with psycopg.connect(**_parameters(PREFIX + role), autocommit=True) as held:
                while not leave.wait(INTERVAL):
                    held.execute("SELECT 1")
        except psycopg.Error:
            logger.warning("%s: the database does not answer; asking again in %.0f s", role, INTERVAL)
            leave.wait(INTERVAL)


def _parameters(name: str) -> dict[str, Any]:
    """How Django connects, for a plain connection under this name."""
    parameters = {**connection.get_connection_params(), "application_name": name}
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(ours, None)
    return parameters
