from django.contrib import admin

from evolution.models import Candidate, Experiment, Generation, Recording, Round, Run


@admin.register(Experiment)
class ExperimentAdmin(admin.ModelAdmin):
    list_display = ("name", "created_at")
    search_fields = ("name",)


@admin.register(Run)
class RunAdmin(admin.ModelAdmin):
    list_display = ("id", "experiment", "seed", "created_at")
    list_filter = ("experiment",)


@admin.register(Round)
class RoundAdmin(admin.ModelAdmin):
    list_display = ("run", "number", "status", "requested_at", "finished_at", "message")
    list_filter = ("status",)


@admin.register(Generation)
class GenerationAdmin(admin.ModelAdmin):
    list_display = ("round", "number", "best", "mean", "worst", "seconds")


@admin.register(Candidate)
class CandidateAdmin(admin.ModelAdmin):
    list_display = ("prompt", "generation", "position", "fitness", "likeness", "elite")
    search_fields = ("prompt",)
    list_filter = ("elite",)
    raw_id_fields = ("generation", "evaluation")


@admin.register(Recording)
class RecordingAdmin(admin.ModelAdmin):
    list_display = ("key", "seconds", "loudness", "created_at")
