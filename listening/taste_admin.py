"""What is known of tastes, for staff: hearings, wishes, reports, duets, reference listeners; not changed by hand."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter, RangeNumericFilter

from evolution.browsing import Rows, link_to
from listening.models import Duet, Listen, Listener, ReferenceListener, TasteEdit, TasteReport

WHO = ("listener__user__username", "=listener__reference_user")


class OfListener(Rows):
    """Rows that belong to one listener."""

    list_select_related: tuple[str, ...] = ("listener__user",)

    @admin.display(description="listener", ordering="listener")
    def listener_row(self, row: Listen | TasteEdit | TasteReport) -> SafeString | str:
        return link_to(row.listener)


@admin.register(Listen)
class ListenAdmin(OfListener):
    list_display = ("__str__", "ending", "seconds", "track_row", "listener_row", "given_at")
    list_filter = ("ending", ("given_at", RangeDateTimeFilter))
    search_fields = ("track__title", "track__prompt", *WHO)
    date_hierarchy = "given_at"
    list_select_related = ("track", "listener__user")
    heavy = ("track__embedding",)
    fields = ("track_row", "listener_row", "ending", "seconds", "given_at", "stored_at")
    readonly_fields = fields

    @admin.display(description="track", ordering="track__title")
    def track_row(self, row: Listen) -> SafeString | str:
        return link_to(row.track)


@admin.register(TasteEdit)
class TasteEditAdmin(OfListener):
    list_display = ("concept", "kind", "wanted", "until", "listener_row", "created_at")
    list_filter = ("kind", ("created_at", RangeDateTimeFilter))
    search_fields = ("concept", *WHO)
    date_hierarchy = "created_at"
    fields = ("listener_row", "concept", "kind", "wanted", "until", "created_at")
    readonly_fields = fields


@admin.register(TasteReport)
class TasteReportAdmin(OfListener):
    list_display = ("__str__", "listener_row", "made_at", "wanted_at")
    list_filter = (("made_at", RangeDateTimeFilter),)
    search_fields = WHO
    date_hierarchy = "made_at"
    heavy = ("content",)
    fields = ("listener_row", "made_at", "wanted_at")
    readonly_fields = fields


@admin.register(Duet)
class DuetAdmin(Rows):
    list_display = ("__str__", "host_row", "guest_row", "fairness", "created_at", "ended_at")
    list_filter = (("created_at", RangeDateTimeFilter),)
    search_fields = ("host__user__username", "guest__user__username")
    date_hierarchy = "created_at"
    list_select_related = ("host__user", "guest__user")
    fields = ("host_row", "guest_row", "fairness", "wanted_at", "message", "created_at", "ended_at")
    readonly_fields = fields

    @admin.display(description="host", ordering="host")
    def host_row(self, row: Duet) -> SafeString | str:
        return link_to(row.host)

    @admin.display(description="guest", ordering="guest")
    def guest_row(self, row: Duet) -> SafeString | str:
        guest: Listener | None = row.guest
        return link_to(guest)


@admin.register(ReferenceListener)
class ReferenceListenerAdmin(Rows):
    list_display = ("__str__", "encoder", "number", "kind", "aligner")
    list_filter = ("encoder", "kind", ("number", RangeNumericFilter))
    search_fields = ("encoder", "kind", "=number", "aligner")
    heavy = ("embedding", "projected")
    fields = ("encoder", "number", "kind", "aligner")
    readonly_fields = fields
