"""How the service stands, read from the rows, from PostgreSQL's own lists and from the broker. A few cheap queries."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import django.db
import psycopg_pool
from django.db import connection, transaction
from django.db.models import Count, Max, Min, Q, Sum
from django.utils import timezone

from evolution import broker, presence
from evolution.models import Generation, PlayerTime, Round, Run, WaitingChunk
from listening.models import Listener, Playlist, Rating

KEPT_SECONDS = 5.0
"""For which figures are given again: ten scrapers cost as much as one."""
MOST_MILLISECONDS = 3000
"""Of a query; a database that is that slow must not be asked for figures on top."""
QUEUES = ("rounds", "gpu")
RATINGS = ("like", "dislike", "never", "none")

DATABASE_LOST = (django.db.Error, psycopg_pool.PoolTimeout)

_ACTIVE = """
SELECT count(DISTINCT listener_id) FILTER (WHERE stored_at > %(soon)s), count(DISTINCT listener_id)
FROM (SELECT listener_id, stored_at FROM listening_rating WHERE stored_at > %(day)s
      UNION ALL SELECT listener_id, stored_at FROM listening_listen WHERE stored_at > %(day)s) AS heard
"""
_SERVER = """
SELECT coalesce(state, 'other'), count(*), pg_database_size(current_database())
FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1
"""


@dataclass(frozen=True)
class Figures:
    """How the service stands at a moment. What could not be asked for is empty, and `database` or `broker` is False.

    rounds, runs: rows by status. oldest_pending: seconds for which the longest waiting round has waited, 0 when none
    does. ratings: rows by kind, `never` not among the dislikes. active: listeners who rated or heard something within
    5 minutes and within a day. played, player_seconds: genomes that were played and the players' time for them, over
    all generations that are kept; of_late: the same, of everything in the last hour. chunks: those that wait for a
    player and those that one took; chunk_candidates, oldest_chunk: what is in them, and for how many seconds the
    oldest has been there. queues: messages that no worker has taken. present: living processes by role.
    """

    at: datetime
    database: bool = True
    broker: bool = True
    rounds: dict[str, int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    oldest_pending: float = 0.0
    failed_in_an_hour: int = 0
    last_done: datetime | None = None
    ratings: dict[str, int] = field(default_factory=dict)
    playlists: int = 0
    listeners: dict[str, int] = field(default_factory=dict)
    active: dict[str, int] = field(default_factory=dict)
    generations: int = 0
    played: int = 0
    player_seconds: float = 0.0
    of_late: tuple[int, float] = (0, 0.0)
    chunks: dict[str, int] = field(default_factory=dict)
    chunk_candidates: int = 0
    oldest_chunk: float = 0.0
    queues: dict[str, int] = field(default_factory=dict)
    present: dict[str, int] = field(default_factory=dict)
    connections: dict[str, int] = field(default_factory=dict)
    database_bytes: int = 0

    @property
    def pending(self) -> int:
        """Rounds that were asked for and are not over."""
        return sum(self.rounds.get(status, 0) for status in Round.PENDING)


_LOCK = threading.Lock()
_LATEST: list[tuple[float, Figures]] = []


def latest() -> Figures:
    """The figures of at most KEPT_SECONDS ago. One thread asks; the others wait for what it gets."""
    with _LOCK:
        if not _LATEST or time.monotonic() - _LATEST[0][0] > KEPT_SECONDS:
            _LATEST[:] = [(time.monotonic(), read())]
        return _LATEST[0][1]


def read() -> Figures:
    """The figures of now. A service that is away is told by the figures, never by an error."""
    queues = _queues()
    now = timezone.now()
    there = presence.probe()  # within seconds, where the pool would wait longer than Prometheus does
    if there is None:
        return Figures(at=now, database=False, broker=queues is not None, queues=queues or {})
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {MOST_MILLISECONDS}")
            rows = {
                **_rounds(now),
                **_listening(now),
                **_evolving(),
                **_chunks(now),
                **_server(),
                "present": {"conductor": 0, "player": 0, **there},
            }
    except DATABASE_LOST:
        return Figures(at=now, database=False, broker=queues is not None, queues=queues or {})
    return Figures(at=now, broker=queues is not None, queues=queues or {}, **rows)


def _queues() -> dict[str, int] | None:
    if not broker.answers():
        return None
    lengths = {queue: broker.waiting(queue) for queue in QUEUES}
    return {queue: length for queue, length in lengths.items() if length is not None}


def _rounds(now: datetime) -> dict[str, Any]:
    hour = Q(finished_at__gt=now - timedelta(hours=1))
    waiting = Q(run__status=Run.Status.RUNNING)  # a round whose run rests waits for nobody
    rows = list(
        Round.objects.order_by("status")
        .values_list("status")
        .annotate(
            count=Count("pk"),
            oldest=Min("requested_at", filter=waiting),
            lately=Count("pk", filter=hour),
            ended=Max("finished_at"),
        )
    )
    since = [oldest for status, _, oldest, _, _ in rows if status in Round.PENDING and oldest is not None]
    counted = {status: count for status, count, *_ in rows}
    return {
        "rounds": {str(status): counted.get(status, 0) for status in Round.Status.values},
        "oldest_pending": max(0.0, (now - min(since)).total_seconds()) if since else 0.0,
        "failed_in_an_hour": sum(failed for status, _, _, failed, _ in rows if status == Round.Status.FAILED),
        "last_done": next((ended for status, *_, ended in rows if status == Round.Status.DONE), None),
    }


def _listening(now: datetime) -> dict[str, Any]:
    ratings = Rating.objects.aggregate(
        like=Count("pk", filter=Q(value=1)),
        dislike=Count("pk", filter=Q(value=-1, never=False)),
        never=Count("pk", filter=Q(never=True)),
        none=Count("pk", filter=Q(value=0)),
    )
    listeners = Listener.objects.aggregate(
        guest=Count("pk", filter=Q(is_guest=True)),
        account=Count("pk", filter=Q(is_guest=False, user__isnull=False)),
        synthetic=Count("pk", filter=Q(user=None)),
    )
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, {"soon": now - timedelta(minutes=5), "day": now - timedelta(days=1)})
        soon, day = cursor.fetchone()
    return {
        "ratings": ratings,
        "listeners": listeners,
        "active": {"5m": soon, "1d": day},
        "playlists": Playlist.objects.count(),
    }


def _evolving() -> dict[str, Any]:
    sums = Generation.objects.aggregate(Count("pk"), Sum("played"), Sum("player_seconds"))
    runs = dict(Run.objects.order_by("status").values_list("status").annotate(Count("pk")))
    return {
        "generations": sums["pk__count"],
        "played": sums["played__sum"] or 0,
        "player_seconds": sums["player_seconds__sum"] or 0.0,
        "runs": {str(status): runs.get(status, 0) for status in Run.Status.values},
    }


def _chunks(now: datetime) -> dict[str, Any]:
    kept = WaitingChunk.objects.filter(error="").aggregate(
        waiting=Count("pk", filter=Q(taken_at=None)),
        taken=Count("pk", filter=Q(taken_at__isnull=False)),
        candidates=Sum("size"),
        oldest=Min("asked_at"),
    )
    late = PlayerTime.objects.filter(at__gt=now - timedelta(hours=1)).aggregate(Sum("played"), Sum("seconds"))
    return {
        "chunks": {state: kept[state] for state in ("waiting", "taken")},
        "chunk_candidates": kept["candidates"] or 0,
        "oldest_chunk": max(0.0, (now - kept["oldest"]).total_seconds()) if kept["oldest"] else 0.0,
        "of_late": (late["played__sum"] or 0, late["seconds__sum"] or 0.0),
    }


def _server() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_SERVER)
        rows = cursor.fetchall()
    connections = {state: count for state, count, _ in rows}
    return {"connections": connections, "database_bytes": rows[0][2] if rows else 0}
