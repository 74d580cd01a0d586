"""Every address of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from evomusic_site import health, monitoring

handler500 = "evomusic_site.outages.server_error"

urlpatterns = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", monitoring.metrics, name="metrics"),
    path("laboratory/status/", monitoring.status, name="status"),
    path("admin/", admin.site.urls),
    path("laboratory/", include("laboratory.urls")),
    path("", include("public_api.urls")),
    path("", include("listening.urls")),
]
