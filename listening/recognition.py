"""Who somebody is whom a session names: the user, and with them the listener that nearly every answer needs."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from listening.models import Listener, User
from listening.statements import Pair

_USER = Pair(User, Listener, joined="second.user_id = first.id", where="first.id = %s")


class WithListener(ModelBackend):
    """Passwords and permissions as Django has them; whoever is logged in is found together with their listener."""

    def get_user(self, user_id: Any) -> User | None:
        """The user with this primary key, if they may log in; `user.listener` is there without another query."""
        found = _USER.find(user_id)
        if found is None:
            return None
        user, listener = found
        if listener is not None:
            listener.user = user  # and so the user knows the listener
        return user if self.user_can_authenticate(user) else None
