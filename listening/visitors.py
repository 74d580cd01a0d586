"""Where requests come from, and how many guests may come from one place."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

from listening import pace

WINDOW = 3600  # seconds in which guests of one address are counted
NOWHERE = "0.0.0.0"  # noqa: S104  # an address that nobody has; nothing is bound to it

_IPV6_NETWORK = 64
"""Bits of an IPv6 address that tell who it is: the rest is one household's, to be changed at will (RFC 6177)."""


def address(request: HttpRequest) -> str:
    """The address a request comes from, as text; of an IPv6 one its network; NOWHERE when it has none.

    Behind TRUSTED_PROXIES proxies it is what the outermost of them saw, so many from the right of X-Forwarded-For:
    what stands further left was written by whoever asks.
    """
    told = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    count = settings.TRUSTED_PROXIES
    seen = told[-count] if 0 < count <= len(told) else request.META.get("REMOTE_ADDR", "")
    try:
        found = ipaddress.ip_address(seen)
    except ValueError:  # a Unix socket, or a proxy that adds a port
        return NOWHERE
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False).network_address)
    return str(found)


def admit_guest(request: HttpRequest) -> None:
    """Count a guest who is about to be made. Raises pace.TooOftenError when the hour's GUESTS_PER_HOUR were made.

    This machine itself is not counted.
    """
    seen = address(request)
    if settings.GUESTS_PER_HOUR and not ipaddress.ip_address(seen).is_loopback:
        message = "Too many people have started from here within an hour. Come back a little later."
        pace.count(f"guests:{seen}", most=settings.GUESTS_PER_HOUR, seconds=WINDOW, message=message)
