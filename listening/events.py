"""What the browser is told: one group per listener. An event that cannot be sent is no reason to fail."""

from __future__ import annotations

from typing import Any

from evolution import events
from evolution.models import Round, Run
from listening import selectors
from listening.models import Listener, Playlist


def group(listener_id: int) -> str:
    """The channel group of a listener."""
    return f"listener.{listener_id}"


def progress(
    listener: Listener, round_: Round, *, message: str = "", status: str = "", seconds_left: float | None = None
) -> None:
    """How far the round is."""
    state = selectors.round_state(round_, message=message, status=status, seconds_left=seconds_left)
    _send(listener, {"type": "round.progress", "round": state})


def round_rests(listener: Listener, round_: Round) -> None:
    """The round waits, because its run does; nothing is said of one that was deleted."""
    status = Run.objects.filter(pk=round_.run_id).values_list("status", flat=True).first()
    if status is None:
        return
    round_.run.status = status
    message = selectors.RESTING.get(Run.Status(status), "")
    progress(listener, round_, status="waiting", message=message)


def playlist_ready(listener: Listener, playlist: Playlist) -> None:
    """The next playlist, whole."""
    _send(listener, {"type": "playlist.ready", "playlist": selectors.playlist_content(playlist)})


def taste_ready(listener: Listener) -> None:
    """What is believed of their taste was read again."""
    _send(listener, {"type": "taste.ready"})


def gone(listener_id: int) -> None:
    """They were deleted: their sockets end."""
    events.send(group(listener_id), {"type": "listener.gone"})


def _send(listener: Listener, event: dict[str, Any]) -> None:
    events.send(group(listener.pk), event)
