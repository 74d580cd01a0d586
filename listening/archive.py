"""What was evolved for a listener and not played to them yet, and what must not be played to them again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from django.db.models import OuterRef, QuerySet, Subquery
from torch import Tensor

from evolution import evaluation, generations, genomes, runs
from evolution import selectors as search
from evolution.models import Candidate, Evaluation, Round
from evolution.takes import Take
from listening.models import Listener, Rating, Track
from models_store import artefacts

MOST = 240
"""Candidates of the rounds before that are looked at again: more would cost time and hardly ever win."""

_SILENCE = artefacts.NAMES.index("silence")

Waiting = Callable[[str], None] | None


def candidates(
    listener: Listener,
    *,
    round_: Round | None = None,
    unheard_by: Sequence[Listener] = (),
    most: int = MOST,
    on_wait: Waiting = None,
) -> list[Candidate]:
    """What was evolved for the listener and not played to them, each with its evaluation, one per prompt.

    round_: all of this round comes first; None: there is no present round.
    most: of the rounds before together, the fittest of each as they were scored then. Where their evaluations were
    forgotten since they are played again, so that pruning changes nothing.
    unheard_by: others to whom it must not have been played either.
    Nothing has the prompt of a track of which one of them said "never again"; what sounds like it is left out by
    `curation`, which is told of `unwanted`.
    """
    present = search.candidates(round_) if round_ is not None else []
    found = [*sorted(present, key=lambda one: -one.fitness), *_earlier(listener, round_, most=most)]
    who = [listener, *unheard_by]
    heard, banned = played(who), set(never_again(who).values_list("prompt", flat=True))
    best: dict[str, Candidate] = {}
    for one in found:
        if one.prompt not in best and one.prompt not in banned and _key(one) not in heard:
            best[one.prompt] = one
    fresh = list(best.values())
    _hear_again([one for one in fresh if one.evaluation is None], on_wait)
    return audible(fresh)


def audible(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those of which something was heard: what a generator refuses is stored as silence, and cannot be recorded."""
    return [one for one in candidates if one.evaluation is None or one.evaluation.artefacts[_SILENCE] < 1.0]


def played(listeners: Sequence[Listener]) -> set[str]:
    """The keys of the evaluations of what any of them has heard, also of those that were forgotten since."""
    heard = Candidate.objects.filter(tracks__listener__in=listeners)
    kept = heard.exclude(evaluation=None).values_list("evaluation", flat=True)
    forgotten = heard.filter(evaluation=None).select_related("generation__round__run__experiment").distinct()
    return {key for key in kept if key} | {_key(one) for one in forgotten}


def never_again(listeners: Sequence[Listener]) -> QuerySet[Track]:
    """The tracks of which any of them says "never again" now; not those that they asked to forget."""
    latest = Rating.objects.filter(track=OuterRef("pk")).order_by("-given_at", "-stored_at")
    tracks = Track.objects.filter(listener__in=listeners, forgotten_at=None)
    return tracks.annotate(never=Subquery(latest.values("never")[:1])).filter(never=True)


def unwanted(
    listeners: Sequence[Listener], *, beside: Sequence[Evaluation] = (), on_wait: Waiting = None
) -> Tensor | None:
    """How that sounds which was played to any of them, and what is `beside`: [M, layers, dim]; None: nothing was.

    Nothing that sounds nearly like it is to come again. Each as short as candidates are, for to an encoder the same
    music sounds different when it goes on (forgotten evaluations are played again); of which they said "never again":
    both.
    """
    found = Track.objects.filter(listener__in=listeners).order_by("created_at", "pk")
    tracks = list(found.select_related("recording__evaluation", "candidate__evaluation"))
    forgotten = [one.candidate for one in tracks if one.candidate is not None and one.candidate.evaluation is None]
    _hear_again(forgotten, on_wait)
    heard = {one.pk: one for one in beside}
    for track in tracks:
        heard[sound(track).pk] = sound(track)
    for track in never_again(listeners).select_related("recording__evaluation"):
        heard[track.recording.evaluation_id] = track.recording.evaluation
    return generations.heard(list(heard.values())).embeddings if heard else None


def sound(track: Track) -> Evaluation:
    """What was heard of a track: of its candidate, else of the recording."""
    if track.candidate is not None and track.candidate.evaluation is not None:
        return track.candidate.evaluation
    return track.recording.evaluation


def _earlier(listener: Listener, round_: Round | None, *, most: int) -> list[Candidate]:
    """The fittest candidates of the rounds before, the latest round first, as many of each and one per prompt."""
    rows = Candidate.objects.filter(generation__round__run=listener.run_id)
    if round_ is not None:
        rows = rows.filter(generation__round__number__lt=round_.number)
    ordered = rows.order_by("-generation__round__number", "-fitness", "generation__number", "position")
    told = ordered.values_list("generation__round__number", "prompt", "pk")
    by_round: dict[int, dict[str, object]] = defaultdict(dict)
    for number, prompt, key in told.iterator(chunk_size=5000):
        by_round[number].setdefault(prompt, key)
    share = max(1, most // max(1, len(by_round)))
    chosen = [key for best in by_round.values() for key in list(best.values())[:share]][:most]
    query = Candidate.objects.select_related("evaluation", "generation__round__run__experiment")
    found = query.in_bulk(chosen)
    return [found[key] for key in chosen if key in found]


def _take(candidate: Candidate) -> Take:
    run = candidate.generation.round.run
    return Take(genomes.from_json(candidate.genome), candidate.seed, runs.configuration(run).evolution.duration)


def _key(candidate: Candidate) -> str:
    """Of its evaluation, also where that was forgotten."""
    if candidate.evaluation_id is not None:
        return candidate.evaluation_id
    return _take(candidate).key(runs.instruments(candidate.generation.round.run))


def _hear_again(forgotten: Sequence[Candidate], on_wait: Waiting) -> None:
    """Play again what was forgotten."""
    if not forgotten:
        return
    instruments = runs.instruments(forgotten[0].generation.round.run)
    takes = [_take(one) for one in forgotten]
    stored = evaluation.evaluate(takes, instruments, on_wait=on_wait)
    for candidate, take in zip(forgotten, takes, strict=True):
        candidate.evaluation = stored[take.key(instruments)]
    Candidate.objects.bulk_update(forgotten, ["evaluation"], batch_size=500)
