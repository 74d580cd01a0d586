"""Links by which anybody can hear a playlist or a track: made, opened, listed, taken back.

The address is signed, so that nobody comes upon one by guessing, and names a row, so that it ends with the row: taken
back, or with whatever it shares, or with the listener.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core import signing
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from listening import pace, selectors
from listening.models import Listener, ShareLink, Track

MOST_LINKS = 50
"""That one listener may have at once."""
LONGEST_NAME = 40  # characters
DAYS = (1, 7, 30)
"""After which a link may be made to expire; otherwise it holds until it is taken back."""

AUDIO_A_MINUTE = 240
"""Requests for the sound of one link from everybody together: forty people who each start six tracks in a minute."""

_SALT = "listening.sharing"


class ShareError(ValueError):
    """A link that cannot be made as it was asked for; the message is a sentence for the listener."""


@dataclass(frozen=True)
class Wish:
    """What a listener asks of a link, checked.

    signed_by: whom the page says it is from; empty: nobody. days: after which it expires; None: it does not.
    """

    signed_by: str = ""
    days: int | None = None

    def __post_init__(self) -> None:
        if len(self.signed_by) > LONGEST_NAME or not self.signed_by.isprintable():
            raise ShareError(f"Expected a name of at most {LONGEST_NAME} letters, got {self.signed_by[:80]!r}.")
        if self.days is not None and self.days not in DAYS:
            raise ShareError(f"Expected a link that holds for {', '.join(map(str, DAYS))} days, got {self.days!r}.")


def of_playlist(*, listener: Listener, playlist_id: uuid.UUID, wish: Wish) -> ShareLink:
    """A link to a playlist of the listener.

    Raises Playlist.DoesNotExist for anybody else's, and ShareError when the listener has very many links.
    """
    return _make(listener, ShareLink(playlist=selectors.playlist(listener, playlist_id)), wish)


def of_track(*, listener: Listener, track_id: uuid.UUID, wish: Wish) -> ShareLink:
    """A link to a track of the listener. Raises Track.DoesNotExist and ShareError like `of_playlist`."""
    return _make(listener, ShareLink(track=selectors.track(listener, track_id)), wish)


def take_back(*, listener: Listener, link_id: uuid.UUID) -> bool:
    """End a link of the listener, at once and for ever; False when they have no such link (any more)."""
    return bool(ShareLink.objects.filter(pk=link_id, listener=listener).delete()[0])


def path(link: ShareLink) -> str:
    """The page's address on this site."""
    return reverse("listening:shared", args=[_signer().sign(link.pk.hex)])


def opened(address: str) -> ShareLink:
    """The link of an address. Raises ShareLink.DoesNotExist for one that is not ours, was taken back, or expired."""
    try:
        link_id = uuid.UUID(_signer().unsign(address))
    except (signing.BadSignature, ValueError):
        raise ShareLink.DoesNotExist from None
    return ShareLink.objects.get(_holds(), pk=link_id)


def content(link: ShareLink, address: str) -> dict[str, Any]:
    """All that a stranger is told: how long each piece is, its title, its outline, and where its sound is."""
    return {
        "signed_by": link.signed_by,
        "tracks": [
            {
                "number": number,
                "title": track.title,
                "seconds": track.recording.seconds,
                "peaks": track.recording.peaks,
                "audio_url": reverse("listening:shared_audio", args=[address, number]),
            }
            for number, track in enumerate(_tracks(link), start=1)
        ],
    }


def track(link: ShareLink, number: int) -> Track:
    """A piece of the link by its number, from 1. Raises Track.DoesNotExist where there is none."""
    found = _tracks(link)
    if not 1 <= number <= len(found):
        raise Track.DoesNotExist
    return found[number - 1]


def admit(link: ShareLink) -> None:
    """Count a request for the link's sound. Raises pace.TooOftenError when there were very many in this minute."""
    message = "Many people are listening to this at the moment. Try again in a minute."
    pace.count(f"share:{link.pk.hex}", most=AUDIO_A_MINUTE, seconds=60, message=message)


def of(listener: Listener) -> QuerySet[ShareLink]:
    """The listener's links that hold, the newest first."""
    return ShareLink.objects.filter(_holds(), listener=listener).select_related("playlist", "track")


def shown(links: Sequence[ShareLink] | QuerySet[ShareLink]) -> list[dict[str, Any]]:
    """Links as their listener sees them."""
    return [
        {
            "id": str(link.pk),
            "what": f"Playlist {link.playlist.number}" if link.playlist else link.track.title if link.track else "",
            "path": path(link),
            "signed_by": link.signed_by,
            "created_at": link.created_at,
            "expires_at": link.expires_at,
        }
        for link in links
    ]


@transaction.atomic
def _make(listener: Listener, link: ShareLink, wish: Wish) -> ShareLink:
    Listener.objects.select_for_update(no_key=True).get(pk=listener.pk)  # so that two at once are counted
    ShareLink.objects.filter(listener=listener).exclude(_holds()).delete()
    if of(listener).count() >= MOST_LINKS:
        raise ShareError(f"You have {MOST_LINKS} links already. Take one of them back first.")
    link.listener, link.signed_by = listener, wish.signed_by
    link.expires_at = None if wish.days is None else timezone.now() + timedelta(days=wish.days)
    link.save(force_insert=True)
    return link


def _tracks(link: ShareLink) -> list[Track]:
    if link.track_id is not None:
        found = Track.objects.filter(pk=link.track_id)
    else:
        found = Track.objects.filter(place__playlist=link.playlist_id).order_by("place__position")
    return list(found.select_related("recording").defer("embedding"))


def _holds() -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=timezone.now())


def _signer() -> signing.Signer:
    return signing.Signer(salt=_SALT)
