"""What a load balancer asks: is this process alive, can it serve, and who else is there."""

from __future__ import annotations

import django.db
import psycopg_pool
from django.http import HttpRequest, JsonResponse

from evolution import broker, presence
from evomusic_site import schema

MOST_NAMED = 3
"""Migrations that a reason names."""


def alive(request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers."""
    return JsonResponse(_state())


def ready(request: HttpRequest) -> JsonResponse:
    """200 when database and broker answer and no migration is missing, else 503 and `reason`.

    Conductor and players are told, not required: pages play what is there.
    """
    state = _state()
    reason = _reason(state)
    return JsonResponse({**state, "reason": reason}, status=503 if reason else 200)


def _reason(state: dict[str, bool | int]) -> str:
    """Why nobody should be sent here, in a sentence; empty when all is well."""
    if not state["database"]:
        return "The database does not answer."
    if not state["broker"]:
        return "The broker does not answer."
    if presence.writable() is False:
        return "The database can only be read: nothing can be stored."
    try:
        lacking = schema.unapplied()
    except (django.db.Error, psycopg_pool.PoolTimeout):
        return "The database does not answer."
    if not lacking:
        return ""
    named = ", ".join(lacking[:MOST_NAMED]) + (" ..." if len(lacking) > MOST_NAMED else "")
    return f"The database lacks {len(lacking)} migration(s): {named}. Run `manage.py migrate`."


def _state() -> dict[str, bool | int]:
    counts = presence.probe()
    return {
        "database": counts is not None,
        "broker": broker.answers(),
        "conductor": (counts or {}).get("conductor", 0),
        "players": (counts or {}).get("player", 0),
    }
