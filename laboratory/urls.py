"""The panel's addresses."""

from __future__ import annotations

from django.urls import path

from laboratory import live_views, taste_views, views

app_name = "laboratory"

urlpatterns = [
    path("", views.index, name="index"),
    path("new/", views.new, name="new"),
    path("experiments/<slug:name>/", views.experiment, name="experiment"),
    path("experiments/<slug:name>/start/", views.start, name="start"),
    path("experiments/<slug:name>/open/", views.open_to_people, name="open"),
    path("experiments/<slug:name>/close/", views.close, name="close"),
    path("experiments/<slug:name>/note/", views.note, name="note"),
    path("experiments/<slug:name>/delete/", views.delete, name="delete"),
    path("experiments/<slug:name>/<str:action>-all/", views.steer_all, name="steer_all"),
    path("runs/<int:run_id>/pause/", views.steer, {"action": "pause"}, name="pause"),
    path("runs/<int:run_id>/resume/", views.steer, {"action": "resume"}, name="resume"),
    path("runs/<int:run_id>/stop/", views.steer, {"action": "stop"}, name="stop"),
    path("recordings/<slug:key>/audio", views.recording_audio, name="recording_audio"),
    path("runs/<int:run_id>/", live_views.run, name="run"),
    path("runs/<int:run_id>/data.json", live_views.run_data, name="run_data"),
    path("runs/<int:run_id>/export.<str:kind>", live_views.run_export, name="run_export"),
    path("compare/", live_views.compare, name="compare"),
    path("compare/export.<str:kind>", live_views.compare_export, name="compare_export"),
    path("tastes/", taste_views.tastes, name="tastes"),
    path("tastes/draw/", taste_views.draw, name="draw_tastes"),
    path("tastes/<slug:method>.png", taste_views.picture, name="taste_picture"),
    path("candidates/<uuid:candidate_id>/", live_views.candidate, name="candidate"),
    path("candidates/<uuid:candidate_id>/hear/", live_views.hear, name="hear"),
    path("candidates/<uuid:candidate_id>/audio", live_views.candidate_audio, name="candidate_audio"),
]
