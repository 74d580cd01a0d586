"""How often a listener may ask for a playlist: so many rounds in an hour and in a day, counted from the rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from evolution.models import Round
from listening.models import Listener

WINDOWS = (("an hour", timedelta(hours=1)), ("a day", timedelta(days=1)))


class QuotaError(RuntimeError):
    """Enough was asked for; the message says when it goes on. seconds: until then, at least 1."""

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


def check(listener: Listener, round_: Round) -> None:
    """Raises QuotaError when with this round, which is stored, the listener asked for more than they may.

    Staff and synthetic listeners may ask as often as they like.
    """
    allowed = [(most, name, window) for most, (name, window) in zip(limits(listener), WINDOWS, strict=True) if most]
    if not allowed:
        return
    now = timezone.now()
    moments = _moments(round_, now=now, since=now - max(window for *_, window in allowed))
    waits = [
        (_wait([one for one in moments if one > now - window], most=most, window=window, now=now), most, name)
        for most, name, window in allowed
    ]
    longest, most, name = max(waits, key=lambda wait: wait[0])
    if longest > 0:
        raise QuotaError(_sentence(most, name, longest, is_guest=listener.is_guest), seconds=math.ceil(longest))


def limits(listener: Listener) -> tuple[int, int]:
    """The most playlists in an hour and in a day; 0: as many as wanted."""
    if listener.user is None or listener.user.is_staff:
        return 0, 0
    if listener.is_guest:
        return settings.GUEST_EVOLVES_PER_HOUR, settings.GUEST_EVOLVES_PER_DAY
    return settings.ACCOUNT_EVOLVES_PER_HOUR, settings.ACCOUNT_EVOLVES_PER_DAY


def _moments(round_: Round, *, now: datetime, since: datetime) -> Sequence[datetime]:
    """When the run's other rounds were asked for, the newest first.

    What seems to come later than now was asked for before the clock was set back: nobody waits until then.
    """
    others = Round.objects.filter(run_id=round_.run_id, requested_at__gt=since, requested_at__lte=now)
    others = others.exclude(pk=round_.pk)
    return list(others.order_by("-requested_at").values_list("requested_at", flat=True))


def _wait(moments: Sequence[datetime], *, most: int, window: timedelta, now: datetime) -> float:
    """Seconds until one of `most` requests in a window is free again; 0 when one is."""
    if len(moments) < most:
        return 0.0
    return max(1.0, (moments[most - 1] + window - now).total_seconds())


def _sentence(most: int, name: str, seconds: float, *, is_guest: bool) -> str:
    who = "Guests" if is_guest else "You"
    minutes = math.ceil(seconds / 60)
    hours = math.ceil(seconds / 3600)
    when = f"{minutes} minute{'s' if minutes > 1 else ''}" if minutes < 90 else f"{hours} hours"
    count = f"{most} playlist{'s' if most > 1 else ''}"
    return f"{who} can ask for {count} in {name}. It goes on in about {when}; what was evolved before plays on."
