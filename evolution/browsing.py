"""How rows are shown in the admin: only looked at, linked with each other, big columns left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

BIG = (
    "round__run__searcher_state",
    "round__run__experiment__configuration",
    "round__run__experiment__prompts",
)
"""What a list of rows does not need of the run that they belong to."""

LINK = "text-primary-700 dark:text-primary-500"
"""The theme's classes of a link in a table."""


def link_to(row: Model | None, text: object = "") -> SafeString | str:
    """A link to another row's page; a dash where there is none."""
    if row is None:
        return "-"
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}" class="{}">{}</a>', address, LINK, text or row)


def listed(model: type[Model], text: object, **where: object) -> SafeString:
    """A link to a list of rows, only those with these values."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    query = "&".join(f"{key}={value}" for key, value in where.items())
    return format_html('<a href="{}?{}" class="{}">{}</a>', address, query, LINK, text)


def preformatted(text: str) -> SafeString:
    """A text with its line breaks."""
    return format_html('<pre class="max-h-96 overflow-auto whitespace-pre-wrap text-xs">{}</pre>', text)


def rounded(field: str, *, digits: int = 3) -> Callable[[Any], str]:
    """A column of a number, with so many digits."""

    @admin.display(description=field.replace("_", " "), ordering=field)
    def column(row: Any) -> str:
        value = getattr(row, field)
        return "-" if value is None else f"{value:.{digits}f}"

    column.__name__ = field
    return column


class Rows(ModelAdmin):
    """Rows that are only looked at. What hangs on them is deleted with a user here, or an experiment in the panel."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    heavy: tuple[str, ...] = ()
    needs: Mapping[str, str] = {}
    """Columns and search fields that tell of another table's rows: the permission without which they are left out."""

    def get_list_display(self, request: HttpRequest) -> Any:
        return self._shown(request, super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return self._shown(request, super().get_fields(request, obj))

    def get_search_fields(self, request: HttpRequest) -> Any:
        return self._shown(request, super().get_search_fields(request))

    def _shown(self, request: HttpRequest, columns: Iterable[Any]) -> list[Any]:
        return [one for one in columns if one not in self.needs or request.user.has_perm(self.needs[one])]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer(*self.heavy)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().change_view(request, object_id, form_url, {"show_delete": False, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Inline(TabularInline):
    """Rows beneath the row that they belong to, a page at a time, each with a link."""

    extra = 0
    per_page = 25
    can_delete = False
    hide_title = True
    tab = True

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return self.fields

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description="row")
    def row(self, row: Model) -> SafeString | str:
        return link_to(row, "open")
