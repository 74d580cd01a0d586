"""Reads for the taste page: everything heard, what is believed of it and why, and what the listener has asked for."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, Subquery
from django.urls import reverse
from django.utils import timezone

from listening import proofs, selectors, taste_words
from listening.models import Listener, Rating, TasteEdit, TasteReport, Track

MOST_DOTS = 600
"""Tracks on the map, the newest: more of them could neither be told apart nor reached by keyboard."""

_COLUMNS = (
    "pk",
    "title",
    "prompt",
    "map_x",
    "map_y",
    "repeats_id",
    "forgotten_at",
    "recording__seconds",
    "place__playlist_id",
    "place__playlist__number",
    "opinion",
    "never",
)


def read(listener: Listener) -> dict[str, Any]:
    """All that the page shows, as JSON. Says nothing of why a track was played (`PlaylistTrack.role`).

    `pending`: a newer report is being made, or the first one. `believes`: whether there is anything to believe with,
    which an aligner without concepts has not.
    """
    now = timezone.now()
    report = TasteReport.objects.filter(listener=listener).first()
    content: Mapping[str, Any] = report.content if report is not None else {}
    wishes = {one.concept: one for one in selectors.wishes(listener, until=now)}
    beliefs = content.get("beliefs", [])
    tracks, heard = _tracks(listener, evidence={one for belief in beliefs for one in belief["evidence"]})
    concepts = content.get("concepts", [])
    return {
        "made_at": report.made_at.isoformat() if report is not None else None,
        "pending": _pending(report, tracks.values()),
        "believes": bool(concepts),
        "ratings": content.get("ratings", 0),
        "headline": taste_words.headline(beliefs),
        "beliefs": [_belief(one, wishes, tracks) for one in beliefs],
        "slots": _slots(concepts, wishes),
        "wishes": [{"concept": name, **(wish(wishes[name]) or {})} for name in sorted(wishes)],
        "landscape": content.get("landscape", []),
        "tracks": list(tracks.values()),
        "heard": heard,
        "proof": proofs.of_listener(listener),
    }


def wish(edit: TasteEdit | None) -> dict[str, Any] | None:
    """An edit as the page knows it."""
    if edit is None:
        return None
    return {"kind": edit.kind, "wanted": edit.wanted, "until": _iso(edit.until)}


def _pending(report: TasteReport | None, tracks: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a report is to be expected: a newer one was asked for, or there are ratings and none yet."""
    if report is None:
        return any(track["rating"] for track in tracks)
    return report.wanted_at is not None and report.wanted_at > report.made_at


def _tracks(listener: Listener, *, evidence: Collection[str]) -> tuple[dict[str, dict[str, Any]], int]:
    """The newest tracks and all that are evidence, by id, the newest first; and how many were heard in all.

    A track that is another one's music once more is nobody's dot: that the two are the same is not to be seen.
    """
    mine = Track.objects.filter(listener=listener)
    songs = mine.filter(repeats__isnull=True)
    newest = songs.order_by("-created_at", "-pk").values("pk")[:MOST_DOTS]
    latest = Rating.objects.filter(track=OuterRef("pk")).order_by("-given_at", "-stored_at")
    told = [one for one in map(_uuid, evidence) if one is not None]
    rows = (
        selectors.with_opinion(mine.filter(Q(pk__in=newest) | Q(pk__in=told)))
        .annotate(never=Subquery(latest.values("never")[:1]))
        .order_by("-created_at", "place__position")
        .values(*_COLUMNS)
    )
    tracks = {str(row["pk"]): _track(row) for row in rows}
    shown = sum(1 for row in rows if row["repeats_id"] is None)
    return tracks, shown if shown < MOST_DOTS else songs.count()


def _track(row: Mapping[str, Any]) -> dict[str, Any]:
    placed = row["map_x"] is not None and row["map_y"] is not None
    return {
        "id": str(row["pk"]),
        "title": row["title"],
        "prompt": row["prompt"],
        "x": row["map_x"],
        "y": row["map_y"],
        "dot": placed and row["repeats_id"] is None,
        "rating": row["opinion"],
        "never": bool(row["never"]),
        "forgotten": row["forgotten_at"] is not None,
        "seconds": row["recording__seconds"],
        "playlist": str(row["place__playlist_id"]) if row["place__playlist_id"] else None,
        "number": row["place__playlist__number"],
        "audio_url": reverse("listening:track_audio", args=[row["pk"]]),
        "download_url": reverse("listening:track_download", args=[row["pk"]]),
        "forget_url": reverse("listening:taste_forget_track", args=[row["pk"]]),
    }


def _belief(one: Mapping[str, Any], wishes: Mapping[str, TasteEdit], tracks: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": one["name"],
        "slot": one["slot"],
        "lean": one["lean"],
        "sure": one["sure"],
        "sentence": taste_words.sentence(one["name"], one["slot"], one["lean"]),
        "confidence": taste_words.confidence(one["sure"]),
        "evidence": [track for track in one["evidence"] if track in tracks],
        "edit": wish(wishes.get(one["name"])),
    }


def _slots(concepts: Sequence[Mapping[str, Any]], wishes: Mapping[str, TasteEdit]) -> list[dict[str, Any]]:
    """The concepts for the sliders, slot by slot, in the order of the page; slots that are new to us come last."""
    known = list(taste_words.SLOTS)
    names = sorted({one["slot"] for one in concepts}, key=lambda slot: (slot not in known, slot))
    ordered = [slot for slot in known if slot in names] + [slot for slot in names if slot not in known]
    return [
        {
            "slot": slot,
            "heading": taste_words.SLOTS.get(slot, slot.capitalize()),
            "concepts": [_concept(one, wishes) for one in concepts if one["slot"] == slot],
        }
        for slot in ordered
    ]


def _concept(one: Mapping[str, Any], wishes: Mapping[str, TasteEdit]) -> dict[str, Any]:
    return {
        "name": one["name"],
        "lean": one["lean"],
        "spread": one["spread"],
        "sure": one["sure"],
        "says": taste_words.leaning(one["lean"], one["sure"]),
        "edit": wish(wishes.get(one["name"])),
    }


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except (ValueError, TypeError, AttributeError):
        return None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
