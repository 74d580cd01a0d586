"""Making, finding and revoking tokens.

A token is `evo_<key>_<secret>`: 12 hexadecimal digits to find its row by, and 256 random bits. One round of SHA-256 is
enough for those: a slow password hash protects what people can remember from being guessed, and nobody guesses one of
2^256; it would only make every request slow. The digest is compared in constant time, also where there is no such key.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from listening.models import User
from public_api.models import Token

MOST = 20
"""Tokens of one user, expired ones included."""
SHORTEST_DAYS, LONGEST_DAYS = 1, 366
USED_EVERY = timedelta(minutes=1)
"""How exactly `last_used_at` is known: not every request shall write."""

_FORM = re.compile(r"evo_(?P<key>[0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class TokenError(ValueError):
    """A token that cannot be made; the message says what was expected and what came."""


@dataclass(frozen=True)
class Made:
    """A new token and, this one time, its text."""

    token: Token
    text: str


def make(*, user: User, name: str, scopes: Iterable[str], days: int) -> Made:
    """A token that holds for `days`. Raises TokenError for another scope, time or person than can have one."""
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(Token.Scope.values):
        raise TokenError(f"scopes: expected some of {', '.join(Token.Scope.values)}, got {', '.join(wanted) or 'none'}")
    if Token.Scope.EXPERIMENTS in wanted and not user.is_staff:
        raise TokenError(f"scopes: expected {Token.Scope.LISTEN}, since experiments are for staff, got {wanted}")
    if not SHORTEST_DAYS <= days <= LONGEST_DAYS:
        raise TokenError(f"days: expected {SHORTEST_DAYS} to {LONGEST_DAYS}, got {days}")
    if Token.objects.filter(user=user).count() >= MOST:
        raise TokenError(f"expected at most {MOST} tokens, and you have them: revoke one first")
    key = secrets.token_hex(6)
    text = f"evo_{key}_{secrets.token_urlsafe(32)}"
    expires_at = timezone.now() + timedelta(days=days)
    token = Token.objects.create(
        user=user, name=name, key=key, digest=_digest(text), scopes=wanted, expires_at=expires_at
    )
    return Made(token, text)


def find(text: str) -> Token | None:
    """The token of this text, noted as used; None when it is none, revoked or expired, or its user is locked out."""
    said = _FORM.fullmatch(text)
    if said is None:
        return None
    now = timezone.now()
    token = Token.objects.select_related("user").filter(key=said["key"]).first()
    if not secrets.compare_digest(token.digest if token else _NOBODY, _digest(text)) or token is None:
        return None
    if token.is_expired or not token.user.is_active:
        return None
    unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        Token.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)
    return token


def revoke(*, user: User, token_id: int) -> bool:
    """Delete a token of this user: whoever shows it is told 401 from now on. False when there is none."""
    deleted, _ = Token.objects.filter(pk=token_id, user=user).delete()
    return bool(deleted)


def of(user: User) -> list[Token]:
    """The user's tokens, the newest first."""
    return list(Token.objects.filter(user=user))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
