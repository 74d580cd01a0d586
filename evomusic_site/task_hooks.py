"""Conductors and players measured: Celery's signals and the rows that they write tell what was done, and for how long.

Celery imports this module in every worker (`CELERY_IMPORTS`), and the web process does, so that tasks carry its ids.
"""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any

import django
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun, worker_ready
from django.apps import apps
from django.conf import settings
from django.db.models.signals import post_save

from evolution import broker
from evomusic_site import log_context, metrics, metrics_server

logger = logging.getLogger(__name__)

HEADER = "evomusic_ids"
OUTCOMES = {"SUCCESS": "done", "FAILURE": "failed", "REJECTED": "handed back", "RETRY": "retried"}
_SUBJECTS = {"listening.tasks.run_round": "round", "listening.tasks.report_taste": "listener"}
"""Tasks whose one argument is an id that the log tells."""

_TAKEN: ContextVar[list[str] | None] = ContextVar("evomusic_taken", default=None)
"""The kinds of the chunks that the task at hand took."""


@dataclass(frozen=True)
class _Begun:
    """A task that runs: since when, and what was known before it."""

    at: float
    known: Token[Any]
    taken: Token[Any]


_BEGUN: dict[str, _Begun] = {}


@setup_logging.connect(weak=False)
def keep_our_logging(**_: object) -> None:
    """Django's LOGGING holds in workers, too: with a receiver of this signal Celery changes nothing."""
    if not apps.ready:
        django.setup()


@worker_ready.connect(weak=False)
def expose(**_: object) -> None:
    """Answer Prometheus, where that was asked for."""
    metrics_server.start(settings.METRICS_HOST, settings.METRICS_PORT)


@before_task_publish.connect(weak=False)
def carry_ids(headers: dict[str, Any] | None = None, **_: object) -> None:
    """A task knows on whose behalf it was sent."""
    known = log_context.current()
    if headers is not None and (ids := {name: known[name] for name in log_context.CARRIED if name in known}):
        headers[HEADER] = ids


@task_prerun.connect(weak=False)
def begin(task_id: str, task: Any, args: Any = (), **_: object) -> None:
    """Whatever this thread logs from here on is about this task."""
    known = log_context.begin({**_carried(task.request), **_subject(task.name, args), "task": task_id[:8]})
    _BEGUN[task_id] = _Begun(time.perf_counter(), known, _TAKEN.set([]))


@task_postrun.connect(weak=False)
def ended(task_id: str, task: Any, state: str | None = None, **_: object) -> None:
    """Time and count what was done."""
    begun = _BEGUN.pop(task_id, None)
    if begun is None:
        return
    seconds = time.perf_counter() - begun.at
    metrics.TASK_SECONDS.labels(task.name).observe(seconds)
    metrics.TASKS.labels(task.name, OUTCOMES.get(str(state), "other")).inc()
    if kinds := _TAKEN.get():
        metrics.CHUNK_SECONDS.labels(kinds[0]).observe(seconds)  # those that are played together are of one kind
    _TAKEN.reset(begun.taken)
    log_context.end(begun.known)


def _carried(request: Any) -> dict[str, Any]:
    """The ids that came with the message, if they are what we send."""
    carried = (getattr(request, "headers", None) or {}).get(HEADER) or getattr(request, HEADER, None)
    if not isinstance(carried, dict):
        return {}
    return {name: carried[name] for name in log_context.CARRIED if isinstance(carried.get(name), int | str)}


def _subject(task: str, args: Any) -> dict[str, Any]:
    """What the task's argument says of whose work it is."""
    first = args[0] if isinstance(args, list | tuple) and args else None
    if task not in _SUBJECTS or not isinstance(first, int):
        return {}
    return {_SUBJECTS[task]: first, **(_of_round(first) if _SUBJECTS[task] == "round" else {})}


def _of_round(round_id: int) -> dict[str, Any]:
    """A round's run and listener; nothing when the database does not answer, which the task itself will find."""
    from evolution.models import Round

    try:
        row = Round.objects.filter(pk=round_id).values_list("run_id", "run__listeners__pk").first()
    except broker.SERVICES_LOST:
        return {}
    found = zip(("run", "listener"), row, strict=True) if row else ()
    return {name: value for name, value in found if value is not None}


def _round_saved(instance: Any, **_: object) -> None:
    """A round came to its end in this process."""
    if instance.finished_at is not None and instance.status not in instance.PENDING:
        seconds = (instance.finished_at - instance.requested_at).total_seconds()
        metrics.ROUND_SECONDS.labels(instance.status).observe(max(0.0, seconds))


def _generation_saved(instance: Any, created: bool, **_: object) -> None:
    if created:
        metrics.GENERATION_SECONDS.observe(instance.seconds)


def _taste_saved(instance: Any, created: bool, **_: object) -> None:
    if created:
        metrics.LEARN_SECONDS.observe(instance.seconds)


def _chunk_saved(instance: Any, update_fields: Any = None, **_: object) -> None:
    """A player took a chunk: the log tells for which run it plays."""
    if update_fields is None or "taken_at" not in update_fields:
        return
    if (taken := _TAKEN.get()) is not None:
        taken.append(instance.kind)
    ids = {"chunk": str(instance.pk)[:8], **({"run": instance.run_id} if instance.run_id is not None else {})}
    log_context.note(ids)


def _time_saved(instance: Any, created: bool, **_: object) -> None:
    if created:
        metrics.PLAYED.labels(instance.kind).inc(instance.played)


post_save.connect(_chunk_saved, sender="evolution.WaitingChunk", dispatch_uid="evomusic_site.chunk")
post_save.connect(_time_saved, sender="evolution.PlayerTime", dispatch_uid="evomusic_site.player_time")
post_save.connect(_round_saved, sender="evolution.Round", dispatch_uid="evomusic_site.round")
post_save.connect(_generation_saved, sender="evolution.Generation", dispatch_uid="evomusic_site.generation")
post_save.connect(_taste_saved, sender="listening.TasteSnapshot", dispatch_uid="evomusic_site.taste")
