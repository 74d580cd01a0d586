"""The panel's sockets."""

from __future__ import annotations

from django.urls import URLPattern, path

from laboratory.consumers import RunConsumer

websocket_urlpatterns: list[URLPattern] = [path("ws/laboratory/runs/<int:run_id>/", RunConsumer.as_asgi())]
