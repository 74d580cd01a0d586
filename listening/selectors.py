"""Reads of what listeners have: each through its owner."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.urls import reverse

from evolution import presence, waiting
from evolution import selectors as search
from evolution.models import Recording, Round, Run
from listening.models import Listener, Playlist, Rating, TasteEdit, Track
from listening.statements import Pair

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Opinion(TypedDict):
        opinion: int | None

    class _Said(_Opinion):
        never: bool | None

    RatedTrack = WithAnnotations[Track, _Opinion]
    ShownTrack = WithAnnotations[Track, _Said]

SHARE_RATED = 0.75
"""Of a playlist's tracks; with so many liked or disliked the next round begins by itself (decision 4)."""
PLAYLISTS_PER_PAGE = 10
FAVOURITES_PER_PAGE = 50

MESSAGES = {
    Round.Status.QUEUED: "Your next playlist is about to be made.",
    Round.Status.LEARNING: "Learning from what you said.",
    Round.Status.EVOLVING: "New music is evolving towards your taste.",
    Round.Status.COMPOSING: "Choosing and recording the best of it.",
    Round.Status.DONE: "Your playlist is ready.",
    Round.Status.FAILED: "This round could not be finished.",
    Round.Status.STOPPED: "This experiment is over. What you heard and liked stays here.",
    Round.Status.CANCELLED: "Cancelled. What you heard and rated stays; evolve again when you like.",
}
RESTING = {
    Run.Status.PAUSED: "This experiment rests for the moment. Your next playlist comes when it goes on.",
    Run.Status.STOPPED: MESSAGES[Round.Status.STOPPED],
}


def track(listener: Listener, track_id: uuid.UUID) -> Track:
    """A track of the listener with its recording. Raises Track.DoesNotExist for anybody else's."""
    found = _TRACK.find(track_id, listener.pk)
    if found is None or found[1] is None:  # none is without
        raise Track.DoesNotExist
    owned, owned.recording = found[0], found[1]
    return owned


def playlist(listener: Listener, playlist_id: uuid.UUID) -> Playlist:
    """A playlist of the listener. Raises Playlist.DoesNotExist for anybody else's."""
    return Playlist.objects.get(pk=playlist_id, listener=listener)


def newest_playlist(listener: Listener) -> Playlist | None:
    """The listener's newest playlist."""
    return Playlist.objects.filter(listener=listener).order_by("-number").first()


_TRACK = Pair(
    Track,
    Recording,
    joined="second.key = first.recording_id",
    where="first.id = %s AND first.listener_id = %s",
    without=("embedding", "peaks"),
)
_PROGRESS = """
    SELECT
        count(*) FILTER (WHERE latest.value <> 0),
        count(*),
        (SELECT status FROM evolution_round WHERE run_id = %(run)s ORDER BY number DESC LIMIT 1)
    FROM listening_playlisttrack place
    LEFT JOIN LATERAL (
        SELECT value FROM listening_rating WHERE track_id = place.track_id
        ORDER BY given_at DESC, stored_at DESC LIMIT 1
    ) latest ON true
    WHERE place.playlist_id = (
        SELECT id FROM listening_playlist WHERE listener_id = %(listener)s ORDER BY number DESC LIMIT 1
    )
"""


@dataclass(frozen=True)
class Progress:
    """How much of the newest playlist is rated, and how much is enough; whether a round is being made.

    cancelled: the latest round was called off.
    """

    rated: int
    needed: int
    evolving: bool
    cancelled: bool = False


def progress(listener: Listener) -> Progress:
    """How far the newest playlist is, all of it at one moment.

    Asked after every rating, and so in SQL: to have it written by the ORM takes ten times as long as to ask.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PROGRESS, {"listener": listener.pk, "run": listener.run_id})
        rated, tracks, latest = cursor.fetchone()
    needed = math.ceil(SHARE_RATED * tracks)
    return Progress(rated, needed, latest in Round.PENDING, latest == Round.Status.CANCELLED)


def pending_round(listener: Listener) -> Round | None:
    """The round that is being made for the listener, if one is."""
    return Round.objects.filter(run_id=listener.run_id, status__in=Round.PENDING).first()


def with_opinion(tracks: QuerySet[Track], *, until: datetime | None = None) -> QuerySet[RatedTrack]:
    """Tracks with `.opinion`: the value of the latest rating (stored by `until`), None where there is none."""
    ratings = Rating.objects.filter(track=OuterRef("pk"))
    known = ratings if until is None else ratings.filter(stored_at__lte=until)
    latest = known.order_by("-given_at", "-stored_at")
    return tracks.annotate(opinion=Subquery(latest.values("value")[:1]))


def wishes(listener: Listener, *, until: datetime) -> list[TasteEdit]:
    """The latest word on each concept that counts at the moment `until`, by concept.

    "Not now" counts until it ends and then gives way to what was said before it.
    """
    said = TasteEdit.objects.filter(listener=listener, created_at__lte=until)
    counting = said.filter(Q(until__isnull=True) | Q(until__gt=until))
    latest = counting.order_by("concept", "-created_at", "-pk").distinct("concept")
    return [one for one in latest if one.kind != TasteEdit.Kind.WITHDRAWN]


def playlist_content(playlist: Playlist) -> dict[str, Any]:
    """A playlist as the page and the socket know it."""
    return _content(playlist, list(_for_people(Track.objects.filter(place__playlist=playlist))))


def shown_name(listener: Listener) -> str:
    """All that other listeners are told of somebody."""
    return "a guest" if listener.user is None or listener.is_guest else listener.user.get_username()


def favourites(listener: Listener, page: str | None) -> tuple[Page[ShownTrack], list[dict[str, Any]]]:
    """One page of the liked tracks, the newest first."""
    liked = _for_people(Track.objects.filter(listener=listener)).filter(Q(opinion=1))
    chosen = Paginator(liked.order_by("-created_at", "place__position"), FAVOURITES_PER_PAGE).get_page(page)
    return chosen, [_track_content(track) for track in chosen]


def history(listener: Listener, page: str | None) -> tuple[Page[Playlist], list[dict[str, Any]]]:
    """One page of the listener's playlists, the newest first, each with its ratings counted."""
    mine = Playlist.objects.filter(listener=listener).select_related("duet__host__user", "duet__guest__user")
    found = Paginator(mine.order_by("-number"), PLAYLISTS_PER_PAGE)
    chosen = found.get_page(page)
    tracks: dict[uuid.UUID, list[ShownTrack]] = {playlist.pk: [] for playlist in chosen}
    for track in _for_people(Track.objects.filter(place__playlist__in=list(tracks))):
        tracks[track.place.playlist_id].append(track)
    return chosen, [_counted(playlist, tracks[playlist.pk]) for playlist in chosen]


