"""Where a language model is asked, and how its endpoint says no."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2


@dataclass(frozen=True)
class Address:
    """base: the URL without what clients append. query: its parameters. host: with the port, fit to be shown.

    loopback: whether it is this machine, which no proxy reaches.
    """

    base: str
    query: tuple[tuple[str, str], ...]
    host: str
    loopback: bool


def address(api_uri: str) -> Address:
    """The address in a base URL, or in one that ends in /chat/completions.

    Raises ValueError for anything else; the text is not shown, for it may hold a secret.
    """
    try:
        parts = urlsplit(str(httpx2.URL(api_uri.strip())))  # the client's own, which refuses more
        name, _ = parts.hostname or "", parts.port
    except (ValueError, httpx2.InvalidURL):
        name = ""
    if not name or parts.scheme not in ("http", "https") or len(api_uri.split()) > 1:
        raise ValueError("LLM.api_uri: expected an address like https://host/v1, got something else")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return Address(
        base=parts._replace(path=path, query="", fragment="").geturl(),
        query=tuple(parse_qsl(parts.query)),
        host=parts.netloc.rpartition("@")[2],
        loopback=name in ("localhost", "::1") or name.startswith("127."),
    )


def sendable(key: str) -> str:
    """The key, if a header can hold it, else a ValueError. What is refused is not shown."""
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("LLM.api_key: expected printable ASCII without blanks, got something else")
    return key


def said(body: object) -> str:
    """What an endpoint says about its error, in the shapes that are in use."""
    if isinstance(body, Mapping):
        for key in ("message", "error", "detail"):
            if body.get(key):
                return said(body[key])
    return "" if body is None else str(body)


def retry_after(headers: Mapping[str, Any]) -> float:
    """Seconds to wait by the header `Retry-After`, a number or a date; 0 where it says nothing readable."""
    told = str(headers.get("retry-after", ""))
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):  # no date, or one without a time zone
            return 0.0
    return seconds if 0.0 < seconds < math.inf else 0.0
