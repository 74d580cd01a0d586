"""Every address of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from evomusic_site import health

urlpatterns = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("admin/", admin.site.urls),
    path("laboratory/", include("laboratory.urls")),
    path("", include("listening.urls")),
]
