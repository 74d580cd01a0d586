"""Who somebody is whom a session names: the user, and with them the listener that nearly every answer needs.

Asked before every answer, and so in SQL: to have it written by the ORM takes five times as long as to ask.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db import connection
from django.db.models import Model

from listening.models import Listener, User


class WithListener(ModelBackend):
    """Passwords and permissions as Django has them; whoever is logged in is found together with their listener."""

    def get_user(self, user_id: Any) -> User | None:
        """The user with this primary key, if they may log in; `user.listener` is there without another query."""
        with connection.cursor() as cursor:
            cursor.execute(_FOUND, [user_id])
            found = cursor.fetchone()
        if found is None:
            return None
        user = User.from_db(connection.alias, _USER, found[: len(_USER)])
        if found[len(_USER)] is not None:
            listener = Listener.from_db(connection.alias, _LISTENER, found[len(_USER) :])
            listener.user = user  # and so the user knows the listener
        return user if self.user_can_authenticate(user) else None


def _attributes(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def _columns(table: str, model: type[Model]) -> str:
    return ", ".join(f'{table}."{field.column}"' for field in model._meta.concrete_fields)


_USER, _LISTENER = _attributes(User), _attributes(Listener)
_FOUND = f"""
    SELECT {_columns("someone", User)}, {_columns("listener", Listener)}
    FROM listening_user someone LEFT JOIN listening_listener listener ON listener.user_id = someone.id
    WHERE someone.id = %s
"""  # noqa: S608  # the columns of our own models
