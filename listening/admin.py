"""The listeners' rows for staff: found, read and followed. Ratings and tastes are not changed by hand."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateTimeFilter, RangeNumericFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from evolution.browsing import BIG, Inline, Rows, link_to, listed, rounded
from listening import deletion
from listening import share_admin as share_admin
from listening import taste_admin as taste_admin
from listening.models import Listener, Playlist, PlaylistTrack, Rating, TasteSnapshot, Track, User

logger = logging.getLogger(__name__)

HEAVY_RUN = tuple(name.removeprefix("round__") for name in BIG)

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(PlainGroupAdmin, ModelAdmin):
    """Groups of staff."""


@admin.register(User)
class UserAdmin(PlainUserAdmin, ModelAdmin):
    """Accounts and guests. Deleting one deletes everything that is theirs (listening.deletion)."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "listener_row", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "listener__is_guest", ("date_joined", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("listener__run__experiment",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).select_related("listener")

    @admin.display(description="listener")
    def listener_row(self, row: User) -> SafeString | str:
        return link_to(getattr(row, "listener", None))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        deletion.delete([obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        deletion.delete(queryset.values_list("pk", flat=True))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> list[LogEntry]:
        """Who did it is said in the log of the process: a row would keep the name of whoever is gone."""
        logger.info("user %s deletes users %s", request.user.pk, sorted(row.pk for row in queryset))
        return []


class PlaylistInline(Inline):
    model = Playlist
    fields = ("row", "number", "made_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Playlist]:
        return super().get_queryset(request).select_related("listener__user")


@admin.register(Listener)
class ListenerAdmin(Rows):
    list_display = ("__str__", "user_row", "reference_user", "is_guest", "run_row", "likes", "dislikes", "created_at")
    list_filter = (
        "is_guest",
        ("reference_user", RangeNumericFilter),
        ("created_at", RangeDateTimeFilter),
        ("run__experiment", admin.RelatedOnlyFieldListFilter),
    )
    search_fields = ("user__username", "=reference_user", "run__experiment__name")
    date_hierarchy = "created_at"
    list_select_related = ("user", "run__experiment")
    heavy = HEAVY_RUN
    needs = dict.fromkeys(("likes", "dislikes", "ratings_listed"), "listening.view_rating")
    fields = ("user_row", "reference_user", "is_guest", "run_row", "tracks_listed", "ratings_listed", "created_at")
    readonly_fields = fields
    inlines = (PlaylistInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Listener]:
        counted = {
            "likes": Count("ratings", filter=Q(ratings__value=1)),
            "dislikes": Count("ratings", filter=Q(ratings__value=-1)),
        }
        return super().get_queryset(request).annotate(**counted)

    @admin.display(description="user", ordering="user__username")
    def user_row(self, row: Listener) -> SafeString | str:
        return link_to(row.user)

    @admin.display(description="run", ordering="run")
    def run_row(self, row: Listener) -> SafeString | str:
        return link_to(row.run)

    @admin.display(description="likes given", ordering="likes")
    def likes(self, row: Any) -> int:
        return int(row.likes)

    @admin.display(description="dislikes given", ordering="dislikes")
    def dislikes(self, row: Any) -> int:
        return int(row.dislikes)

    @admin.display(description="tracks")
    def tracks_listed(self, row: Listener) -> SafeString:
        return listed(Track, row.tracks.count(), listener__id__exact=row.pk)

    @admin.display(description="ratings")
    def ratings_listed(self, row: Listener) -> SafeString:
        return listed(Rating, row.ratings.count(), listener__id__exact=row.pk)


class PlaceInline(Inline):
    model = PlaylistTrack
    fields = ("position", "role", "track_row", rounded("predicted"), rounded("uncertainty"), rounded("chance"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlaylistTrack]:
        related = super().get_queryset(request).select_related("track", "playlist__listener__user")
        return related.defer("track__embedding")

    @admin.display(description="track")
    def track_row(self, row: PlaylistTrack) -> SafeString | str:
        return link_to(row.track)


@admin.register(Playlist)
class PlaylistAdmin(Rows):
    list_display = ("__str__", "listener_row", "round_row", "duet_row", "number", "made_at")
    list_display_links = ("__str__",)
    list_filter = (("made_at", RangeDateTimeFilter),)
    search_fields = ("listener__user__username", "=listener__reference_user", "=round__run__id")
    date_hierarchy = "made_at"
    list_select_related = ("listener__user", "round__run__experiment", "duet__host__user", "duet__guest__user")
    heavy = BIG
    fields = ("listener_row", "round_row", "duet_row", "number", "made_at")
    readonly_fields = fields
    inlines = (PlaceInline,)

    @admin.display(description="listener", ordering="listener")
    def listener_row(self, row: Playlist) -> SafeString | str:
        return link_to(row.listener)

    @admin.display(description="round", ordering="round")
    def round_row(self, row: Playlist) -> SafeString | str:
        return link_to(row.round)

    @admin.display(description="duet", ordering="duet")
    def duet_row(self, row: Playlist) -> SafeString | str:
        return link_to(row.duet)


@admin.register(Rating)
class RatingAdmin(Rows):
    list_display = ("__str__", "value", "never", "track_row", "listener_row", "seconds", "given_at")
    list_display_links = ("__str__",)
    list_filter = ("value", "never", ("given_at", RangeDateTimeFilter))
    search_fields = ("track__title", "track__prompt", "listener__user__username", "=listener__reference_user")
    date_hierarchy = "given_at"
    list_select_related = ("track", "listener__user")
    heavy = ("track__embedding",)
    fields = ("track_row", "listener_row", "value", "never", "seconds", "given_at", "stored_at")
    readonly_fields = fields

    @admin.display(description="track", ordering="track__title")
    def track_row(self, row: Rating) -> SafeString | str:
        return link_to(row.track)

    @admin.display(description="listener", ordering="listener")
    def listener_row(self, row: Rating) -> SafeString | str:
        return link_to(row.listener)


@admin.register(TasteSnapshot)
class TasteSnapshotAdmin(Rows):
    list_display = ("__str__", "listener_row", "learner", "ratings", "auc", "spearman", "seconds", "created_at")
    list_filter = ("learner", ("ratings", RangeNumericFilter), ("created_at", RangeDateTimeFilter))
    search_fields = ("listener__user__username", "=listener__reference_user", "=round__run__id")
    date_hierarchy = "created_at"
    list_select_related = ("listener__user", "round__run__experiment")
    heavy = ("embedding", "state", *BIG)
    fields = ("listener_row", "round_row", "learner", "ratings", "seconds", "figures", "created_at")
    readonly_fields = fields

    @admin.display(description="listener", ordering="listener")
    def listener_row(self, row: TasteSnapshot) -> SafeString | str:
        return link_to(row.listener)

    @admin.display(description="round", ordering="round")
    def round_row(self, row: TasteSnapshot) -> SafeString | str:
        return link_to(row.round)

    @admin.display(description="AUC")
    def auc(self, row: TasteSnapshot) -> str:
        return _figure(row, "auc")

    @admin.display(description="Spearman")
    def spearman(self, row: TasteSnapshot) -> str:
        return _figure(row, "spearman")


def _figure(row: TasteSnapshot, name: str) -> str:
    value = row.figures.get(name)
    return "-" if value is None else f"{value:.3f}"
