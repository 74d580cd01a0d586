"""How many requests a token may make in a minute, counted in Redis."""

from __future__ import annotations

import logging
import time
from functools import lru_cache

import redis
from django.conf import settings

from public_api.models import Token

logger = logging.getLogger(__name__)

WINDOW = 60
"""Seconds. Counted by the clock's minutes: in the worst case twice the limit within a few seconds, which is no harm."""
PATIENCE = 1.0  # seconds


class TooManyError(Exception):
    """Too many requests; `seconds` says after how many the next one is answered."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        most = settings.API_REQUESTS_A_MINUTE
        super().__init__(f"Expected at most {most} requests a minute with one token: ask again in {seconds} s.")


def spend(token: Token, *, now: float | None = None) -> None:
    """Count a request. Raises TooManyError beyond `settings.API_REQUESTS_A_MINUTE`.

    now: seconds since the epoch; None: this moment. Without Redis nothing is counted: a limit that cannot be kept for
    a moment is a smaller harm than an API that answers nobody.
    """
    moment = time.time() if now is None else now
    name = f"evomusic:api:{token.pk}:{int(moment // WINDOW)}"
    try:
        with redis.Redis(connection_pool=_pool(settings.REDIS_URL)).pipeline() as counting:
            counting.incr(name)
            counting.expire(name, 2 * WINDOW)
            count, _ = counting.execute()
    except redis.RedisError as error:
        logger.warning("requests are not counted: %s", error)
        return
    if count > settings.API_REQUESTS_A_MINUTE:
        raise TooManyError(max(1, int(WINDOW - moment % WINDOW) + 1))


@lru_cache(maxsize=4)
def _pool(url: str) -> redis.ConnectionPool:
    return redis.ConnectionPool.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
