"""Who listens, what they heard, what they said of it, and what was learned from that."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from pgvector.django import VectorField

from evolution.models import Candidate, Recording, Round, Run


class User(AbstractUser):
    """Somebody who can log in; guests are users without a password."""


class Listener(models.Model):
    """Somebody who rates: a person, or a synthetic listener that stands for one of the aligner's reference users."""

    user = models.OneToOneField(User, null=True, blank=True, on_delete=models.CASCADE, related_name="listener")
    reference_user = models.PositiveIntegerField(null=True, blank=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="listeners")
    is_guest = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        if self.user is not None:
            return f"{'guest' if self.is_guest else self.user.get_username()} ({self.pk})"
        return f"reference user {self.reference_user} ({self.pk})"


class TasteSnapshot(models.Model):
    """The taste as it was learned at the beginning of a round."""

    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="tastes")
    round = models.OneToOneField(Round, on_delete=models.CASCADE, related_name="taste")
    learner = models.CharField(max_length=20)
    embedding = VectorField(help_text="The learned user embedding [emb_size].")
    ratings = models.PositiveIntegerField(help_text="How many likes and dislikes it was learned from.")
    seconds = models.FloatField(help_text="How long learning took.")
    figures = models.JSONField(default=dict, help_text="How well it fits the ratings and the truth.")
    created_at = models.DateTimeField(help_text="The moment up to which ratings were taken.")

    def __str__(self) -> str:
        return f"{self.listener}, {self.round}"


class Track(models.Model):
    """A recording that was given to one listener."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="tracks")
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="tracks")
    candidate = models.ForeignKey(Candidate, null=True, on_delete=models.SET_NULL, related_name="tracks")
    title = models.CharField(max_length=120)
    prompt = models.TextField()
    embedding = VectorField(help_text="The song in the aligner's shared space, unit length [projection].")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.title


class Playlist(models.Model):
    """The tracks of one round, in order."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="playlists")
    round = models.OneToOneField(Round, on_delete=models.CASCADE, related_name="playlist")
    number = models.PositiveIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listener", "number"], name="one_playlist_per_number")]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.listener}, playlist {self.number}"


class PlaylistTrack(models.Model):
    """A track's place in a playlist, and what was expected of it when it was put there."""

    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="places")
    track = models.OneToOneField(Track, on_delete=models.CASCADE, related_name="place")
    position = models.PositiveIntegerField()
    predicted = models.FloatField(help_text="Likeness by the taste of then, in [-1, 1].")
    uncertainty = models.FloatField(help_text="Standard deviation of that likeness.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["playlist", "position"], name="one_track_per_position")]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.playlist} [{self.position}]"


class Rating(models.Model):
    """What a listener said of a track. Never changed: a change of mind is another row; the latest one counts."""

    id = models.UUIDField(primary_key=True, help_text="Drawn by the sender, so that sending twice stores once.")
    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="ratings")
    track = models.ForeignKey(Track, on_delete=models.CASCADE, related_name="ratings")
    value = models.SmallIntegerField(help_text="Like 1, dislike -1, no opinion 0.")
    seconds = models.FloatField(help_text="How much of the track was heard before.")
    given_at = models.DateTimeField(help_text="When the listener gave it, which may be before it could be sent.")
    stored_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(value__in=[-1, 0, 1]), name="rating_is_like_dislike_or_none"),
            models.CheckConstraint(condition=models.Q(seconds__gte=0), name="seconds_heard_are_not_negative"),
        ]
        indexes = [models.Index(fields=["listener", "track", "-given_at"])]

    def __str__(self) -> str:
        return f"{self.value:+d} for {self.track}"
