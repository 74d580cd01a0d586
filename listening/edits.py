"""What a listener says of their taste on its page: wishes for concepts, and tracks that shall teach nothing."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from listening import queue, selectors
from listening.models import Listener, TasteEdit, TasteReport, Track

SESSION = timedelta(hours=4)
"""How long "not this session" counts. A sitting seldom lasts longer, and tomorrow it shall have been forgotten."""
LATE = timedelta(minutes=1)
"""A report takes seconds; one that was asked for so long ago was lost with its broker."""
LONGEST_QUOTE = 80  # characters of somebody's input that an error repeats

Kind = TasteEdit.Kind


class EditError(ValueError):
    """An edit that says something impossible; the message says what was expected and what came."""


@dataclass(frozen=True)
class Stored:
    """What came of an edit: what stands for the concept now, what stood before, and whether that is a change."""

    now: TasteEdit | None
    before: TasteEdit | None
    is_new: bool


def lean(*, listener: Listener, concept: str, wanted: float) -> Stored:
    """So much of a concept is wanted: from -1, none of it, to 1, much of it. Raises EditError."""
    if isinstance(wanted, bool) or not isinstance(wanted, int | float) or not -1 <= wanted <= 1:
        raise EditError(f"wanted: expected a number from -1 to 1, got {_quoted(wanted)}")
    return _record(listener, concept, Kind.LEAN, wanted=float(wanted))


def forget(*, listener: Listener, concept: str) -> Stored:
    """Forget what was believed of a concept: neither wanted nor unwanted. Raises EditError."""
    return _record(listener, concept, Kind.FORGET)


def not_now(*, listener: Listener, concept: str) -> Stored:
    """None of a concept for this session; what was said of it before counts again afterwards. Raises EditError."""
    return _record(listener, concept, Kind.NOT_NOW)


def withdraw(*, listener: Listener, concept: str) -> Stored:
    """As if nothing had been said of a concept: the ratings alone tell. Raises EditError."""
    return _record(listener, concept, Kind.WITHDRAWN)


@transaction.atomic
def forget_track(*, listener: Listener, track_id: uuid.UUID, forgotten: bool) -> Track:
    """Let a track's ratings teach nothing from now on, or teach again. Raises Track.DoesNotExist for anybody else's."""
    track = Track.objects.select_for_update().get(pk=track_id, listener=listener)
    if (track.forgotten_at is not None) != forgotten:
        track.forgotten_at = timezone.now() if forgotten else None
        track.save(update_fields=["forgotten_at"])
        _read_again(listener)
    return track


def read_if_late(*, listener: Listener) -> None:
    """Have the report made that should be there: somebody who rated has none, or the asking for one was lost."""
    report = TasteReport.objects.filter(listener=listener).first()
    if report is None:
        late = listener.ratings.exclude(value=0).exists()
    else:
        late = report.wanted_at is not None and report.made_at < report.wanted_at < timezone.now() - LATE
    if late:
        queue.enqueue_report(listener.pk)


@transaction.atomic
def _record(listener: Listener, concept: str, kind: Kind, *, wanted: float = 0.0) -> Stored:
    """Store an edit unless it says what stands already."""
    # One after another: of two presses at once, the second has to see what the first has said.
    Listener.objects.select_for_update().get(pk=listener.pk)
    now = timezone.now()
    standing = {one.concept: one for one in selectors.wishes(listener, until=now)}
    _check(listener, concept, standing)
    before = standing.get(concept)
    if _says(before, kind, wanted):
        return Stored(now=before, before=before, is_new=False)
    made = TasteEdit.objects.create(
        listener=listener,
        concept=concept,
        kind=kind,
        wanted=wanted,
        until=now + SESSION if kind == Kind.NOT_NOW else None,
    )
    _read_again(listener)
    return Stored(now=None if kind == Kind.WITHDRAWN else made, before=before, is_new=True)


def _says(standing: TasteEdit | None, kind: Kind, wanted: float) -> bool:
    if standing is None:
        return kind == Kind.WITHDRAWN
    return standing.kind == kind and math.isclose(standing.wanted, wanted, abs_tol=1e-9)


def _check(listener: Listener, concept: str, standing: dict[str, TasteEdit]) -> None:
    """Only what the listener's page names can be edited, and what they have edited before."""
    if not isinstance(concept, str):
        raise EditError(f"concept: expected the name of a concept, got {_quoted(concept)}")
    report = TasteReport.objects.filter(listener=listener).first()
    known = {one["name"] for one in report.content.get("concepts", ())} if report is not None else set()
    if concept not in known and concept not in standing:
        expected = f"one of the {len(known)} concepts of your taste page" if known else "nothing yet: none are known"
        raise EditError(f"concept: expected {expected}, got {_quoted(concept)}")


def _read_again(listener: Listener) -> None:
    """Have a conductor read the taste with this in mind."""
    TasteReport.objects.filter(listener=listener).update(wanted_at=timezone.now())
    transaction.on_commit(lambda: queue.enqueue_report(listener.pk))


def _quoted(value: object) -> str:
    return repr(str(value)[:LONGEST_QUOTE])
