from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from listening.models import Listener, Playlist, Rating, TasteSnapshot, Track, User

admin.site.register(User, UserAdmin)


@admin.register(Listener)
class ListenerAdmin(admin.ModelAdmin):
    list_display = ("id", "user", "reference_user", "is_guest", "run", "created_at")
    list_filter = ("is_guest",)
    raw_id_fields = ("user", "run")


@admin.register(Playlist)
class PlaylistAdmin(admin.ModelAdmin):
    list_display = ("listener", "number", "made_at")
    raw_id_fields = ("listener", "round")


@admin.register(Track)
class TrackAdmin(admin.ModelAdmin):
    list_display = ("title", "listener", "prompt", "created_at")
    search_fields = ("prompt",)
    raw_id_fields = ("listener", "recording", "candidate")
    exclude = ("embedding",)


@admin.register(Rating)
class RatingAdmin(admin.ModelAdmin):
    list_display = ("track", "listener", "value", "seconds", "given_at")
    list_filter = ("value",)
    raw_id_fields = ("listener", "track")


@admin.register(TasteSnapshot)
class TasteSnapshotAdmin(admin.ModelAdmin):
    list_display = ("listener", "round", "learner", "ratings", "seconds", "created_at")
    exclude = ("embedding",)
