"""The search's rows for staff: found, read and followed. What the search wrote is not changed by hand."""

from __future__ import annotations

from typing import Any, get_args

from django.contrib import admin
from django.db.models import Count, Max, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter, RangeNumericFilter

from evolution import config
from evolution import queue_admin as queue_admin
from evolution.browsing import BIG, LINK, Inline, Rows, link_to, listed, preformatted, rounded
from evolution.config.searching import Mode
from evolution.models import Candidate, Evaluation, Experiment, Generation, Round, Run

_PROMPTS_SHOWN = 20


class SearchModeFilter(admin.SimpleListFilter):
    """By the search of the configuration."""

    title = "search"
    parameter_name = "mode"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(mode, mode) for mode in get_args(Mode)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        where = "configuration__evolution__search__mode"
        return queryset.filter(**{where: self.value()}) if self.value() else queryset


class RunInline(Inline):
    model = Run
    fields = ("row", "status", "seed", "rounds_planned", "message", "created_at", "finished_at")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return super().get_queryset(request).select_related("experiment").defer("searcher_state")


@admin.register(Experiment)
class ExperimentAdmin(Rows):
    """The note can be changed here; everything else is done on the panel's pages, which check it."""

    list_display = ("name", "search", "likes", "runs_listed", "is_open", "weight", "author", "created_at")
    list_filter = (SearchModeFilter, "is_open", ("created_at", RangeDateTimeFilter))
    search_fields = ("name", "note", "author")
    date_hierarchy = "created_at"
    heavy = ("prompts",)
    fields = (
        "name",
        "panel",
        "note",
        "author",
        "is_open",
        "weight",
        "created_at",
        "configuration_text",
        "prompts_text",
    )
    readonly_fields = tuple(field for field in fields if field != "note")
    inlines = (RunInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Experiment]:
        return super().get_queryset(request).annotate(run_count=Count("runs"))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super(Rows, self).has_change_permission(request, obj)

    @admin.display(description="search", ordering="configuration__evolution__search__mode")
    def search(self, row: Experiment) -> str:
        return str(row.configuration["evolution"]["search"]["mode"])

    @admin.display(description="likes", ordering="configuration__evolution__fitness__mode")
    def likes(self, row: Experiment) -> str:
        return str(row.configuration["evolution"]["fitness"]["mode"])

    @admin.display(description="runs", ordering="run_count")
    def runs_listed(self, row: Any) -> SafeString:
        return listed(Run, row.run_count, experiment__id__exact=row.pk)

    @admin.display(description="panel")
    def panel(self, row: Experiment) -> SafeString:
        return format_html(
            '<a href="{}" class="{}">{}</a>',
            reverse("laboratory:experiment", args=[row.name]),
            LINK,
            "Start, steer, open or delete it",
        )

    @admin.display(description="configuration")
    def configuration_text(self, row: Experiment) -> SafeString:
        return preformatted(config.to_yaml(config.parse(row.configuration)))

    @admin.display(description="prompts")
    def prompts_text(self, row: Experiment) -> SafeString:
        more = len(row.prompts) - _PROMPTS_SHOWN
        rest = [f"... and {more} more"] if more > 0 else []
        return preformatted("\n".join([*row.prompts[:_PROMPTS_SHOWN], *rest]) or "-")


class RoundInline(Inline):
    model = Round
    fields = ("row", "number", "status", "generations_planned", "message", "requested_at", "finished_at")
    ordering = ("-number",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Round]:
        return super().get_queryset(request).select_related("run__experiment").defer(*_of_run())


def _of_run() -> tuple[str, ...]:
    return tuple(name.removeprefix("round__") for name in BIG)


