"""What a listener has left to hear: who has little is served first."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Sum

from listening.models import Listen, Listener, Playlist, Rating, Track


def seconds(listener: Listener) -> float:
    """Seconds of music of the newest playlist that were neither heard nor rated, as far as we were told."""
    newest = Playlist.objects.filter(listener=listener).order_by("-number").values("pk")[:1]
    heard = Listen.objects.filter(track=OuterRef("pk"))
    rated = Rating.objects.filter(track=OuterRef("pk"))
    fresh = Track.objects.filter(place__playlist__in=newest).exclude(Exists(heard)).exclude(Exists(rated))
    return float(fresh.aggregate(left=Sum("recording__seconds"))["left"] or 0.0)
