"""Two listeners who make playlists together: invited, joined, steered, asked, ended; and what each sees of it."""

from __future__ import annotations

import math
import uuid
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core import signing
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from evolution import runs
from listening import queue, selectors
from listening.models import Duet, Listener, Playlist

INVITATION_DAYS = 7
MOST_OPEN = 20
"""Duets that one listener may have open at once."""
MOST_SHOWN = 20
"""Playlists of a duet on its page, the newest."""
_SALT = "listening.duets.invitation"


class DuetError(ValueError):
    """A duet that cannot be as it was asked for; the message is a sentence for the listener."""


class InvitationError(DuetError):
    """An invitation that does not hold for whoever opened it."""


def make(*, host: Listener) -> Duet:
    """A duet that waits for somebody to join. Raises DuetError when the host has very many open."""
    if of(host).count() >= MOST_OPEN:
        raise DuetError(f"You have {MOST_OPEN} duets already. End one of them first.")
    return Duet.objects.create(host=host)


def token(duet: Duet) -> str:
    """What lets another listener join: signed, and good for INVITATION_DAYS from now. Ending the duet ends it too."""
    return signing.dumps(str(duet.pk), salt=_SALT)


def invited(text: str) -> Duet:
    """The duet of an invitation. Raises InvitationError for one that is not ours, is too old, or whose duet ended."""
    try:
        duet_id = signing.loads(text, salt=_SALT, max_age=timedelta(days=INVITATION_DAYS))
    except signing.SignatureExpired:
        raise InvitationError("This invitation has expired. Ask for a new one.") from None
    except signing.BadSignature:
        raise InvitationError("This invitation is not complete. Ask for the whole link.") from None
    duet = _all().filter(pk=duet_id).first()
    if duet is None or duet.ended_at is not None:
        raise InvitationError("This duet has ended.")
    return duet


def check_invitation(text: str, listener: Listener | None) -> Duet:
    """The duet that a listener (None: somebody new) may join by this invitation, or has joined already.

    Raises InvitationError for its own host, for a third person, and for two whose music cannot be shared.
    """
    duet = invited(text)
    if listener is None:
        if duet.guest_id is not None:
            raise InvitationError("Somebody has joined this duet already.")
        return duet
    if listener.pk == duet.host_id:
        raise InvitationError("This is your own invitation. Send it to somebody whom you would like to listen with.")
    if duet.guest_id is not None and duet.guest_id != listener.pk:
        raise InvitationError("Somebody else has joined this duet already.")
    reason = why_apart(duet.host, listener)
    if reason:
        raise InvitationError(reason)
    return duet


@transaction.atomic
def join(*, listener: Listener, invitation: str) -> Duet:
    """Join by an invitation; joining again changes nothing. Raises InvitationError like `check_invitation`."""
    duet = check_invitation(invitation, listener)
    # Of two who join at once the second has to see the first.
    locked = Duet.objects.select_for_update().get(pk=duet.pk)
    if locked.ended_at is not None:
        raise InvitationError("This duet has ended.")
    if locked.guest_id is None:
        if of(listener).count() >= MOST_OPEN:
            raise InvitationError(f"You have {MOST_OPEN} duets already. End one of them first.")
        locked.guest = listener
        locked.save(update_fields=["guest"])
    elif locked.guest_id != listener.pk:
        raise InvitationError("Somebody else has joined this duet already.")
    return _all().get(pk=duet.pk)


def why_apart(one: Listener, other: Listener) -> str:
    """Why these two cannot share music, as a sentence; empty when they can.

    Scores of two tastes are of one kind only with the same encoder and the same aligner, and what was evolved for the
    one can be played to the other only by the same generator.
    """
    if one.user_id is None or other.user_id is None:
        return "A duet is for two people."
    mine, theirs = (asdict(runs.instruments(each.run)) for each in (one, other))
    if any(mine[part] != theirs[part] for part in ("generator", "parameters")):
        return "You two listen to different instruments, so there is no music for both of you."
    if any(mine[part] != theirs[part] for part in ("encoder", "encoder_parameters")) or _ear(one) != _ear(other):
        return "What is known of your two tastes is of different kinds, so they cannot be brought together."
    return ""


