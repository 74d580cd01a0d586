"""Whether the database's tables are those that this version of the program works with."""

from __future__ import annotations

from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

Name = tuple[str, str]

_CURRENT: list[bool] = []
"""Once they are, they stay so for the life of this process: it is not asked again with every probe."""


def unapplied() -> list[str]:
    """The migrations that the database lacks, as `app.name`, in order of their names.

    A database that has migrations of a newer version beside all of ours lacks none.
    Raises django.db.Error when it does not answer.
    """
    if _CURRENT:
        return []
    applied = set(MigrationRecorder(connection).applied_migrations())
    lacking = sorted(f"{app}.{name}" for app, name in known() - applied)
    if not lacking:
        _CURRENT.append(True)
    return lacking


@cache
def known() -> frozenset[Name]:
    """Every migration of this version; read without a database."""
    return frozenset(MigrationLoader(None).graph.nodes)
