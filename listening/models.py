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
    embedding = VectorField(help_text="The best guess: the learned user embedding, or a vector of the shared space.")
    state = models.BinaryField(default=bytes, editable=False, help_text="The whole belief, as bytes of a state.")
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
    map_x = models.FloatField(null=True, help_text="Its place on the listener's map.")
    map_y = models.FloatField(null=True)
    repeats = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="repetitions",
        help_text="The track whose music this is once more, to see whether it is rated alike.",
    )
    forgotten_at = models.DateTimeField(null=True, blank=True, help_text="Its ratings teach nothing since.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.title


class Duet(models.Model):
    """Two listeners who make playlists together, from what each of them has evolved."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="duets_hosted")
    guest = models.ForeignKey(Listener, null=True, blank=True, on_delete=models.CASCADE, related_name="duets_joined")
    fairness = models.FloatField(default=0.5, help_text="0 the most liked in sum, 1 what neither of them dislikes.")
    wanted_at = models.DateTimeField(
        null=True, blank=True, help_text="When a playlist was asked for, until it is made."
    )
    message = models.CharField(max_length=200, blank=True, help_text="Why the last playlist could not be made.")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(fairness__gte=0) & models.Q(fairness__lte=1), name="fairness_is_from_0_to_1"
            ),
            models.CheckConstraint(condition=~models.Q(guest=models.F("host")), name="a_duet_is_for_two"),
        ]

    def __str__(self) -> str:
        return f"{self.host} and {self.guest or 'nobody yet'}"


class Playlist(models.Model):
    """Tracks in order: those of one round, or of a duet."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="playlists")
    round = models.OneToOneField(Round, null=True, blank=True, on_delete=models.CASCADE, related_name="playlist")
    duet = models.ForeignKey(Duet, null=True, blank=True, on_delete=models.SET_NULL, related_name="playlists")
    number = models.PositiveIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listener", "number"], name="one_playlist_per_number")]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.listener}, playlist {self.number}"


class PlaylistTrack(models.Model):
    """A track's place in a playlist, why it is there, and what was expected of it when it was put there."""

    class Role(models.TextChoices):
        EVOLVED = "evolved", "evolved for this listener"
        ASKED = "asked", "to learn from the answer"
        CONTROL = "control", "made for somebody else, or drawn at random"
        REPEAT = "repeat", "heard before, to see whether it is rated alike"

    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="places")
    track = models.OneToOneField(Track, on_delete=models.CASCADE, related_name="place")
    position = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.EVOLVED)
    predicted = models.FloatField(help_text="Likeness by the taste of then, in [-1, 1].")
    uncertainty = models.FloatField(help_text="Standard deviation of that likeness.")
    chance = models.FloatField(null=True, help_text="Probability that it would be liked, by the taste of then.")

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
    never = models.BooleanField(default=False, help_text="A dislike that means: never again.")
    seconds = models.FloatField(help_text="How much of the track was heard before.")
    given_at = models.DateTimeField(help_text="When the listener gave it, which may be before it could be sent.")
    stored_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(value__in=[-1, 0, 1]), name="rating_is_like_dislike_or_none"),
            models.CheckConstraint(condition=models.Q(seconds__gte=0), name="seconds_heard_are_not_negative"),
            models.CheckConstraint(
                condition=models.Q(never=False) | models.Q(value=-1), name="never_again_is_a_dislike"
            ),
        ]
        indexes = [models.Index(fields=["listener", "track", "-given_at"])]

    def __str__(self) -> str:
        return f"{self.value:+d} for {self.track}"


class Listen(models.Model):
    """A track that was heard, or skipped: weak evidence beside a rating."""

    class Ending(models.TextChoices):
        FINISHED = "finished", "heard to its end"
        SKIPPED = "skipped", "skipped"
        LEFT = "left", "left off"

    id = models.UUIDField(primary_key=True, help_text="Drawn by the sender, so that sending twice stores once.")
    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="listens")
    track = models.ForeignKey(Track, on_delete=models.CASCADE, related_name="listens")
    seconds = models.FloatField(help_text="How much of it was heard.")
    ending = models.CharField(max_length=10, choices=Ending.choices)
    given_at = models.DateTimeField()
    stored_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(seconds__gte=0), name="listens_are_not_negative")]
        indexes = [models.Index(fields=["listener", "track", "-given_at"])]

    def __str__(self) -> str:
        return f"{self.track}, {self.ending}"


class TasteEdit(models.Model):
    """What a listener said of a concept: more of it, less of it, forget it, not now. The latest of a concept counts."""

    class Kind(models.TextChoices):
        LEAN = "lean", "so much of it is wanted"
        FORGET = "forget", "forget what was believed of it"
        NOT_NOW = "not now", "none of it in this session"
        WITHDRAWN = "withdrawn", "as if nothing had been said of it"

    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="taste_edits")
    concept = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    wanted = models.FloatField(default=0.0, help_text="From -1, none of it, to 1, much of it.")
    until = models.DateTimeField(null=True, blank=True, help_text="When it stops to count.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(wanted__gte=-1) & models.Q(wanted__lte=1), name="wanted_is_from_-1_to_1"
            ),
        ]
        indexes = [models.Index(fields=["listener", "concept", "-created_at"])]
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.concept}: {self.kind}"


class TasteReport(models.Model):
    """What is believed of a listener's taste, in words, as their page shows it. Written by the conductor."""

    listener = models.OneToOneField(Listener, on_delete=models.CASCADE, related_name="taste_report")
    content = models.JSONField(default=dict)
    made_at = models.DateTimeField()
    wanted_at = models.DateTimeField(
        null=True, blank=True, help_text="When a newer one was asked for, until it is made."
    )

    def __str__(self) -> str:
        return f"{self.listener}"


class ShareLink(models.Model):
    """A link by which anybody can hear a playlist or a track. Taking it back deletes it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    listener = models.ForeignKey(Listener, on_delete=models.CASCADE, related_name="share_links")
    playlist = models.ForeignKey(Playlist, null=True, blank=True, on_delete=models.CASCADE, related_name="share_links")
    track = models.ForeignKey(Track, null=True, blank=True, on_delete=models.CASCADE, related_name="share_links")
    signed_by = models.CharField(max_length=40, blank=True, help_text="Whom the page says it is from; empty: nobody.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="None: when it is taken back.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(playlist__isnull=True, track__isnull=False)
                | models.Q(playlist__isnull=False, track__isnull=True),
                name="a_link_shares_a_playlist_or_a_track",
            ),
        ]
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.playlist or self.track}, shared"


class ReferenceListener(models.Model):
    """One of an aligner's reference listeners, where the database can search among them."""

    aligner = models.CharField(max_length=64, help_text="SHA-256 of the checkpoint.")
    encoder = models.CharField(max_length=40)
    number = models.PositiveIntegerField(help_text="Its row in the aligner's user table.")
    kind = models.CharField(max_length=40, blank=True)
    embedding = VectorField(help_text="The user embedding [emb_size].")
    projected = VectorField(help_text="It in the shared space, unit length [projection].")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["aligner", "number"], name="one_row_per_reference_listener")]
        ordering = ["aligner", "number"]

    def __str__(self) -> str:
        return f"reference listener {self.number} of {self.encoder}"
