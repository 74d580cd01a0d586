"""What a load balancer asks: is this process alive, can it serve, and who else is there."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from evolution import broker, presence


def alive(request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers."""
    return JsonResponse(_state())


def ready(request: HttpRequest) -> JsonResponse:
    """200 when database and broker answer, else 503; conductor and players are told, not required."""
    state = _state()
    return JsonResponse(state, status=200 if state["database"] and state["broker"] else 503)


def _state() -> dict[str, bool | int]:
    counts = presence.probe()
    return {
        "database": counts is not None,
        "broker": broker.answers(),
        "conductor": (counts or {}).get("conductor", 0),
        "players": (counts or {}).get("player", 0),
    }
