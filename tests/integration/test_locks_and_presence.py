from __future__ import annotations

import threading
import time

import pytest
from django.db import connection

from evolution import locks, presence

pytestmark = pytest.mark.django_db(transaction=True)


def in_another_thread(work):
    result = []

    def run():
        result.append(work())
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result[0]


def soon(expected):
    """PostgreSQL notices a connection that came or went a moment later."""
    for _ in range(200):
        if presence.count() == expected:
            return True
        time.sleep(0.02)
    return False


def claimed(name):
    with locks.claim(name) as mine:
        return mine


def test_a_claim_belongs_to_one_at_a_time_and_is_free_afterwards():
    with locks.claim("round:1") as mine:
        assert mine
        assert in_another_thread(lambda: claimed("round:1")) is False
        assert in_another_thread(lambda: claimed("round:2")) is True
    assert in_another_thread(lambda: claimed("round:1")) is True


def test_claims_are_seen_by_everybody():
    names = ["chunk:a", "chunk:b", "chunk:c"]
    with locks.claim("chunk:b"):
        assert in_another_thread(lambda: locks.held(names)) == {"chunk:b"}
    assert locks.held(names) == set()


def test_a_claim_ends_with_the_connection_that_held_it():
    def die_holding():
        claim = locks.claim("round:9")
        claim.__enter__()
        connection.connection.close()  # the process is gone: nobody says goodbye
        connection.connection = None

    in_another_thread(die_holding)
    assert claimed("round:9") is True


def test_whoever_is_present_is_counted_until_they_leave():
    assert presence.count().get("player", 0) == 0
    with presence.present("player"), presence.present("player"):
        assert soon({"player": 2})
    assert soon({})
