"""A candidate made audible: its recording if there is one, else one that a conductor is asked for.

`ask` is the web process's part, `record` the conductor's; neither needs torch, only the player does.
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import Any

from celery import current_app
from django.urls import reverse
from kombu.exceptions import OperationalError

from evolution import evaluation, events, genomes, locks, presence, runs
from evolution.models import Candidate, Recording, Run
from evolution.takes import Take
from laboratory import population

logger = logging.getLogger(__name__)

TASK = "laboratory.tasks.record_candidate"
EXPIRY = 120  # seconds after which nobody waits for it any more
PATIENCE = 30.0  # seconds without any player


class UnreachableError(RuntimeError):
    """Nobody could be asked to play it; the message is a sentence for people."""


def recording(candidate: Candidate) -> Recording | None:
    """What people can hear of the candidate, as long as the playlist's tracks are; None before it was asked for."""
    return Recording.objects.filter(pk=_take(candidate).key(runs.instruments(candidate.generation.round.run))).first()


def ask(candidate: Candidate) -> dict[str, Any]:
    """Have the candidate played, unless it was.

    Gives what `told` gives, or {"status": "asked", "candidate", "audio_url", "message"}: then "candidate.ready" or
    "candidate.failed" follows in the run's channel group. Asking again is harmless. Raises UnreachableError when the
    broker does not answer.
    """
    known = recording(candidate)
    if known is not None:
        return told(candidate, known)
    try:
        current_app.send_task(TASK, args=[str(candidate.pk)], queue="rounds", expires=EXPIRY)
    except OperationalError as error:
        raise UnreachableError("It cannot be played now: the broker does not answer.") from error
    there = presence.count()
    missing = [role for role in ("conductor", "player") if not there.get(role)]
    message = f"It waits: no {' and no '.join(missing)} is up." if missing else "It is being played."
    return {"status": "asked", "candidate": str(candidate.pk), "audio_url": _address(candidate), "message": message}


def told(candidate: Candidate, heard: Recording) -> dict[str, Any]:
    """{"status": "ready", "candidate", "audio_url", "seconds", "peaks"}."""
    return {
        "status": "ready",
        "candidate": str(candidate.pk),
        "audio_url": _address(candidate),
        "seconds": heard.seconds,
        "peaks": heard.peaks,
    }


def record(candidate_id: uuid.UUID) -> None:
    """Make the recording, once, and tell those who watch the run. What goes wrong is told too."""
    try:
        candidate = population.candidate(candidate_id)
    except Candidate.DoesNotExist:
        return
    run = candidate.generation.round.run
    take, instruments = _take(candidate), runs.instruments(run)
    key = take.key(instruments)
    with locks.claim(f"hear:{key}") as mine:
        if not mine:
            return  # whoever has it tells the same people
        try:
            made = evaluation.record([take], instruments, on_wait=_Patience())[key]
        except (evaluation.PlayingError, ValueError) as error:
            logger.info("candidate %s could not be recorded: %s", candidate.pk, error)
            _tell(run, {"type": "candidate.failed", "candidate": str(candidate.pk), "message": f"{error}."})
            return
    _tell(run, {"type": "candidate.ready", **told(candidate, made)})


def _address(candidate: Candidate) -> str:
    return reverse("laboratory:candidate_audio", args=[candidate.pk])


class _Patience:
    """Somebody listens to the page now: without a player for so long it is better to say so than to wait."""

    def __init__(self) -> None:
        self._until = time.monotonic() + PATIENCE

    def __call__(self, _: str) -> None:
        if time.monotonic() > self._until:
            raise evaluation.PlayingError("no player is up")


def _tell(run: Run, event: dict[str, Any]) -> None:
    events.send(events.group(run.pk), {**event, "run": run.pk})


def _take(candidate: Candidate) -> Take:
    seconds = runs.configuration(candidate.generation.round.run).evolution.best_duration
    return Take(genome=genomes.from_json(candidate.genome), seed=candidate.seed, seconds=seconds)
