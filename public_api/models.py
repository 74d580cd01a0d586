"""Tokens: what a program shows instead of a password."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


class Token(models.Model):
    """A token of a user. Only its digest is kept: who reads the database can log in with none of them."""

    class Scope(models.TextChoices):
        LISTEN = "listen", "listen, rate and evolve"
        EXPERIMENTS = "experiments", "make and steer experiments"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60, help_text="What it is for, in its owner's words.")
    key = models.CharField(max_length=12, unique=True, help_text="Its first part, which is no secret.")
    digest = models.CharField(max_length=64, editable=False, help_text="SHA-256 of the whole token.")
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} (evo_{self.key})"

    @property
    def is_expired(self) -> bool:
        """Whether it opens nothing any more."""
        return self.expires_at <= timezone.now()
