"""Links by which music is shared, for staff to look at."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter

from evolution.browsing import Rows, link_to
from listening.models import ShareLink


@admin.register(ShareLink)
class ShareLinkAdmin(Rows):
    """The address itself is not told: it is signed, and its listener's."""

    list_display = ("__str__", "listener_row", "created_at", "expires_at")
    list_filter = (("created_at", RangeDateTimeFilter),)
    search_fields = ("listener__user__username", "track__title")
    list_select_related = ("listener__user", "playlist", "track")
    heavy = ("track__embedding",)
    fields = ("listener_row", "playlist_row", "track_row", "signed_by", "created_at", "expires_at")
    readonly_fields = fields

    @admin.display(description="listener", ordering="listener")
    def listener_row(self, row: ShareLink) -> SafeString | str:
        return link_to(row.listener)

    @admin.display(description="playlist")
    def playlist_row(self, row: ShareLink) -> SafeString | str:
        return link_to(row.playlist)

    @admin.display(description="track")
    def track_row(self, row: ShareLink) -> SafeString | str:
        return link_to(row.track)
