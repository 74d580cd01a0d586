"""The players' queue for staff: what waits, and what players did of late; not changed by hand."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter

from evolution.browsing import Rows, link_to
from evolution.models import PlayerTime, WaitingChunk


class OfRun(Rows):
    """Rows that are there for one run."""

    list_select_related: tuple[str, ...] = ("run__experiment",)

    @admin.display(description="run", ordering="run")
    def run_row(self, row: WaitingChunk | PlayerTime) -> SafeString | str:
        return link_to(row.run)


@admin.register(WaitingChunk)
class WaitingChunkAdmin(OfRun):
    """The genomes themselves are left out: many, and of candidates that have rows of their own afterwards."""

    list_display = ("__str__", "kind", "size", "seconds", "run_row", "attempts", "asked_at", "taken_at", "error")
    list_filter = ("kind", ("asked_at", RangeDateTimeFilter))
    search_fields = ("=id", "error")
    heavy = ("items", "run__searcher_state")
    fields = (
        "run_row",
        "kind",
        "size",
        "seconds",
        "instruments",
        "unheard",
        "attempts",
        "error",
        "asked_at",
        "taken_at",
    )
    readonly_fields = fields


@admin.register(PlayerTime)
class PlayerTimeAdmin(OfRun):
    """Kept for two hours: by it the queue knows who had how much, and how long music takes."""

    list_display = ("at", "kind", "played", "each", "run_row")
    list_filter = ("kind", ("at", RangeDateTimeFilter))
    search_fields = ("=run__pk",)
    heavy = ("run__searcher_state",)
    fields = ("run_row", "kind", "played", "seconds", "at")
    readonly_fields = fields

    @admin.display(description="seconds each")
    def each(self, row: PlayerTime) -> str:
        return f"{row.seconds / row.played:.3f}" if row.played else "-"
