"""Sessions in the database, as Django keeps them; asked for before every answer, and so by a statement of our own."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db
from django.db import connection
from django.utils import timezone

_DATA = "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s"


class SessionStore(db.SessionStore):
    """A session's values by its key."""

    def load(self) -> dict[str, Any]:
        """The values; none, and no key either, where the session is unknown or over."""
        with connection.cursor() as cursor:
            cursor.execute(_DATA, [self.session_key, timezone.now()])
            found = cursor.fetchone()
        if found is None:
            self._session_key = None
            return {}
        return dict(self.decode(found[0]))
