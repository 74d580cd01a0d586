"""One round, whole: learn the taste, evolve, compose the playlist, announce it. Every step can be done twice."""

from __future__ import annotations

import logging
from collections.abc import Callable

from evolution import broker, evaluation, generations, locks, runs
from evolution import selectors as search
from evolution.models import Generation, Round
from evolution.search.asking import LLMError
from evolution.search.fitness import TasteFitness
from listening import events, goals, playlists, profiles, queue
from listening.models import Listener, Playlist

logger = logging.getLogger(__name__)

COMPOSING_SHARE = 1.2
"""Composing a playlist takes about as long as this many generations; only the shown time left depends on it."""


def run(round_id: int, *, on_generation: Callable[[Generation], None] | None = None) -> None:
    """Bring a round to its end. Does nothing when another conductor has it or when it has ended.

    on_generation: told every generation that is stored.
    What goes wrong is noted in the round and told to the listener; it can be asked for again. A round whose run is
    paused stays as it is.
    """
    with locks.claim(_name(round_id)) as mine:
        if not mine:
            return
        round_ = Round.objects.select_related("run__experiment").filter(pk=round_id).first()
        if round_ is None or round_.status not in Round.PENDING:
            return
        listener = Listener.objects.select_related("run__experiment").filter(run_id=round_.run_id).first()
        if listener is None:  # deleted since
            runs.enter(round_, Round.Status.FAILED, message="Nobody listens any more.")
            return
        try:
            runs.still_wanted(round_.run)
            playlist = _make(listener, round_, on_generation)
        except runs.NotWantedError:
            events.progress(listener, round_, status="waiting", message="This experiment rests for the moment.")
            return
        except (evaluation.PlayingError, LLMError) as error:
            _fail(listener, round_, f"This round could not be finished: {error}.")
            return
        except broker.SERVICES_LOST:
            raise  # the round stays pending: it is taken up again when the services are back
        except Exception as error:
            # Left pending, it would be tried again for ever, and the listener would wait for ever.
            logger.exception("%s could not be finished", round_)
            _fail(listener, round_, _sentence(round_, error))
            return
        runs.enter(round_, Round.Status.DONE)
        events.playlist_ready(listener, playlist)


def resume_abandoned() -> None:
    """Ask again for every pending round that no living conductor works on.

    One that was never begun is probably in the queue still: it is asked for again only when the queue is empty.
    """
    pending = search.pending_rounds(begun_only=broker.waiting("rounds") != 0)
    taken = locks.held([_name(round_id) for round_id in pending])
    for round_id in pending:
        if _name(round_id) not in taken:
            queue.enqueue(round_id)


def _make(listener: Listener, round_: Round, on_generation: Callable[[Generation], None] | None) -> Playlist:
    def on_wait(message: str) -> None:
        events.progress(listener, round_, status="waiting", message=message)

    _enter(listener, round_, Round.Status.LEARNING)
    taste = profiles.learn(listener, round_)
    sought = goals.sought(listener, taste, on_wait=on_wait)
    _enter(listener, round_, Round.Status.EVOLVING)
    fitness = TasteFitness(sought, runs.configuration(round_.run).evolution.fitness.noise_weight)
    for generation in generations.evolve(round_, fitness, on_wait=on_wait):
        left = round_.generations_planned - generation.number + COMPOSING_SHARE
        events.progress(listener, round_, seconds_left=round(left * generation.seconds, 1))
        if on_generation:
            on_generation(generation)
    _enter(listener, round_, Round.Status.COMPOSING)
    goals.measure(listener, round_, taste)
    return playlists.compose(listener, round_, taste, sought=sought, on_wait=on_wait)


def _enter(listener: Listener, round_: Round, status: Round.Status) -> None:
    runs.enter(round_, status)
    events.progress(listener, round_)


def _fail(listener: Listener, round_: Round, message: str) -> None:
    runs.enter(round_, Round.Status.FAILED, message=message)
    events.progress(listener, round_)


def _sentence(round_: Round, error: Exception) -> str:
    """Why a round failed: those who study the method are told what was wrong with what they asked for."""
    if isinstance(error, ValueError) and round_.run.rounds_planned is not None:
        return f"This experiment cannot be run: {error}"
    return "This round could not be finished, for a reason that is ours. Try again."


def _name(round_id: int) -> str:
    return f"round:{round_id}"
