"""What is looked for after the kills is found when it is there."""

from __future__ import annotations

from collections import Counter
from threading import Event
from types import SimpleNamespace

import pytest

from benchmarks.chaos import verdict
from benchmarks.chaos.kills import Kill


class Rows:
    """A service whose rows are told beforehand: by a word of the query."""

    def __init__(self, **rows):
        self.rows = rows

    def ask(self, query, _=()):
        return next((rows for word, rows in self.rows.items() if word in query), [])


def guest(*, acknowledged=(), playlists=(), **others):
    quiet = Event()
    quiet.set()
    known = {name: {"number": number, "tracks": [{"id": one} for one in tracks]} for name, number, tracks in playlists}
    usual = {"name": "guest 0", "never_confirmed": 0, "changed": [], "error": None, "state": {}, "counts": Counter()}
    said = dict(acknowledged)
    return SimpleNamespace(
        **{**usual, "acknowledged": said, "sent": set(said), "playlists": known, "quiet": quiet} | others
    )


ONE = [("r1", ("t1", 1))]
STORED = [("r1", "t1", 1)]


def test_ratings_that_are_all_there_once_are_no_violation():
    assert verdict.ratings_kept(Rows(value=STORED), [guest(acknowledged=ONE)]) == []


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ([], "and nothing is there"),
        ([("r1", "t1", -1)], "('t1', -1) is there"),
        ([*STORED, ("r2", "t2", 1)], "nobody sent it"),
    ],
)
def test_a_rating_that_is_lost_changed_or_nobodys_is_found(stored, said):
    [found] = verdict.ratings_kept(Rows(value=stored), [guest(acknowledged=ONE)])
    assert said in found


def test_a_rating_that_is_there_for_a_second_time_is_found():
    [found] = verdict.ratings_kept(Rows(value=STORED, HAVING=[]), [guest(acknowledged=ONE, never_confirmed=2)])
    assert "2 ratings were never confirmed" in found
    twice = Rows(HAVING=[("t1", 2)], value=STORED)
    assert "track t1 has 2 ratings" in verdict.ratings_kept(twice, [guest(acknowledged=ONE)])[0]


PLAYLISTS = [("p1", 1, 7, ["a", "b"]), ("p2", 2, 7, ["c", "d"])]
BOTH = [("p1", 1, ["a", "b"]), ("p2", 2, ["c", "d"])]


def test_playlists_that_all_came_as_they_are_stored_are_no_violation():
    assert verdict.playlists_kept(Rows(playlist=PLAYLISTS), [guest(playlists=BOTH)]) == []


@pytest.mark.parametrize(
    ("came", "others", "said"),
    [
        (BOTH[:1], {}, "never got playlists [2]"),
        ([BOTH[0], ("p2", 2, ["d", "c"])], {}, "not as (2, ['c', 'd'])"),
        (BOTH, {"changed": ["p1"]}, "again with other contents"),
        (BOTH, {"error": RuntimeError("gone")}, "stopped: RuntimeError('gone')"),
        (BOTH, {"quiet": Event()}, "still waits for a playlist"),
    ],
)
def test_a_playlist_that_is_lost_or_changed_is_found(came, others, said):
    [found] = verdict.playlists_kept(Rows(playlist=PLAYLISTS), [guest(playlists=came, **others)])
    assert said in found


def test_a_gap_between_playlists_is_found():
    rows = [PLAYLISTS[0], ("p2", 3, 7, ["c", "d"])]
    [found] = verdict.playlists_kept(Rows(playlist=rows), [guest(playlists=[BOTH[0], ("p2", 3, ["c", "d"])])])
    assert "numbered [1, 3]" in found


def test_histories_are_compared_row_by_row_and_with_the_seeds_own():
    mine = {"candidates": [(1, 0.5), (2, 0.25)], "playlists": [(1, "a")]}
    assert verdict.histories_equal([(5, mine)], {5: mine}) == []
    other = {**mine, "candidates": [(1, 0.5), (2, 0.2500001)]}
    [found] = verdict.histories_equal([(5, other)], {5: mine})
    assert "the candidates of seed 5 differ" in found
    assert "1 of them different" in found
    assert "no undisturbed run of seed 5" in verdict.histories_equal([(5, mine)], {6: mine})[0]


def test_what_has_not_ended_is_found():
    rows = Rows(
        rounds_planned=[(3, 11, "running", ""), (4, 12, "done", "")],
        evolution_round=[(3, 2, "evolving", "")],
        waitingchunk=[(2,)],
    )
    found = verdict.everything_ended(rows)
    assert [sentence.split(":")[0] for sentence in found[:2]] == [
        "run 3 (seed 11) is running",
        "round 2 of run 3 is evolving",
    ]
    assert found[2:] == ["2 chunks still wait"]


def test_a_chunk_that_ran_again_late_is_found():
    late, soon = (Kill("player", asked=False, at=1.0, others=1, chunk_again=after) for after in (10.5, 1.5))
    [found] = verdict.chunks_soon([soon, late, Kill("web", asked=True, at=2.0)])
    assert "after 10.5 s" in found
