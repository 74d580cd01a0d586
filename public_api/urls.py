"""The API's addresses, its documentation, and the page for tokens."""

from __future__ import annotations

from django.urls import include, path

from public_api import views
from public_api.api import api

pages = [
    path("account/tokens/", views.own_tokens, name="tokens"),
    path("account/tokens/<int:token_id>/revoke/", views.revoke, name="revoke"),
    path("api/v1/docs", views.documented, name="docs"),
]

urlpatterns = [path("", include((pages, "public_api"))), path("api/v1/", api.urls)]
