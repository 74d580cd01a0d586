"""The broker, asked directly: does it answer, how much waits in a queue, and what it is like to lose it."""

from __future__ import annotations

import django.db
import kombu.exceptions
import redis
from django.conf import settings

PATIENCE = 1.0  # seconds

SERVICES_LOST = (
    django.db.OperationalError,
    django.db.InterfaceError,
    django.db.InternalError,  # a database that can only be read
    redis.RedisError,
    kombu.exceptions.OperationalError,
)
"""What is raised when the database or the broker is away or takes nothing: the same work can succeed later."""


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
