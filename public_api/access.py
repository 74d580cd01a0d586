"""Who asks: the bearer of a token, and nobody else. A browser's session opens nothing here.

So there is nothing that another site could have a browser do in its user's name, and no CSRF token is needed.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import HttpBearer

from listening import listeners
from listening.models import Listener, User
from public_api import limits, tokens
from public_api.models import Token

FORBIDDEN = 403


class Bearer(HttpBearer):
    """`Authorization: Bearer evo_...`, with a scope."""

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> Token | None:  # noqa: ARG002  (ninja calls it)
        """The token; None, which is answered by 401, when it opens nothing. Raises HttpError 403, TooManyError."""
        found = tokens.find(token)
        if found is None:
            return None
        limits.spend(found)
        if self.scope not in found.scopes:
            raise HttpError(FORBIDDEN, f"Expected a token with the scope {self.scope}, got {', '.join(found.scopes)}.")
        if self.scope == Token.Scope.EXPERIMENTS and not found.user.is_staff:
            raise HttpError(FORBIDDEN, "Expected a member of staff, got somebody who is not.")
        return found


def user_of(request: HttpRequest) -> User:
    """Whose token was shown."""
    token: Token = request.auth  # type: ignore[attr-defined]  # ninja puts there what `authenticate` gave
    return token.user


def listener_of(request: HttpRequest) -> Listener:
    """Who listens; a member of staff who never did becomes a listener, as on the pages."""
    user = user_of(request)
    return listeners.of_user(user) or _attached(user)


@transaction.atomic
def _attached(user: User) -> Listener:
    User.objects.select_for_update().get(pk=user.pk)  # two first requests at once make one listener
    return listeners.attach(user)
