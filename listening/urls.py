"""The listener's addresses."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path

from listening import account_views, api, duet_views, share_views, taste_views, views

app_name = "listening"

urlpatterns = [
    path("", views.welcome, name="welcome"),
    path("start/", views.start, name="start"),
    path("listen/", views.listen, name="listen"),
    path("playlists/", views.history, name="history"),
    path("playlists/<uuid:playlist_id>/", views.playlist, name="playlist"),
    path("favourites/", views.favourites, name="favourites"),
    path("taste/", taste_views.page, name="taste"),
    path("duets/", duet_views.index, name="duets"),
    path("duets/<uuid:duet_id>/", duet_views.page, name="duet"),
    path("duets/<uuid:duet_id>/end/", duet_views.end, name="duet_end"),
    path("duets/join/<str:invitation>/", duet_views.join, name="duet_join"),
    path("playlists/<uuid:playlist_id>/share/", share_views.share_playlist, name="share_playlist"),
    path("tracks/<uuid:track_id>/share/", share_views.share_track, name="share_track"),
    path("shared/<str:address>/", share_views.shared, name="shared"),
    path("shared/<str:address>/<int:number>/audio", share_views.shared_audio, name="shared_audio"),
    path("account/", views.account, name="account"),
    path("account/links/<uuid:link_id>/take-back/", share_views.take_back, name="share_take_back"),
    path("account/export/", account_views.export, name="export"),
    path("account/delete/", account_views.delete, name="delete"),
    path("login/", auth.LoginView.as_view(template_name="listening/login.html"), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("tracks/<uuid:track_id>/audio", views.track_audio, name="track_audio"),
    path("tracks/<uuid:track_id>/download", views.track_download, name="track_download"),
    path("api/ratings/", api.rate, name="rate"),
    path("api/listens/", api.listen, name="listens"),
    path("api/evolve/", api.evolve, name="evolve"),
    path("api/evolve/cancel/", api.cancel, name="cancel"),
    path("api/state/", api.state, name="state"),
    path("api/playlists/<uuid:playlist_id>/", api.playlist, name="playlist_content"),
    path("api/duets/<uuid:duet_id>/", duet_views.state, name="duet_state"),
    path("api/duets/<uuid:duet_id>/fairness/", duet_views.fairness, name="duet_fairness"),
    path("api/duets/<uuid:duet_id>/playlist/", duet_views.compose, name="duet_compose"),
    path("api/taste/", taste_views.content, name="taste_content"),
    path("api/taste/edits/", taste_views.edit, name="taste_edit"),
    path("api/taste/tracks/<uuid:track_id>/forget/", taste_views.forget_track, name="taste_forget_track"),
]
