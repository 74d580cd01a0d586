"""One round, whole: learn the taste, evolve, compose the playlist, announce it. Every step can be done twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from evolution import broker, evaluation, generations, interruption, locks, presence, runs, waiting
from evolution import selectors as search
from evolution.evaluation import Asker
from evolution.fairness import ENOUGH_UNHEARD
from evolution.models import Generation, Round
from evolution.search.asking import LLMError
from evolution.search.fitness import TasteFitness
from listening import events, goals, playlists, profiles, queue, unheard
from listening.models import Listener, Playlist

logger = logging.getLogger(__name__)

TRIALS_PER_CONDUCTOR = 4
"""Of a conductor's eight threads: people and whoever wants to hear a candidate have the others."""

COMPOSING_SHARE = 1.2
"""Composing a playlist takes about as long as this many generations; only the shown time left depends on it."""

LONGEST_END = 30.0
"""Seconds in which a conductor notices that its round was cancelled; so long the run's next round waits for it."""

Told = Callable[[Generation], None]


def run(
    round_id: int,
    *,
    watched_by: Callable[[Round], AbstractContextManager[Told]] | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> None:
    """Bring a round to its end. Does nothing when another conductor has it or when it has ended.

    watched_by: entered while the round is worked on; gives whoever is told of every generation that is stored.
    on_wait: told, beside the listener, what is being waited for when nothing moves.
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
        with _alone(round_) as alone:
            if alone:
                _run(listener, round_, watched_by, on_wait)


@contextmanager
def _alone(round_: Round) -> Iterator[bool]:
    """Whether nobody works on an earlier round of the run any more: one that was cancelled ends in a moment."""
    give_up = time.monotonic() + LONGEST_END
    while True:
        with locks.claim(f"run:{round_.run_id}") as mine:
            if mine:
                yield True
                return
        interruption.check()
        if time.monotonic() > give_up:
            logger.warning("%s: an earlier round of its run does not end; it is taken up later", round_)
            yield False
            return
        time.sleep(0.1)


def _run(
    listener: Listener,
    round_: Round,
    watched_by: Callable[[Round], AbstractContextManager[Told]] | None,
    on_wait: Callable[[str], None] | None,
) -> None:
    try:
        runs.still_wanted(round_.run)
        places = _Places(listener, round_)
        watched = watched_by(round_) if watched_by else nullcontext()
        with evaluation.asked_by(_asker(listener, round_, places)), watched as told:
            playlist = _make(listener, round_, told, on_wait, places)
        runs.enter(round_, Round.Status.DONE)
    except runs.NotWantedError:
        _rest(listener, round_)
        return
    except broker.SERVICES_LOST:
        raise  # the round stays pending: it is taken up again when the services are back
    except Exception as error:
        # Left pending, it would be tried again for ever, and the listener would wait for ever.
        _give_up(listener, round_, error)
        return
    events.playlist_ready(listener, playlist)
    if listener.user_id is not None:
        queue.enqueue_report(listener.pk)


def _asker(listener: Listener, round_: Round, places: _Places) -> Asker:
    """The listener as the players' queue knows them. A synthetic one hears nothing, and need not be hurried for."""
    person = listener.reference_user is None
    return Asker(
        run=round_.run_id,
        unheard=unheard.seconds(listener) if person else ENOUGH_UNHEARD,
        still_wanted=partial(runs.round_still_wanted, round_),
        on_place=places.look if person else None,
    )


class _Places:
    """Tells a listener where they stand in the queue when that has changed."""

    def __init__(self, listener: Listener, round_: Round) -> None:
        self._listener = listener
        self._round = round_
        self._told: waiting.Place | None = None
        self._over: float | None = None

    def expect(self, seconds: float) -> None:
        """The round is expected to be over in so many seconds."""
        self._over = time.monotonic() + seconds

    def look(self) -> None:
        now = waiting.place(self._round.run_id)
        if now != self._told and now is not None:
            self._told = now
            left = None if self._over is None else round(max(0.0, self._over - time.monotonic()), 1)
            events.progress(self._listener, self._round, seconds_left=left)


def _rest(listener: Listener, round_: Round) -> None:
    """Somebody does not want it now: those who wait for it are told why."""
    if Round.objects.filter(pk=round_.pk, status=Round.Status.CANCELLED).exists():
        return  # they were told when they cancelled it
    events.round_rests(listener, round_)


def resume_abandoned() -> None:
    """Ask again for every pending round that no living conductor works on.

    One that was never begun is probably in the queue still: it is asked for again only when the queue is empty.
    Of the runs that go on by themselves no more are asked for than may be worked on at once.
    """
    waiting.sweep()
    begun_only = broker.waiting("rounds") != 0
    pending = search.pending_rounds(begun_only=begun_only, most_trials=most_trials())
    taken = locks.held([_name(round_id) for round_id in pending])
    for round_id in pending:
        if _name(round_id) not in taken:
            queue.enqueue(round_id)


def most_trials() -> int:
    """How many rounds of runs that go on by themselves may be worked on at once, so that people do not wait."""
    return TRIALS_PER_CONDUCTOR * max(1, presence.count().get("conductor", 0))


def _make(
    listener: Listener, round_: Round, told: Told | None, waits: Callable[[str], None] | None, places: _Places
) -> Playlist:
    def on_wait(message: str) -> None:
        events.progress(listener, round_, status="waiting", message=message)
        if waits:
            waits(message)

    _enter(listener, round_, Round.Status.LEARNING)
    taste = profiles.learn(listener, round_)
    sought = goals.sought(listener, taste, on_wait=on_wait)
    _enter(listener, round_, Round.Status.EVOLVING)
    generations.hear_again(round_, on_wait=on_wait)
    fitness = TasteFitness(sought, runs.configuration(round_.run).evolution.fitness.noise_weight)
    for generation in generations.evolve(round_, fitness, on_wait=on_wait):
        left = (round_.generations_planned - generation.number + COMPOSING_SHARE) * generation.seconds
        places.expect(left)
        events.progress(listener, round_, seconds_left=round(left, 1))
        if told:
            told(generation)
    _enter(listener, round_, Round.Status.COMPOSING)
    goals.measure(listener, round_, taste)
    return playlists.compose(listener, round_, taste, sought=sought, on_wait=on_wait)


def _enter(listener: Listener, round_: Round, status: Round.Status) -> None:
    runs.enter(round_, status)
    events.progress(listener, round_)


def _fail(listener: Listener, round_: Round, message: str) -> None:
    runs.enter(round_, Round.Status.FAILED, message=message)
    events.progress(listener, round_)


def _give_up(listener: Listener, round_: Round, error: Exception) -> None:
    """Note why a round failed, unless it was deleted or cancelled meanwhile."""
    if _is_gone(listener, round_):
        logger.info("%s was deleted or cancelled while it was worked on", round_)
        return
    expected = isinstance(error, evaluation.PlayingError | LLMError | ValueError)
    logger.log(logging.WARNING if expected else logging.ERROR, "%s failed: %s", round_, error, exc_info=not expected)
    if isinstance(error, evaluation.PlayingError) and str(error) in waiting.TOLD_TO_PEOPLE:
        _fail(listener, round_, f"This round could not be finished: {error}. Try again later.")
    elif expected and listener.reference_user is not None:  # those who study the method are told; a person is not
        _fail(listener, round_, f"This experiment cannot be run: {error}")
    else:
        _fail(listener, round_, "This round could not be finished, for a reason that is ours. Try again.")


def _is_gone(listener: Listener, round_: Round) -> bool:
    pending = Round.objects.filter(pk=round_.pk, status__in=Round.PENDING)
    return not (Listener.objects.filter(pk=listener.pk).exists() and pending.exists())


def _name(round_id: int) -> str:
    return f"round:{round_id}"