def _for_people(tracks: QuerySet[Track]) -> QuerySet[ShownTrack]:
    """Tracks with all that people are shown of them, in the order of their playlist.

    `.never`: whether the latest rating means "never again".
    """
    latest = Rating.objects.filter(track=OuterRef("pk")).order_by("-given_at", "-stored_at")
    said = with_opinion(tracks).annotate(never=Subquery(latest.values("never")[:1]))
    return said.select_related("recording", "place").order_by("place__position")


def _content(playlist: Playlist, tracks: Iterable[ShownTrack]) -> dict[str, Any]:
    return {
        "id": str(playlist.pk),
        "number": playlist.number,
        "made_at": playlist.made_at.isoformat(),
        "url": reverse("listening:playlist", args=[playlist.pk]),
        "partner": _partner(playlist),
        "tracks": [_track_content(track) for track in tracks],
    }


def _partner(playlist: Playlist) -> str | None:
    """With whom it was made, where it was made for two."""
    duet = playlist.duet
    if duet is None or duet.guest is None:
        return None
    return shown_name(duet.guest if duet.host_id == playlist.listener_id else duet.host)


def _track_content(track: ShownTrack) -> dict[str, Any]:
    return {
        "id": str(track.pk),
        "position": track.place.position + 1,
        "title": track.title,
        "prompt": track.prompt,
        "seconds": track.recording.seconds,
        "audio_url": reverse("listening:track_audio", args=[track.pk]),
        "download_url": reverse("listening:track_download", args=[track.pk]),
        "peaks": track.recording.peaks,
        "rating": track.opinion,
        "never": bool(track.never),
        "favourite": track.opinion == 1,
    }


def _counted(playlist: Playlist, tracks: Sequence[ShownTrack]) -> dict[str, Any]:
    opinions = [track.opinion for track in tracks]
    return {
        **_content(playlist, tracks),
        "made_at": playlist.made_at,
        "liked": opinions.count(1),
        "disliked": opinions.count(-1),
        "unrated": len(opinions) - opinions.count(1) - opinions.count(-1),
    }


def round_state(
    round_: Round, *, message: str = "", status: str = "", seconds_left: float | None = None
) -> dict[str, Any]:
    """How far a round is, as the page knows it."""
    best = [] if round_.started_at is None else search.best_fitness(round_)
    return {
        "number": round_.number,
        "status": status or ("failed" if round_.status == Round.Status.STOPPED else round_.status),
        "message": message or round_.message or MESSAGES[Round.Status(round_.status)],
        "generation": len(best),
        "generations": round_.generations_planned,
        "best": [round(value, 4) for value in best],
        "seconds_left": seconds_left,
        "queue": _queue(round_),
    }


def _queue(round_: Round) -> dict[str, Any] | None:
    """Where a pending round stands: how many others come before it, and seconds until what it asked for is played.

    None where nothing is known of it; seconds are None where nobody knows how long such music takes. Of a round that
    no conductor has begun: how many others wait for one too.
    """
    if round_.status not in Round.PENDING:
        return None
    if round_.started_at is None:
        return {"before": search.rounds_before(round_), "seconds": None}
    place = waiting.place(round_.run_id)
    return None if place is None else {"before": place.before, "seconds": place.seconds}


def state(listener: Listener) -> dict[str, Any]:
    """Everything the page needs to catch up."""
    newest = newest_playlist(listener)
    round_ = search.latest_round(listener.run_id)
    now = progress(listener)
    return {
        "round": _told(round_) if round_ is not None else None,
        "playlist": str(newest.pk) if newest else None,
        "rated": now.rated,
        "needed": now.needed,
    }


def _told(round_: Round) -> dict[str, Any]:
    """A round's state; a pending one says so when it rests, and when nobody is there to work on it."""
    if round_.status in Round.PENDING:
        if round_.run.status in RESTING:
            return round_state(round_, status="waiting", message=RESTING[Run.Status(round_.run.status)])
        there = presence.count()
        missing = [role for role in ("conductor", "player") if not there.get(role)]
        if missing:
            message = f"Waiting: no {' and no '.join(missing)} is up. The round goes on as soon as one is back."
            return round_state(round_, status="waiting", message=message)
    return round_state(round_)
