"""Rows that are read for nearly every answer, by statements that are written once.

To have such a statement written by the ORM takes three to five times as long as to ask the database.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model

First = TypeVar("First", bound=Model)
Second = TypeVar("Second", bound=Model)


class Pair(Generic[First, Second]):
    """A row with the one that belongs to it, as the ORM would have them.

    joined, where: SQL that calls them `first` and `second`, with %s for each value.
    without: columns that are left where they are until somebody asks for them: large ones, and those whose values the
    ORM converts.
    """

    def __init__(
        self, first: type[First], second: type[Second], *, joined: str, where: str, without: Collection[str] = ()
    ) -> None:
        self._first, self._of_first = first, _attributes(first, without)
        self._second, self._of_second = second, _attributes(second, without)
        columns = [*_columns("first", self._of_first.values()), *_columns("second", self._of_second.values())]
        tables = f'"{first._meta.db_table}" AS first LEFT JOIN "{second._meta.db_table}" AS second ON {joined}'
        self._statement = f"SELECT {', '.join(columns)} FROM {tables} WHERE {where}"  # noqa: S608  # all of it is ours

    def find(self, *values: Any) -> tuple[First, Second | None] | None:
        """The one pair for these values; None where there is no first row, and in the second place where none belongs.

        Neither knows of the other yet.
        """
        with connection.cursor() as cursor:
            cursor.execute(self._statement, values)
            row = cursor.fetchone()
        if row is None:
            return None
        mine, belonging = row[: len(self._of_first)], row[len(self._of_first) :]
        first = self._first.from_db(connection.alias, list(self._of_first), mine)
        if all(value is None for value in belonging):
            return first, None
        return first, self._second.from_db(connection.alias, list(self._of_second), belonging)


def _attributes(model: type[Model], without: Collection[str]) -> dict[str, str]:
    """Columns by the names that instances know them by."""
    return {field.attname: str(field.column) for field in model._meta.concrete_fields if field.column not in without}


def _columns(table: str, names: Collection[str]) -> list[str]:
    return [f'{table}."{name}"' for name in names]
