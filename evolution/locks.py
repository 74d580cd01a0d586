"""Claims that a dead process cannot keep: PostgreSQL's advisory locks, freed when their connection ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from django.db import DatabaseError, connection


def number(name: str) -> int:
    """The lock number of a name: a signed 64-bit integer."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


@contextmanager
def claim(name: str) -> Iterator[bool]:
    """Hold the claim of `name` inside the block; yields False, at once, when another process holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number(name)])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            _free(name)


def held(names: list[str]) -> set[str]:
    """Which of `names` some living process has claimed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks"
            " WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        numbers = {row[0] for row in cursor.fetchall()}
    return {name for name in names if number(name) in numbers}


def _free(name: str) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number(name)])
    except DatabaseError:
        connection.close()  # a broken connection frees its locks when it ends
