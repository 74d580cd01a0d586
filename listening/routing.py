"""The sockets' addresses."""

from __future__ import annotations

from django.urls import path

from listening.consumers import ListeningConsumer

websocket_urlpatterns = [path("ws/listen/", ListeningConsumer.as_asgi())]
