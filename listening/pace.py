"""How often something may be done: counted in Redis, so that every web process counts together."""

from __future__ import annotations

import redis

from evolution import broker

TOO_MANY = 429  # HTTP status


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
    counted and nothing refused.
    """
    key = f"pace:{what}"
    try:
        with broker.connect() as client, client.pipeline() as both:
            _, done, left = both.set(key, 0, ex=seconds, nx=True).incr(key).ttl(key).execute()
    except redis.RedisError:
        return
    if done > most:
        raise TooOftenError(message, seconds=max(1, left))
