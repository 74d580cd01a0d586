"""The rows that can be heard: recordings, and the tracks that listeners were given."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter, RangeNumericFilter

from evolution.browsing import Rows, link_to, listed, rounded
from evolution.models import Recording
from listening.models import Rating, Track

OF_LISTENER = ("listener__user__username", "=listener__reference_user")
"""By what rows of a listener are found."""

admin.site.site_header = "EvoMusic: rows"
admin.site.site_title = "EvoMusic rows"
admin.site.index_title = "Rows"


def player(recording: Recording) -> SafeString:
    """A player for a recording; nothing is fetched before it is asked to play."""
    address = reverse("laboratory:recording_audio", args=[recording.pk])
    return format_html('<audio controls preload="none" src="{}" class="h-9 w-64 max-w-full"></audio>', address)


@admin.register(Recording)
class RecordingAdmin(Rows):
    list_display = (
        "__str__",
        "sound",
        rounded("seconds", digits=1),
        rounded("loudness", digits=1),
        "track_count",
        "created_at",
    )
    list_filter = (
        ("seconds", RangeNumericFilter),
        ("loudness", RangeNumericFilter),
        ("created_at", RangeDateTimeFilter),
    )
    search_fields = ("key", "tracks__title", "tracks__prompt")
    date_hierarchy = "created_at"
    heavy = ("peaks",)
    fields = ("key", "sound", "file", "seconds", "loudness", "evaluation_row", "tracks_listed", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recording]:
        found = super().get_queryset(request).select_related("evaluation").defer("peaks", "evaluation__embedding")
        return found.annotate(track_count=Count("tracks"))

    @admin.display(description="sound")
    def sound(self, row: Recording) -> SafeString:
        return player(row)

    @admin.display(description="tracks", ordering="track_count")
    def track_count(self, row: Any) -> int:
        return int(row.track_count)

    @admin.display(description="evaluation")
    def evaluation_row(self, row: Recording) -> SafeString | str:
        return link_to(row.evaluation)

    @admin.display(description="tracks")
    def tracks_listed(self, row: Recording) -> SafeString:
        return listed(Track, row.tracks.count(), recording__key__exact=row.pk)


@admin.register(Track)
class TrackAdmin(Rows):
    list_display = ("title", "sound", "listener_row", "short_prompt", "likes", "created_at")
    list_filter = (("created_at", RangeDateTimeFilter),)
    search_fields = ("title", "prompt", *OF_LISTENER)
    date_hierarchy = "created_at"
    list_select_related = ("listener__user", "recording")
    heavy = ("embedding", "recording__peaks")
    needs = {
        **dict.fromkeys(("listener_row", *OF_LISTENER), "listening.view_listener"),
        "likes": "listening.view_rating",
        "ratings_listed": "listening.view_rating",
    }
    fields = (
        "title",
        "sound",
        "prompt",
        "listener_row",
        "candidate_row",
        "recording_row",
        "ratings_listed",
        "created_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Track]:
        return super().get_queryset(request).prefetch_related("ratings")

    @admin.display(description="sound")
    def sound(self, row: Track) -> SafeString:
        return player(row.recording)

    @admin.display(description="listener", ordering="listener")
    def listener_row(self, row: Track) -> SafeString | str:
        return link_to(row.listener)

    @admin.display(description="prompt", ordering="prompt")
    def short_prompt(self, row: Track) -> str:
        return row.prompt if len(row.prompt) <= 80 else f"{row.prompt[:80]}..."

    @admin.display(description="opinion")
    def likes(self, row: Track) -> str:
        latest = max(row.ratings.all(), key=lambda rating: rating.given_at, default=None)
        return "-" if latest is None else f"{latest.value:+d}"

    @admin.display(description="candidate")
    def candidate_row(self, row: Track) -> SafeString | str:
        return link_to(row.candidate)

    @admin.display(description="recording")
    def recording_row(self, row: Track) -> SafeString | str:
        return link_to(row.recording)

    @admin.display(description="ratings")
    def ratings_listed(self, row: Track) -> SafeString:
        return listed(Rating, row.ratings.count(), track__id__exact=row.pk)
