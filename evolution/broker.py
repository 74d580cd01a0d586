"""The broker, asked directly: does it answer, and how much waits in a queue."""

from __future__ import annotations

import redis
from django.conf import settings

PATIENCE = 1.0  # seconds


def connect() -> redis.Redis:
    """A connection to Redis, to be used as a context manager."""
    return redis.Redis.from_url(settings.REDIS_URL)


def answers() -> bool:
    """Whether Redis answers within a second."""
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def waiting(queue: str) -> int | None:
    """How many messages of a Celery queue no worker has taken yet; None when Redis does not answer."""
    try:
        with connect() as client:
            return int(client.llen(queue))
    except redis.RedisError:
        return None
