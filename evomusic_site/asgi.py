"""The web process: HTTP and WebSocket. It never imports torch."""

from __future__ import annotations

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evomusic_site.settings")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.wsgi import get_wsgi_application

django = get_wsgi_application()  # before the routing: it sets the applications up

from evomusic_site import handling, measuring, static_files  # noqa: E402
from laboratory import routing as laboratory  # noqa: E402
from listening import routing as listening  # noqa: E402

sockets = [*laboratory.websocket_urlpatterns, *listening.websocket_urlpatterns]

application = ProtocolTypeRouter(
    {
        "http": static_files.around(handling.Handler(django)),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(measuring.Sockets(URLRouter(sockets)))),
    }
)

# A whole collection stops everybody, for 60 ms with 500 sockets open, and as long again until the queue is worked off.
# What is there now stays and need not be looked at; and it is done after a hundred smaller ones instead of ten: what a
# request leaves behind is found by those.
gc.collect()
gc.freeze()
gc.set_threshold(700, 10, 100)
