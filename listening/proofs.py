"""What a listener's ratings prove, and how well they were predicted: figures for the pages. Reads only; no torch.

The sums here never tell which track of a playlist is the control before that playlist is finished: an unfinished one
counts in no share. A playlist is finished when all its tracks are rated, or when a later one has its first rating;
what is rated only after that does not count for it, for by then the figures may have told.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from django.db.models import QuerySet

from listening.models import Listener, PlaylistTrack, Rating
from models_store.taste import prequential, proof
from models_store.taste.prequential import Prediction
from models_store.taste.proof import Block

Role = PlaylistTrack.Role


class _Place(NamedTuple):
    """A track in a playlist that was made for one listener (duets prove nothing about one of them)."""

    listener: int
    number: int
    track: uuid.UUID
    role: str
    predicted: float
    chance: float | None
    repeats: uuid.UUID | None


class _Opinion(NamedTuple):
    """The latest like or dislike of a track, and when the first one was stored."""

    liked: bool
    first: datetime


Opinions = dict[uuid.UUID, _Opinion]


@dataclass(frozen=True)
class _Finished:
    """A finished playlist: since when, and the tracks that count."""

    since: datetime
    places: tuple[_Place, ...]


def of_listener(listener: Listener) -> dict[str, Any]:
    """What is proved to one listener, ready for JSON. Two queries.

    verdict: "nothing", "proved" or "opposite" (songs for others are liked more). sentence: it in words.
    after: how many compared playlists the verdict took. evidence: in [0, 1], how far the proof is.
    playlists: how many were compared. evolved, controls, difference: {"mean", "low", "high", "count"} (mean: None of
    nothing); they hold at every moment. noise: see `models_store.taste.proof.Noise`, with "pairs".
    prediction: {"accuracy", "recent", "base_accuracy", "scores"} (prequential.Record) and "curve" (prequential.Point).
    """
    places = _places(Listener.objects.filter(pk=listener.pk))
    opinions = _opinions(Rating.objects.filter(listener=listener))
    finished = list(_finished(places, opinions))
    rows = list(_predictions(places, opinions))
    return {
        **_proved(proof.prove(_blocks(finished, opinions)), everyone=False),
        "noise": _noise(_pairs(finished, opinions)),
        "prediction": {
            **asdict(prequential.record(rows)),
            "curve": [asdict(point) for point in prequential.curve(rows)],
        },
    }


def of_everyone(listeners: QuerySet[Listener] | None = None) -> dict[str, Any]:
    """The same over many listeners; None: all people. Two queries.

    The playlists of all, in the order in which they were finished, are the blocks of one proof. Beside it "listeners"
    (with a finished playlist), "proved" (how many of them have a proof of their own), "noise", and
    "prediction": {"accuracy", "base_accuracy", "calibration"} (prequential.Pooled).
    """
    chosen = Listener.objects.filter(user__isnull=False) if listeners is None else listeners
    places = _places(chosen)
    opinions = _opinions(Rating.objects.filter(listener__in=chosen))
    finished: list[_Finished] = []
    proved = took_part = 0
    predictions = []
    for _, group in groupby(places, key=lambda place: place.listener):
        own = list(group)
        theirs = list(_finished(own, opinions))
        finished += theirs
        took_part += bool(theirs)
        proved += proof.prove(_blocks(theirs, opinions)).verdict == "proved"
        predictions.append(list(_predictions(own, opinions)))
    finished.sort(key=lambda one: one.since)
    return {
        **_proved(proof.prove(_blocks(finished, opinions)), everyone=True),
        "listeners": took_part,
        "proved": proved,
        "noise": _noise(_pairs(finished, opinions)),
        "prediction": asdict(prequential.pooled(predictions)),
    }


def _places(listeners: QuerySet[Listener]) -> list[_Place]:
    """By listener, then in the order of the playlists."""
    found = (
        PlaylistTrack.objects.filter(playlist__listener__in=listeners, playlist__duet=None)
        .order_by("playlist__listener", "playlist__number", "position")
        .values_list("playlist__listener", "playlist__number", "track", "role", "predicted", "chance", "track__repeats")
    )
    return [_Place(*row) for row in found]


def _opinions(ratings: QuerySet[Rating]) -> Opinions:
    """Tracks that are liked or disliked now."""
    first: dict[uuid.UUID, datetime] = {}
    latest: dict[uuid.UUID, int] = {}
    found = ratings.order_by("given_at", "stored_at").values_list("track", "value", "stored_at")
    for track, value, stored in found.iterator(chunk_size=5000):
        latest[track] = value
        if value:
            first[track] = min(stored, first.get(track, stored))
    return {track: _Opinion(value > 0, first[track]) for track, value in latest.items() if value}


def _finished(places: Sequence[_Place], opinions: Opinions) -> Iterator[_Finished]:
    """The finished playlists of one listener, in their order, each with the tracks that count."""
    playlists = [list(group) for _, group in groupby(places, key=lambda place: place.number)]
    following: datetime | None = None  # the first opinion of any later playlist
    found = []
    for playlist in reversed(playlists):
        times = [opinions[place.track].first for place in playlist if place.track in opinions]
        ends = [following] if following is not None else []
        if len(times) == len(playlist):
            ends.append(max(times))
        if ends:
            since = min(ends)
            counted = [one for one in playlist if one.track in opinions and opinions[one.track].first <= since]
            found.append(_Finished(since, tuple(counted)))
        following = min([*times, *([following] if following is not None else [])], default=None)
    yield from reversed(found)


def _blocks(playlists: Iterable[_Finished], opinions: Opinions) -> Iterator[Block]:
    """What was asked only to learn, and repeats, are on neither side: they were not chosen to be liked."""
    for one in playlists:
        said = [(place.role, opinions[place.track].liked) for place in one.places]
        yield Block(
            evolved=tuple(liked for role, liked in said if role == Role.EVOLVED),
            controls=tuple(liked for role, liked in said if role == Role.CONTROL),
        )


def _pairs(playlists: Iterable[_Finished], opinions: Opinions) -> Iterator[tuple[bool, bool]]:
    """Repeats whose first time was rated, too: liked before, liked again."""
    for one in playlists:
        for place in one.places:
            before = opinions.get(place.repeats) if place.repeats is not None else None
            if place.role == Role.REPEAT and before is not None:
                yield before.liked, opinions[place.track].liked


def _predictions(places: Iterable[_Place], opinions: Opinions) -> Iterator[Prediction]:
    """Every rating as it was predicted, without repeats: what was said of those before was known."""
    for place in places:
        if place.track in opinions and place.role != Role.REPEAT:
            yield Prediction(
                playlist=place.number,
                liked=opinions[place.track].liked,
                chance=place.chance,
                likeness=place.predicted,
            )


def _proved(found: proof.Proof, *, everyone: bool) -> dict[str, Any]:
    told = asdict(found)
    told["playlists"] = told.pop("compared")
    return {**told, "sentence": proof.sentence(found, everyone=everyone)}


def _noise(pairs: Iterable[tuple[bool, bool]]) -> dict[str, Any]:
    found = proof.noise(pairs)
    return {**asdict(found), "pairs": found.changed.count}
