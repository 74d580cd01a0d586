"""The web process: HTTP and WebSocket. It never imports torch."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evomusic_site.settings")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

http = get_asgi_application()  # before the routing: it sets the applications up

from evomusic_site import bodies, measuring  # noqa: E402
from laboratory import routing as laboratory  # noqa: E402
from listening import routing as listening  # noqa: E402

sockets = [*laboratory.websocket_urlpatterns, *listening.websocket_urlpatterns]

application = ProtocolTypeRouter(
    {
        "http": bodies.limited(http),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(measuring.Sockets(URLRouter(sockets)))),
    }
)