@transaction.atomic
def set_fairness(*, listener: Listener, duet_id: uuid.UUID, fairness: Any) -> Duet:
    """Move the slider, for both. Raises DuetError for what is no number from 0 to 1 and for a duet that has ended."""
    number = isinstance(fairness, int | float) and not isinstance(fairness, bool)
    if not (number and 0 <= fairness <= 1 and math.isfinite(fairness)):
        raise DuetError(f"fairness: expected a number from 0 to 1, got {str(fairness)[:80]!r}")
    duet = _locked(listener, duet_id)
    duet.fairness = float(fairness)
    duet.save(update_fields=["fairness"])
    return duet


@transaction.atomic
def ask(*, listener: Listener, duet_id: uuid.UUID) -> Duet:
    """Ask for a playlist for both; while one is being made, that one is meant. Raises DuetError when nobody joined."""
    duet = _locked(listener, duet_id)
    if duet.guest_id is None:
        raise DuetError("Nobody has joined yet. Send your invitation first.")
    if duet.wanted_at is None:
        duet.wanted_at, duet.message = timezone.now(), ""
        duet.save(update_fields=["wanted_at", "message"])
    transaction.on_commit(lambda: queue.enqueue_duet(duet.pk))
    return duet


@transaction.atomic
def end(*, listener: Listener, duet_id: uuid.UUID) -> Duet:
    """End the duet and its invitation, for both; the playlists stay. Ending it again changes nothing."""
    duet = Duet.objects.select_for_update().get(_of(listener), pk=duet_id)
    if duet.ended_at is None:
        duet.ended_at, duet.wanted_at = timezone.now(), None
        duet.save(update_fields=["ended_at", "wanted_at"])
    return duet


def of(listener: Listener) -> QuerySet[Duet]:
    """The listener's open duets, the newest first."""
    return _all().filter(_of(listener), ended_at=None).order_by("-created_at", "-pk")


def get(listener: Listener, duet_id: uuid.UUID) -> Duet:
    """A duet of the listener. Raises Duet.DoesNotExist for anybody else's."""
    return _all().get(_of(listener), pk=duet_id)


def content(duet: Duet, listener: Listener) -> dict[str, Any]:
    """A duet as one of the two sees it: the same for both but for the partner's name and the own playlists."""
    partner = duet.guest if duet.host_id == listener.pk else duet.host
    made = Playlist.objects.filter(duet=duet, listener=listener).order_by("-number")[:MOST_SHOWN]
    return {
        "id": str(duet.pk),
        "url": reverse("listening:duet", args=[duet.pk]),
        "partner": selectors.shown_name(partner) if partner is not None else None,
        "fairness": duet.fairness,
        "making": duet.wanted_at is not None,
        "message": duet.message,
        "ended": duet.ended_at is not None,
        "playlists": [
            {"number": one.number, "made_at": one.made_at, "url": reverse("listening:playlist", args=[one.pk])}
            for one in made
        ],
    }


def _locked(listener: Listener, duet_id: uuid.UUID) -> Duet:
    """An open duet of the listener, for writing. Raises Duet.DoesNotExist, and DuetError when it has ended."""
    duet = Duet.objects.select_for_update().get(_of(listener), pk=duet_id)
    if duet.ended_at is not None:
        raise DuetError("This duet has ended.")
    return duet


def _of(listener: Listener) -> Q:
    return Q(host=listener) | Q(guest=listener)


def _all() -> QuerySet[Duet]:
    people = ("host__user", "host__run__experiment", "guest__user", "guest__run__experiment")
    return Duet.objects.select_related(*people)


def _ear(listener: Listener) -> str | None:
    """The aligner that the listener's run is configured with, by its file; None: the shipped one."""
    return runs.configuration(listener.run).user_model.aligner.abs_file_path
