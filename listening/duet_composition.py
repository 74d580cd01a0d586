"""The conductor's part of a duet: one playlist for two, from what was evolved for each. All can be done twice."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from evolution import broker, evaluation, generations, locks, runs, waiting
from evolution.models import Candidate
from listening import archive, duets, events, picks, playlists, profiles, queue
from listening.duets import DuetError
from listening.models import Duet, Listener, Playlist
from listening.picks import Pick
from models_store import artefacts, seeding
from models_store.taste import curation
from models_store.taste.base import Taste
from models_store.taste.sharing import shared

logger = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds that are waited for a player; then the two are told instead of left waiting."""
LATE = timedelta(seconds=20)
"""After which a request that nobody works on counts as lost."""
HOPELESS = timedelta(hours=1)
"""After which a request is not tried again: whoever asked has long gone."""
OURS = "Your playlist could not be made, for a reason that is ours. Try again."
NO_PLAYER = "Nobody is there to record the music at the moment. Try again later."
NOTHING_NEW = "There is no music yet that would be new to both of you. Listen and evolve some first, each of you."


def compose(duet_id: uuid.UUID) -> None:
    """Make the playlist that the two asked for, keep it for each of them and tell them.

    Does nothing when another conductor is at it, or when nothing is wanted (any more). What goes wrong is noted in the
    duet; when database or broker are away, the request stays and is found later.
    """
    with locks.claim(_name(duet_id)) as mine:
        if not mine:
            return
        duet = _wanted(duet_id)
        if duet is None or duet.wanted_at is None:
            return
        try:
            made = _make(duet, asked=duet.wanted_at)
        except broker.SERVICES_LOST:
            raise
        except Exception as error:
            _give_up(duet, error)
            return
    for playlist in made:
        events.playlist_ready(playlist.listener, playlist)


def resume_lost() -> None:
    """See again to requests that nobody works on: the broker may have lost them, or their conductor died."""
    now = timezone.now()
    waiting = Duet.objects.filter(wanted_at__lt=now - LATE, ended_at=None)
    taken = locks.held([_name(duet_id) for duet_id in waiting.values_list("pk", flat=True)])
    for duet in waiting:
        if _name(duet.pk) in taken or duet.wanted_at is None:
            continue
        if duet.wanted_at < now - HOPELESS:
            _fail(duet, OURS)
        else:
            queue.enqueue_duet(duet.pk)


def _make(duet: Duet, *, asked: datetime) -> list[Playlist]:
    """The same music for each of the two, from their own point of view."""
    if duet.guest is None:
        raise DuetError("Nobody has joined yet.")
    pair = (duet.host, duet.guest)
    reason = duets.why_apart(*pair)
    if reason:
        raise DuetError(reason)
    tastes = (profiles.current_taste(pair[0]), profiles.current_taste(pair[1]))
    on_wait = _patience(time.monotonic() + PATIENCE)
    chosen = _choose(duet, pair, tastes, on_wait)
    # Here is all the waiting; what is recorded is not recorded again when the playlists are kept.
    evaluation.record([one.take for one in chosen if one.take], runs.instruments(pair[0].run), on_wait=on_wait)
    return _keep(duet, asked, list(zip(pair, tastes, strict=True)), chosen)


def _choose(
    duet: Duet, pair: tuple[Listener, Listener], tastes: tuple[Taste, Taste], on_wait: Callable[[str], None]
) -> list[Pick]:
    """What both may like and neither has heard: varied, in playing order. Raises DuetError when there is nothing."""
    user_model = runs.configuration(pair[0].run).user_model
    seconds = runs.configuration(pair[0].run).evolution.best_duration
    pool = _pool(pair, on_wait)
    if not pool:
        raise DuetError(NOTHING_NEW)
    heard = generations.heard([one.evaluation for one in pool if one.evaluation is not None])
    first, second = (taste.probability(heard.embeddings) for taste in tastes)
    clean = 1.0 - artefacts.total(heard.artefacts).clamp(0.0, 1.0)
    aligner = tastes[0].aligner
    unwanted = archive.unwanted(pair)
    chosen = curation.compose(
        shared(first, second, fairness=duet.fairness) * clean,
        aligner.standardise(heard.embeddings),
        count=user_model.best_solutions,
        diversity=playlists.DIVERSITY,
        scale=curation.unrelated(aligner),
        unwanted=None if unwanted is None else aligner.standardise(unwanted),
        seed=seeding.derive("duet", str(duet.pk), duet.playlists.count()),
    )
    if not chosen:
        raise DuetError(NOTHING_NEW)
    return [picks.of_candidate(pool[one.index], seconds=seconds) for one in chosen]


def _pool(pair: tuple[Listener, Listener], on_wait: Callable[[str], None]) -> list[Candidate]:
    """What was evolved for either and heard by neither, once each."""
    host, guest = pair
    found = [
        *archive.candidates(host, unheard_by=[guest], on_wait=on_wait),
        *archive.candidates(guest, unheard_by=[host], on_wait=on_wait),
    ]
    return list({one.prompt: one for one in reversed(found)}.values())[::-1]


@transaction.atomic
def _keep(duet: Duet, asked: datetime, listeners: list[tuple[Listener, Taste]], chosen: list[Pick]) -> list[Playlist]:
    """A playlist for each, and the request is done: all or nothing; nothing where it was taken back meanwhile."""
    if not Duet.objects.select_for_update().filter(pk=duet.pk, wanted_at=asked, ended_at=None).exists():
        return []
    # In one order, so that two duets of the same people cannot wait for each other; locked, for the next number.
    people = sorted(listeners, key=lambda one: one[0].pk)
    list(Listener.objects.select_for_update().filter(pk__in=[one.pk for one, _ in people]).order_by("pk"))
    made = [playlists.keep(listener, chosen, taste=taste, duet=duet) for listener, taste in people]
    Duet.objects.filter(pk=duet.pk).update(wanted_at=None, message="")
    return made


def _wanted(duet_id: uuid.UUID) -> Duet | None:
    people = ("host__user", "host__run__experiment", "guest__user", "guest__run__experiment")
    wanted = Duet.objects.filter(pk=duet_id, wanted_at__isnull=False, ended_at=None)
    return wanted.select_related(*people).first()


def _patience(give_up: float) -> Callable[[str], None]:
    """What is called while no player is up: it ends the waiting at the moment `give_up`, on the monotonic clock."""

    def on_wait(_: str) -> None:
        if time.monotonic() > give_up:
            raise DuetError(NO_PLAYER)

    return on_wait


def _give_up(duet: Duet, error: Exception) -> None:
    if not Duet.objects.filter(pk=duet.pk).exists():
        logger.info("%s was deleted while it was worked on", duet.pk)
        return
    expected = isinstance(error, DuetError | evaluation.PlayingError)
    logger.log(logging.INFO if expected else logging.ERROR, "duet %s: %s", duet.pk, error, exc_info=not expected)
    _fail(duet, _sentence(error))


def _sentence(error: Exception) -> str:
    if isinstance(error, evaluation.PlayingError) and str(error) in waiting.TOLD_TO_PEOPLE:
        return f"Your playlist could not be made: {error}. Try again later."
    return str(error) if isinstance(error, DuetError) else OURS


def _fail(duet: Duet, message: str) -> None:
    """Note why, unless something else is wanted by now."""
    Duet.objects.filter(pk=duet.pk, wanted_at=duet.wanted_at).update(wanted_at=None, message=message)


def _name(duet_id: uuid.UUID) -> str:
    return f"duet:{duet_id}"
