"""The listener's addresses."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path

from listening import api, views

app_name = "listening"

urlpatterns = [
    path("", views.welcome, name="welcome"),
    path("start/", views.start, name="start"),
    path("listen/", views.listen, name="listen"),
    path("playlists/", views.history, name="history"),
    path("playlists/<uuid:playlist_id>/", views.playlist, name="playlist"),
    path("favourites/", views.favourites, name="favourites"),
    path("account/", views.account, name="account"),
    path("login/", auth.LoginView.as_view(template_name="listening/login.html"), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("tracks/<uuid:track_id>/audio", views.track_audio, name="track_audio"),
    path("tracks/<uuid:track_id>/download", views.track_download, name="track_download"),
    path("api/ratings/", api.rate, name="rate"),
    path("api/evolve/", api.evolve, name="evolve"),
    path("api/state/", api.state, name="state"),
    path("api/playlists/<uuid:playlist_id>/", api.playlist, name="playlist_content"),
]