@admin.register(Run)
class RunAdmin(Rows):
    list_display = (
        "id",
        "experiment_row",
        "status",
        "listener",
        "seed",
        "round_count",
        rounded("best"),
        "conductor",
        "created_at",
    )
    list_filter = ("status", "conductor", ("created_at", RangeDateTimeFilter))
    search_fields = ("=id", "experiment__name", "message", "=seed")
    date_hierarchy = "created_at"
    list_select_related = ("experiment",)
    heavy = ("searcher_state", "experiment__configuration", "experiment__prompts")
    needs = {"listener": "listening.view_listener"}
    fields = (
        "experiment_row",
        "live",
        "status",
        "message",
        "seed",
        "rounds_planned",
        "conductor",
        "created_at",
        "finished_at",
    )
    readonly_fields = fields
    inlines = (RoundInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        counted = {"round_count": Count("rounds", distinct=True), "best": Max("rounds__generations__best")}
        return super().get_queryset(request).annotate(**counted).prefetch_related("listeners__user")

    @admin.display(description="experiment", ordering="experiment__name")
    def experiment_row(self, row: Run) -> SafeString | str:
        return link_to(row.experiment)

    @admin.display(description="listener")
    def listener(self, row: Any) -> SafeString | str:
        return link_to(next(iter(row.listeners.all()), None))

    @admin.display(description="rounds", ordering="round_count")
    def round_count(self, row: Any) -> int:
        return int(row.round_count)

    @admin.display(description="live page")
    def live(self, row: Run) -> SafeString:
        return format_html(
            '<a href="{}" class="{}">{}</a>', reverse("laboratory:run", args=[row.pk]), LINK, "Curves and population"
        )


FIGURES = tuple(rounded(name) for name in ("best", "mean", "median", "worst"))
SCORES = tuple(rounded(name) for name in ("fitness", "likeness", "artefacts"))


class GenerationInline(Inline):
    model = Generation
    fields = ("row", "number", *FIGURES, "played", rounded("seconds", digits=1))
    ordering = ("number",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Generation]:
        return super().get_queryset(request).select_related("round__run__experiment").defer(*BIG)


@admin.register(Round)
class RoundAdmin(Rows):
    list_display = (
        "__str__",
        "run_row",
        "number",
        "status",
        "generations_planned",
        "requested_at",
        "finished_at",
        "message",
    )
    list_display_links = ("__str__",)
    list_filter = ("status", ("requested_at", RangeDateTimeFilter))
    search_fields = ("=run__id", "run__experiment__name", "message")
    date_hierarchy = "requested_at"
    list_select_related = ("run__experiment",)
    heavy = _of_run()
    inlines = (GenerationInline,)

    @admin.display(description="run", ordering="run")
    def run_row(self, row: Round) -> SafeString | str:
        return link_to(row.run)


class CandidateInline(Inline):
    model = Candidate
    fields = ("row", "position", "prompt", *SCORES, "elite", "operators")
    ordering = ("-fitness", "position")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Candidate]:
        related = super().get_queryset(request).select_related("generation__round__run__experiment")
        return related.defer("genome", *(f"generation__{name}" for name in BIG))


@admin.register(Generation)
class GenerationAdmin(Rows):
    list_display = ("__str__", "round_row", *FIGURES, "played", rounded("seconds", digits=1))
    list_display_links = ("__str__",)
    list_filter = (("best", RangeNumericFilter), ("created_at", RangeDateTimeFilter))
    search_fields = ("=round__run__id", "round__run__experiment__name")
    list_select_related = ("round__run__experiment",)
    heavy = BIG
    inlines = (CandidateInline,)

    @admin.display(description="round", ordering="round")
    def round_row(self, row: Generation) -> SafeString | str:
        return link_to(row.round)


@admin.register(Candidate)
class CandidateAdmin(Rows):
    list_display = (
        "short_prompt",
        "generation_row",
        "position",
        *SCORES,
        "elite",
        "operators",
    )
    list_filter = ("elite", ("fitness", RangeNumericFilter), ("likeness", RangeNumericFilter))
    search_fields = ("prompt", "=generation__round__run__id", "=generation__round__run__experiment__name")
    list_select_related = ("generation__round__run__experiment",)
    heavy = tuple(f"generation__{name}" for name in BIG)
    fields = (
        *("tree", "generation_row", "position", "prompt", "genome_size", "seed", "parents", "operators", "elite"),
        *("fitness", "likeness", "artefacts", "evaluation_row"),
    )
    readonly_fields = fields

    @admin.display(description="prompt", ordering="prompt")
    def short_prompt(self, row: Candidate) -> str:
        return row.prompt if len(row.prompt) <= 90 else f"{row.prompt[:90]}..."

    @admin.display(description="generation", ordering="generation")
    def generation_row(self, row: Candidate) -> SafeString | str:
        return link_to(row.generation)

    @admin.display(description="evaluation")
    def evaluation_row(self, row: Candidate) -> SafeString | str:
        return link_to(row.evaluation)

    @admin.display(description="genome")
    def genome_size(self, row: Candidate) -> str:
        genome = row.genome
        return f"embedding {genome['shape']}" if isinstance(genome, dict) and "shape" in genome else str(genome)[:500]

    @admin.display(description="family tree and sound")
    def tree(self, row: Candidate) -> SafeString:
        return format_html(
            '<a href="{}" class="{}">{}</a>', reverse("laboratory:candidate", args=[row.pk]), LINK, "Ancestors; hear it"
        )


@admin.register(Evaluation)
class EvaluationAdmin(Rows):
    """The embedding itself is left out: bytes that nobody can read."""

    list_display = ("__str__", "layers", "dim", "artefacts", "seconds", "created_at")
    search_fields = ("key",)
    list_filter = (("created_at", RangeDateTimeFilter),)
    heavy = ("embedding",)
    fields = ("key", "layers", "dim", "artefacts", "seconds", "candidates_listed", "created_at")
    readonly_fields = fields

    @admin.display(description="candidates")
    def candidates_listed(self, row: Evaluation) -> SafeString:
        return listed(Candidate, row.candidates.count(), evaluation__key__exact=row.pk)
