"""How many requests a token may make in a minute."""

from __future__ import annotations

from django.conf import settings

from listening import pace
from public_api.models import Token

WINDOW = 60  # seconds


class TooManyError(Exception):
    """Too many requests; `seconds` says after how many the next one is answered."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        most = settings.API_REQUESTS_A_MINUTE
        super().__init__(f"Expected at most {most} requests a minute with one token: ask again in {seconds} s.")


def spend(token: Token) -> None:
    """Count a request. Raises TooManyError beyond `settings.API_REQUESTS_A_MINUTE`."""
    try:
        pace.count(f"api:{token.pk}", most=settings.API_REQUESTS_A_MINUTE, seconds=WINDOW, message="")
    except pace.TooOftenError as error:
        raise TooManyError(error.seconds) from None
