"""Which hosts a configuration may have asked as its language model: a stranger's address is no door into our network.

The rule is the process's, set once at its start from LLM_HOSTS (`.env.example`). Three kinds:
["*"]: any host, for a machine whose user writes the configurations. ["public"]: any host whose addresses are all of
the internet. Names, each `host` or `host:port`: these alone, wherever they are.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

ANY, PUBLIC = "*", "public"

_rule: list[str] = [ANY]

_EMBEDDING = [ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]
"""IPv6 that stands for an IPv4 address of whatever network: NAT64, 6to4, Teredo (RFC 6052, RFC 3056, RFC 4380)."""


class OutOfReachError(ValueError):
    """A host that may not be asked; the message names it and what to do."""


def allow(hosts: Sequence[str]) -> None:
    """Set the rule for this process. Raises ValueError for no host at all, or a word among names."""
    told = [host.strip().lower() for host in hosts if host.strip()]
    if not told or (len(told) > 1 and not {ANY, PUBLIC}.isdisjoint(told)):
        raise ValueError(f"LLM_HOSTS: expected {ANY}, {PUBLIC} or names of hosts, got {', '.join(told) or 'nothing'}")
    _rule[:] = told


def check_name(host: str, port: int | None) -> None:
    """What can be told of a host without looking it up. Raises OutOfReachError."""
    name = host.strip("[]").rstrip(".").lower()
    if _rule == [ANY]:
        return
    if _rule != [PUBLIC]:
        if name not in _rule and f"{name}:{port}" not in _rule:
            raise OutOfReachError(f"expected a host of LLM_HOSTS ({', '.join(_rule)}), got {name}")
        return
    try:
        addresses = [str(ipaddress.ip_address(name))]
    except ValueError:
        addresses = []
    if name == "localhost" or name.endswith(".localhost") or not _public(addresses):
        raise OutOfReachError(f"expected a host on the internet, got {name}: LLM_HOSTS must name it to be asked")


async def permit(request: httpx2.Request) -> None:
    """A hook of a client, called before each request, redirects too. Raises OutOfReachError.

    A host that must be public is looked up here and the request sent to the address that was checked: a name server
    cannot tell us one address and the connection another.
    """
    name, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
    check_name(name, port)
    if _rule != [PUBLIC]:
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:  # as the client itself would have told it
        import httpx2  # not for the web process, which only calls `check_name`

        raise httpx2.ConnectError(str(error), request=request) from error
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not _public(addresses):
        raise OutOfReachError(f"expected a host on the internet, got {name}: LLM_HOSTS must name it to be asked")
    request.extensions = {**request.extensions, "sni_hostname": name}
    request.url = request.url.copy_with(host=addresses[0])


def _public(addresses: Iterable[str]) -> bool:
    """Whether all are of the internet: not private, of this machine or link, for many, or one in another's clothes."""
    return all(_is_public(ipaddress.ip_address(address.partition("%")[0])) for address in addresses)


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if any(address in network for network in _EMBEDDING):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
