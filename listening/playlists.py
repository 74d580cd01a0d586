"""From generations to a playlist: choose, record, keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from django.db import transaction
from django.db.models import Max

from evolution import evaluation, generations, runs
from evolution import selectors as search
from evolution.models import Candidate, Recording, Round
from evolution.search.fitness import Likeness
from listening import archive, controls, picks, profiles, selectors, titles
from listening.models import Duet, Listener, Playlist, PlaylistTrack, TasteSnapshot, Track
from listening.picks import Pick, Role
from models_store import artefacts, seeding
from models_store.evaluation import Evaluations
from models_store.taste import asking, curation
from models_store.taste.base import Taste

DIVERSITY = 0.45
"""How much a playlist's variety weighs beside likeness, in [0, 1]."""
KEPT_VARIETY = 0.75
"""A playlist's variety, as a share of the listener's first playlist's, that curation holds to where it can."""
MOST_FAULTS = 0.3
"""Artefacts of a track that may introduce the system to somebody."""

Waiting = Callable[[str], None] | None


def compose(
    listener: Listener, round_: Round, taste: Taste, *, sought: Likeness | None = None, on_wait: Waiting = None
) -> Playlist:
    """The round's playlist; a round that has one already gives that one again.

    taste: what is believed of the listener, which the tracks' predictions come from.
    sought: whoever judges the candidates; None: the taste.
    Raises evolution.evaluation.PlayingError when a track cannot be recorded.
    """
    made = Playlist.objects.filter(round=round_).first()
    if made is not None:
        return made
    length = runs.configuration(listener.run).user_model.best_solutions
    number = next_number(listener)
    proof = controls.due(listener, round_, length=length)
    repeat = controls.repeat(listener, number=number) if proof else None
    again = [repeat] if repeat is not None else []
    count = length - len(again) - proof
    if sought is None or sought is taste:
        own = _evolved(listener, round_, taste, count=count, beside=again, on_wait=on_wait)
    else:
        own = _found(listener, round_, taste, sought, count=count)
    others = [*again, *([controls.control(listener, round_, beside=[*own, *again])] if proof else [])]
    order = controls.mix(own, others, seed=seeding.derive(listener.run.seed, "order", round_.number))
    return keep(listener, order, taste=taste, round_=round_, on_wait=on_wait)


def keep(
    listener: Listener,
    chosen: Sequence[Pick],
    *,
    taste: Taste,
    round_: Round | None = None,
    duet: Duet | None = None,
    on_wait: Waiting = None,
) -> Playlist:
    """Record what was chosen and make it the listener's newest playlist.

    chosen: in playing order. taste: the listener's, which the predictions come from.
    round_: whose playlist it is; it must not have one yet. duet: for whom it was chosen, where it is of no round.
    Raises evolution.evaluation.PlayingError when a track cannot be recorded.
    """
    instruments = runs.instruments(listener.run)
    takes = [one.take for one in chosen if one.take is not None]
    recorded = evaluation.record(takes, instruments, on_wait=on_wait)
    recordings = [
        one.recording if one.take is None or one.recording is not None else recorded[one.take.key(instruments)]
        for one in chosen
    ]
    return _stored(listener, chosen, [one for one in recordings if one is not None], taste, round_, duet)


def next_number(listener: Listener) -> int:
    """Of the listener's next playlist, whatever it comes from: from 1."""
    return (Playlist.objects.filter(listener=listener).aggregate(last=Max("number"))["last"] or 0) + 1


def _evolved(
    listener: Listener, round_: Round, taste: Taste, *, count: int, beside: Sequence[Pick], on_wait: Waiting
) -> list[Pick]:
    """What suits a learned taste, and what tells most about it, from the round and from what was evolved before."""
    pool = archive.candidates(listener, round_=round_, on_wait=on_wait)
    if not pool or runs.configuration(listener.run).user_model.sample:
        return _found(listener, round_, taste, taste, count=count)
    heard = _heard(pool)
    seed = _seed(listener, round_)
    if _is_stranger(listener, round_):
        return [
            _pick(listener, pool[index], Role.ASKED) for index in _introduction(heard, taste, count=count, seed=seed)
        ]
    known = archive.unwanted([listener], beside=picks.evaluations(beside), on_wait=on_wait)
    draws = taste.draws(heard.embeddings, count=asking.DRAWS, seed=seed)
    chosen = curation.compose(
        taste.likeness(heard.embeddings)[0] - artefacts.total(heard.artefacts),
        taste.aligner.standardise(heard.embeddings),
        count=count,
        believed=(draws, taste.probability(heard.embeddings)),
        asked=curation.how_many_to_ask(draws, count=count),
        diversity=DIVERSITY,
        least_variety=KEPT_VARIETY * _first_variety(listener, taste),
        scale=curation.unrelated(taste.aligner),
        unwanted=None if known is None else taste.aligner.standardise(known),
        seed=seed,
    )
    if not chosen:  # all that was ever found sounds like what was heard
        return _found(listener, round_, taste, taste, count=count)
    return [_pick(listener, pool[one.index], Role(one.role)) for one in chosen]


