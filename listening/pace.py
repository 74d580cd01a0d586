"""How often something may be done: counted in Redis, so that every web process counts together."""

from __future__ import annotations

import logging
from functools import lru_cache

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

TOO_MANY = 429  # HTTP status
PATIENCE = 1.0  # seconds for Redis


class TooOftenError(RuntimeError):
    """It was done so often that it is refused for a while.

    seconds: after which it is possible again.
    """

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


def count(what: str, *, most: int, seconds: int, message: str) -> None:
    """Count that `what` is done; `most` times are possible within `seconds`, which begin with the first.

    message: a sentence for people, of the TooOftenError that is raised for one time more. Without Redis nothing is
    counted and nothing refused: a limit that is not kept for a moment is a smaller harm than a page that fails.
    """
    key = f"pace:{what}"
    try:
        with redis.Redis(connection_pool=_pool(settings.REDIS_URL)).pipeline() as both:
            both.set(key, 0, ex=seconds, nx=True)
            both.incr(key)
            both.ttl(key)
            _, done, left = both.execute()
    except redis.RedisError as error:
        logger.warning("not counted: %s", error)
        return
    if done > most:
        raise TooOftenError(message, seconds=max(1, left))


@lru_cache(maxsize=4)
def _pool(url: str) -> redis.ConnectionPool:
    return redis.ConnectionPool.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
