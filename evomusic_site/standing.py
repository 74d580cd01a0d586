"""What the status page shows: the figures, what they mean in sentences, and the latest rounds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from importlib import metadata
from pathlib import Path
from platform import python_version
from statistics import quantiles
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.utils import timezone

from evolution import broker
from evolution.models import Generation, Round, Run
from evomusic_site import figures, metrics
from evomusic_site.figures import Figures

MOST_ROUNDS = 20
LATELY = timedelta(days=1)
MEASURED = 200
"""The newest rounds and generations whose times are summed up."""
LONG_WAIT = 300.0
"""Seconds; a round on a processor takes a few tens."""
LITTLE_DISK = 0.1
"""Of the disk; a database that finds none left stops."""
PACKAGES = ("evomusic", "django", "channels", "celery", "uvicorn", "torch")


@dataclass(frozen=True)
class Timed:
    """Times in seconds: their median and the one that 95 of 100 do not exceed; None when there are none."""

    what: str
    p50: float | None
    p95: float | None


@dataclass(frozen=True)
class Disk:
    """The disk on which recordings are kept; bytes."""

    free: int
    total: int

    @property
    def share(self) -> float:
        """What is free of it, in [0, 1]."""
        return self.free / self.total if self.total else 0.0


@dataclass(frozen=True)
class Standing:
    """All of the page. `troubles`: what somebody should look after, a sentence each; none when all is well."""

    now: Figures
    troubles: list[str]
    disk: Disk | None
    timed: list[Timed] = field(default_factory=list)
    working: list[Round] = field(default_factory=list)
    failed: list[Round] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def per_second(self) -> float | None:
        """What was played in the last hour, per second of a player's time."""
        played, seconds = self.now.of_late
        return played / seconds if seconds else None


def read() -> Standing:
    """How the service stands now. Raises what Django raises when the database goes away meanwhile."""
    now, disk = figures.latest(), _disk(Path(settings.MEDIA_ROOT))
    troubles = told(now, disk)
    if not now.database:
        return Standing(now, troubles, disk, _answers(), versions=_packages())
    return Standing(
        now=now,
        troubles=troubles,
        disk=disk,
        timed=[*_answers(), *_rounds(), _generations()],
        working=_working(),
        failed=_failed(),
        versions={**_packages(), **_servers(now)},
    )


def told(now: Figures, disk: Disk | None) -> list[str]:
    """What somebody should look after, the worst first."""
    present = now.present
    cases = [
        (not now.database, "The database does not answer: nothing can be stored or shown."),
        (not now.broker, "The broker (Redis) does not answer: rounds and chunks wait, pages hear no news."),
        (now.database and not present.get("conductor"), "No conductor is up: no round begins or goes on."),
        (now.database and not present.get("player"), "No player is up: nothing new is played."),
        (now.oldest_pending > LONG_WAIT, f"A round has waited for {now.oldest_pending / 60:.0f} minutes."),
        (now.failed_in_an_hour == 1, "One round failed in the last hour."),
        (now.failed_in_an_hour > 1, f"{now.failed_in_an_hour} rounds failed in the last hour."),
        (disk is not None and disk.share < LITTLE_DISK, "The disk of the recordings is nearly full."),
    ]
    return [sentence for is_so, sentence in cases if is_so]


def _disk(folder: Path) -> Disk | None:
    """The disk of a folder, which may not be there yet; None where recordings are kept elsewhere."""
    if "FileSystemStorage" not in str(settings.STORAGES["default"]["BACKEND"]):
        return None
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    used = shutil.disk_usage(there)
    return Disk(free=used.free, total=used.total)


def _answers() -> list[Timed]:
    p50, p95 = (metrics.quantile(metrics.REQUEST_SECONDS, q) for q in (0.5, 0.95))
    return [Timed("Answers of this web process, since it started", p50, p95)]


def _rounds() -> list[Timed]:
    rows = (
        Round.objects.filter(status=Round.Status.DONE, finished_at__gt=timezone.now() - LATELY)
        .order_by("-finished_at")
        .values_list("requested_at", "started_at", "finished_at")[:MEASURED]
    )
    times = [(asked, started, ended) for asked, started, ended in rows if started is not None and ended is not None]
    waited = [(started - asked).total_seconds() for asked, started, _ in times]
    whole = [(ended - asked).total_seconds() for asked, _, ended in times]
    return [_timed("Rounds of a day, until begun", waited), _timed("Rounds of a day, until done", whole)]


def _generations() -> Timed:
    newest = Generation.objects.order_by("-pk").values_list("seconds", flat=True)[:MEASURED]
    return _timed("Newest generations", list(newest))


def _timed(what: str, seconds: Sequence[float]) -> Timed:
    if not seconds:
        return Timed(what, None, None)
    if len(seconds) == 1:
        return Timed(what, seconds[0], seconds[0])
    cuts = quantiles(seconds, n=20, method="inclusive")
    return Timed(what, cuts[9], cuts[18])


def _working() -> list[Round]:
    """Rounds that are worked on or wait, oldest first; not those whose run rests."""
    found = Round.objects.filter(status__in=Round.PENDING, run__status=Run.Status.RUNNING)
    return list(_shown(found).order_by("requested_at")[:MOST_ROUNDS])


def _failed() -> list[Round]:
    """Rounds that failed lately, newest first."""
    found = Round.objects.filter(status=Round.Status.FAILED, finished_at__gt=timezone.now() - LATELY)
    return list(_shown(found).order_by("-finished_at")[:MOST_ROUNDS])


def _shown(found: Any) -> Any:
    return found.select_related("run__experiment").annotate(generations_done=Count("generations"))


@cache
def _packages() -> dict[str, str]:
    found = {"Python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # a web image has no torch
    return found


def _servers(now: Figures) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), max(extversion) FROM pg_extension WHERE extname = 'vector'"
        )
        server, vectors = cursor.fetchone()
    found = {"PostgreSQL": server.partition(" ")[0], "pgvector": vectors or "none"}
    if now.broker:
        try:
            with broker.connect() as client:
                found["Redis"] = str(client.info("server")["redis_version"])
        except redis.RedisError:
            pass  # gone since the figures were read; the next look says so
    return found