def _found(listener: Listener, round_: Round, taste: Taste, sought: Likeness, *, count: int) -> list[Pick]:
    """The best that the round's search has found, varied; what was heard already only where there is nothing else.

    A search that has come to rest finds nothing new any more: better to hear its best again than nothing.
    """
    user_model, seed = runs.configuration(listener.run).user_model, _seed(listener, round_)
    known = archive.played([listener])
    everything = search.candidates(round_)
    candidates = archive.audible(everything) or everything
    fresh = [one for one in candidates if one.evaluation_id not in known]
    pool = _one_per_prompt(fresh or candidates, at_least=count)
    heard = _heard(pool)
    wanted = sought.likeness(heard.embeddings)[0] - artefacts.total(heard.artefacts)
    if user_model.sample:
        chosen = curation.sample_by_rank(wanted, count=count, seed=seed)
    else:
        best = curation.compose(
            wanted,
            taste.aligner.standardise(heard.embeddings),
            count=count,
            diversity=DIVERSITY,
            least_variety=KEPT_VARIETY * _first_variety(listener, taste),
            scale=curation.unrelated(taste.aligner),
            strict=False,
            seed=seed,
        )
        chosen = [one.index for one in best]
    if fresh:
        return [_pick(listener, pool[index]) for index in chosen]
    return [_once_more(listener, pool[index]) for index in chosen]


def _is_stranger(listener: Listener, round_: Round) -> bool:
    """Whether nothing at all is known of the listener: no rating, and no wish."""
    taste = TasteSnapshot.objects.get(round=round_)
    return not taste.ratings and not selectors.wishes(listener, until=taste.created_at)


def _pick(listener: Listener, candidate: Candidate, role: Role = Role.EVOLVED) -> Pick:
    seconds = runs.configuration(listener.run).evolution.best_duration
    return picks.of_candidate(candidate, seconds=seconds, role=role)


def _once_more(listener: Listener, candidate: Candidate) -> Pick:
    """What the listener has heard: a repeat of the first time, where that is known."""
    first = Track.objects.filter(listener=listener, candidate__evaluation=candidate.evaluation_id, repeats=None)
    track = first.select_related("recording", "candidate").order_by("place__playlist__number").first()
    if track is None:
        return _pick(listener, candidate, Role.REPEAT)
    return picks.of_track(track, role=Role.REPEAT, repeats=track)


def _seed(listener: Listener, round_: Round) -> int:
    return seeding.derive(listener.run.seed, "playlist", round_.number)


def _heard(candidates: Sequence[Candidate]) -> Evaluations:
    return generations.heard([one.evaluation for one in candidates if one.evaluation is not None])


def _one_per_prompt(candidates: Sequence[Candidate], *, at_least: int) -> list[Candidate]:
    """The fittest candidate of each prompt; more of a prompt only where there would be too few."""
    ranked = sorted(candidates, key=lambda one: -one.fitness)
    best = list({one.prompt: one for one in reversed(ranked)}.values())
    kept = {one.pk for one in best}
    others = [one for one in ranked if one.pk not in kept]
    return best + others[: max(0, at_least - len(best))]


def _introduction(heard: Evaluations, taste: Taste, *, count: int, seed: int) -> list[int]:
    """A first playlist: what tells most about somebody of whom nothing is known, among what sounds clean."""
    clean = (artefacts.total(heard.artefacts) <= MOST_FAULTS).nonzero().flatten()
    kept = clean if len(clean) >= count else torch.arange(len(heard))
    songs = heard.embeddings[kept]
    chosen = curation.introduce(
        (taste.draws(songs, count=asking.DRAWS, seed=seed), taste.probability(songs)),
        taste.aligner.standardise(songs),
        count=count,
        scale=curation.unrelated(taste.aligner),
        seed=seed,
    )
    return [int(kept[index]) for index in chosen]


def _first_variety(listener: Listener, taste: Taste) -> float:
    """The variety of the listener's first playlist; 0 before there is one."""
    first = Track.objects.filter(listener=listener, place__playlist__number=1)
    evaluations = [track.recording.evaluation for track in first.select_related("recording__evaluation")]
    if not evaluations:
        return 0.0
    return curation.variety(taste.aligner.standardise(generations.heard(evaluations).embeddings))


@transaction.atomic
def _stored(
    listener: Listener,
    chosen: Sequence[Pick],
    recordings: Sequence[Recording],
    taste: Taste,
    round_: Round | None,
    duet: Duet | None,
) -> Playlist:
    Listener.objects.select_for_update().get(pk=listener.pk)  # a round and a duet may end together
    heard = generations.heard([recording.evaluation for recording in recordings]).embeddings
    projected = taste.aligner.project_songs(heard).detach()
    likeness, uncertainty = taste.likeness(heard)
    chance = taste.probability(heard)
    concepts = profiles.concepts_of(listener)
    map_places = [(None, None)] * len(chosen) if concepts is None else concepts.place(heard).tolist()
    named = titles.of(listener, [one.prompt for one in chosen])
    playlist = Playlist.objects.create(listener=listener, round=round_, duet=duet, number=next_number(listener))
    tracks = Track.objects.bulk_create(
        Track(
            listener=listener,
            recording=recordings[position],
            candidate=one.candidate,
            title=named[position],
            prompt=one.prompt,
            embedding=projected[position].tolist(),
            map_x=map_places[position][0],
            map_y=map_places[position][1],
            repeats=one.repeats,
        )
        for position, one in enumerate(chosen)
    )
    PlaylistTrack.objects.bulk_create(
        PlaylistTrack(
            playlist=playlist,
            track=track,
            position=position,
            role=chosen[position].role,
            predicted=float(likeness[position]),
            uncertainty=float(uncertainty[position]),
            chance=float(chance[position]),
        )
        for position, track in enumerate(tracks)
    )
    return playlist
