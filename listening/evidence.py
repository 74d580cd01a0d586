"""What a listener's taste is learned from: ratings, what was heard or skipped without one, and what they asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Exists, Max, OuterRef, Q, Subquery
from django.utils import timezone

from evolution import generations
from listening import selectors
from listening.models import Listen, Listener, Rating, TasteEdit, Track
from models_store.aligner.concepts import Concepts
from models_store.aligner.model import AlignerV2
from models_store.taste.memory import DISLIKE, LIKE, Edit, Memory

NEVER_AGAIN = 3.0
"""What "never again" weighs, in ordinary dislikes."""
SKIPPED = 0.4
"""What a skip at the very beginning weighs, in dislikes; the later it comes the less, nothing at the end."""
FINISHED = 0.2
"""What hearing a track to its end weighs, in likes: music may go on because nobody is there."""
WISH = 12.0
"""What moving a slider weighs, in ratings."""


def moment(listener: Listener) -> datetime:
    """Up to when to look for all that a listener has said so far: now, unless the clock was set back since they did.

    Web process and conductor may also be machines whose clocks differ.
    """
    said = [
        Rating.objects.filter(listener=listener).aggregate(last=Max("stored_at"))["last"],
        Listen.objects.filter(listener=listener).aggregate(last=Max("stored_at"))["last"],
        TasteEdit.objects.filter(listener=listener).aggregate(last=Max("created_at"))["last"],
    ]
    return max([timezone.now(), *(one for one in said if one is not None)])


def tracks(listener: Listener, *, until: datetime) -> list[Track]:
    """What was rated, finished or skipped and is not forgotten, as it stood at the moment `until`, in playing order.

    Each with `opinion`, `never`, `ending` and `heard_seconds` of its latest rating and hearing.
    """
    rating = Rating.objects.filter(track=OuterRef("pk"), stored_at__lte=until).order_by("-given_at", "-stored_at")
    listen = Listen.objects.filter(track=OuterRef("pk"), stored_at__lte=until)
    latest = listen.exclude(ending=Listen.Ending.LEFT).order_by("-given_at", "-stored_at")
    found = selectors.with_opinion(Track.objects.filter(listener=listener), until=until).annotate(
        never=Subquery(rating.values("never")[:1]),
        ending=Subquery(latest.values("ending")[:1]),
        heard_seconds=Subquery(latest.values("seconds")[:1]),
    )
    telling = Q(opinion__in=[LIKE, DISLIKE]) | (Q(opinion__isnull=True) & Exists(latest))
    return list(
        found.filter(telling)
        .exclude(forgotten_at__lte=until)
        .select_related("recording__evaluation", "place__playlist")
        .order_by("place__playlist__number", "place__position")
    )


def memory(
    heard: Sequence[Track], model: AlignerV2, *, rounds: int | None = None, edits: Sequence[Edit] = ()
) -> Memory:
    """The memory of these tracks, of the last `rounds` playlists (None: all) in which there are any."""
    if not heard:
        empty = Memory.empty(layers=model.config.layers, dim=model.config.dim)
        return Memory(empty.embeddings, empty.ratings, empty.rounds, edits=tuple(edits))
    said = [_said(track) for track in heard]
    whole = Memory.of(
        generations.heard([track.recording.evaluation for track in heard]).embeddings,
        [value for value, _ in said],
        [track.place.playlist.number for track in heard],
        weights=[weight for _, weight in said],
        edits=edits,
    )
    return whole if rounds is None else whole.last(rounds)


def edits(listener: Listener, concepts: Concepts | None, *, until: datetime) -> list[Edit]:
    """What the listener asked for in words, as it stood at the moment `until`: the latest of each concept."""
    if concepts is None:
        return []
    asked = selectors.wishes(listener, until=until)
    known = [one for one in asked if one.concept in concepts.names]
    return [concepts.edit(one.concept, wanted=_wanted(one), weight=WISH) for one in known]


def _wanted(wish: TasteEdit) -> float:
    return {TasteEdit.Kind.FORGET: 0.0, TasteEdit.Kind.NOT_NOW: -1.0}.get(TasteEdit.Kind(wish.kind), wish.wanted)


def _said(track: Track) -> tuple[int, float]:
    """What a track says of the taste, and how much: a rating, else how its hearing ended."""
    opinion = getattr(track, "opinion", None)
    if opinion:
        return opinion, NEVER_AGAIN if getattr(track, "never", False) else 1.0
    share = min(1.0, (getattr(track, "heard_seconds", None) or 0.0) / max(track.recording.seconds, 1e-6))
    if getattr(track, "ending", None) == Listen.Ending.FINISHED:
        return LIKE, FINISHED
    return DISLIKE, SKIPPED * (1.0 - share)
