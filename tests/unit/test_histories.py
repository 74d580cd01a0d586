"""Listening histories as values: sorted, restricted, filtered, matched with embeddings, split."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models_store.aligner import held_out
from models_store.aligner.histories import Histories
from tests.unit import listening_files

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=40)
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=8)


def _of(rows: list[tuple[int, int, int]], disliked: list[tuple[int, int]] | None = None) -> Histories:
    table = torch.tensor(rows).reshape(-1, 3)
    against = torch.tensor(disliked or [], dtype=torch.int64).reshape(-1, 2)
    return Histories.of("abcde", "tuvwxyz", table[:, 0], table[:, 1], table[:, 2], disliked=against)


@settings(max_examples=40, deadline=None)
@given(ROWS, PAIRS)
def test_rows_in_any_order_become_one_row_for_each_pair_and_dislikes_are_no_rows(
    rows: list[tuple[int, int, int]], disliked: list[tuple[int, int]]
) -> None:
    expected: dict[tuple[str, str], float] = {}
    for user, song, count in rows:
        if (user, song) not in disliked:
            pair = "abcde"[user], "tuvwxyz"[song]
            expected[pair] = expected.get(pair, 0) + count

    told = _of(rows, disliked)

    assert listening_files.told(told) == expected
    assert {tuple(pair) for pair in told.disliked.tolist()} == set(disliked)


@settings(max_examples=40, deadline=None)
@given(ROWS, PAIRS, st.lists(st.booleans(), min_size=5, max_size=5), st.lists(st.booleans(), min_size=7, max_size=7))
def test_restricting_keeps_what_is_said_of_those_that_stay(
    rows: list[tuple[int, int, int]], disliked: list[tuple[int, int]], users: list[bool], songs: list[bool]
) -> None:
    told = _of(rows, disliked)
    staying = {user for user, kept in zip("abcde", users, strict=True) if kept}
    sounding = {song for song, kept in zip("tuvwxyz", songs, strict=True) if kept}

    kept = told.keep_users(torch.tensor(users)).keep_songs(torch.tensor(songs))

    assert listening_files.told(kept) == {
        (user, song): count
        for (user, song), count in listening_files.told(told).items()
        if user in staying and song in sounding
    }
    assert {(kept.users[user], kept.songs[song]) for user, song in kept.disliked.tolist()} == {
        ("abcde"[user], "tuvwxyz"[song])
        for user, song in told.disliked.tolist()
        if "abcde"[user] in staying and "tuvwxyz"[song] in sounding
    }


def test_of_user_gives_each_users_own_songs() -> None:
    told = _of([(2, 5, 3), (0, 1, 1), (2, 0, 2)], [(2, 6), (1, 0)])

    songs, counts = told.of_user(2)

    assert songs.tolist() == [0, 5]
    assert counts.tolist() == [2, 3]
    assert [len(told.of_user(user)[0]) for user in range(5)] == told.songs_per_user.tolist() == [1, 0, 2, 0, 0]
    assert told.disliked_by(2).tolist() == [6]
    assert told.users_per_song.tolist() == [1, 1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"users": ("a", "a")}, "users: expected each id once"),
        ({"counts": torch.tensor([1.0, 0.0])}, "counts above 0"),
        ({"counts": torch.tensor([1.0, float("nan")])}, "finite counts"),
        ({"counts": torch.ones(3)}, r"\[P\]"),
        ({"song_index": torch.tensor([2, 1])}, "expected 0 to 1, got 1 to 2"),
        ({"user_index": torch.tensor([1, 0])}, "sorted"),
        ({"disliked": torch.tensor([[0, 0]])}, "listened to as well"),
    ],
)
def test_what_contradicts_itself_is_refused(changed: dict[str, object], said: str) -> None:
    whole = {
        "users": ("a", "b"),
        "songs": ("x", "y"),
        "user_index": torch.tensor([0, 1]),
        "song_index": torch.tensor([0, 1]),
        "counts": torch.ones(2),
    }
    Histories(**whole)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match=said):
        Histories(**{**whole, **changed})  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(ROWS, PAIRS, st.integers(1, 3), st.integers(1, 3))
def test_a_filter_leaves_the_largest_part_in_which_both_limits_hold(
    rows: list[tuple[int, int, int]], disliked: list[tuple[int, int]], least_listeners: int, least_songs: int
) -> None:
    told = _of(rows, disliked)
    heard = {(u, s) for u, s, _ in rows} | set(disliked)
    users, songs = set(range(5)), set(range(7))
    for _ in range(12):  # a core does not depend on the order of taking away
        users = {u for u in users if sum((u, s) in heard - set(disliked) for s in songs) >= least_songs}
        songs = {s for s in songs if sum((u, s) in heard for u in users) >= least_listeners}
    if not users or not songs:
        with pytest.raises(ValueError, match="got none with at least"):
            held_out.filtered(told, least_listeners=least_listeners, least_songs=least_songs)
        return

    kept, gone = held_out.filtered(told, least_listeners=least_listeners, least_songs=least_songs)

    assert set(kept.users) == {"abcde"[u] for u in users}
    assert set(kept.songs) == {"tuvwxyz"[s] for s in songs}
    assert (gone.users, gone.songs, gone.pairs) == (5 - len(users), 7 - len(songs), len(told) - len(kept))


def test_of_too_many_songs_those_with_the_most_listeners_stay() -> None:
    told = _of([(user, song, 1) for user in range(5) for song in range(7) if song <= user])

    kept, gone = held_out.filtered(told, most_songs=2)

    assert kept.songs == ("t", "u")
    assert gone.songs == 5


@pytest.mark.parametrize("limits", [{"least_songs": 0}, {"least_listeners": -1}, {"most_songs": 0}])
def test_a_filter_refuses_limits_below_one(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="limits of at least 1"):
        held_out.filtered(_of([(0, 0, 1)]), **limits)


def test_histories_are_matched_with_a_store_and_tell_what_had_no_embedding(tmp_path: Path) -> None:
    told = listening_files.histories()
    known = listening_files.SONGS[:300]
    store = listening_files.store(tmp_path / "store", ids=known)

    aligned, report = told.aligned_to(store)

    dropped = {pair: count for pair, count in listening_files.told(told).items() if pair[1] not in known}
    assert listening_files.told(aligned) == {
        pair: count for pair, count in listening_files.told(told).items() if pair[1] in known
    }
    assert [store.ids[row] for row in report.rows.tolist()] == list(aligned.songs)
    assert report.pairs_dropped == len(dropped) > 0
    assert report.listens_dropped == sum(dropped.values())
    assert report.songs_dropped == len(told.songs) - len(aligned.songs)
    assert report.unheard == 300 - len(aligned.songs)
    assert report.users_without == 0
    assert f"{len(aligned.songs)} songs have an embedding" in str(report)


def test_a_store_of_other_songs_is_refused(tmp_path: Path) -> None:
    store = listening_files.store(tmp_path / "store", ids=("p", "q"))

    with pytest.raises(ValueError, match="expected embeddings of the songs listened to") as refused:
        _of([(0, 0, 1)]).aligned_to(store)

    assert str(tmp_path) in str(refused.value)


def test_a_split_is_seeded_and_holds_out_songs_and_users() -> None:
    told = listening_files.histories()

    parts = held_out.split(told, songs=(0.1, 0.2), users=(0.0, 0.1), seed=3)

    for one, count in ((parts.songs, len(told.songs)), (parts.users, 30)):
        together = torch.cat([one.train, one.validation, one.test])
        assert together.sort().values.tolist() == list(range(count))
    assert len(parts.songs.test) == round(0.2 * len(told.songs))
    assert (len(parts.users.validation), len(parts.users.test)) == (0, 3)
    again, other = (held_out.split(told, seed=seed) for seed in (3, 4))
    assert again.songs.test.equal(parts.songs.test)
    assert not other.songs.test.equal(parts.songs.test)


@pytest.mark.parametrize("shares", [{"songs": (0.5, 0.5)}, {"users": (-0.1, 0.1)}, {"songs": (0.0, float("nan"))}])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(shares: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="expected shares of"):
        held_out.split(_of([(0, 0, 1)]), **shares, seed=0)


def test_one_user_alone_cannot_be_split() -> None:
    told = _of([(0, 0, 1)]).keep_users(torch.tensor([True, False, False, False, False]))

    with pytest.raises(ValueError, match="expected more users than 0 to stop by and 1 to test on, got 1"):
        held_out.split(told, seed=0)


def test_a_split_that_somebody_else_chose_is_honoured() -> None:
    parts = held_out.parts_of("abcdef", {"train": "bdx", "validation": "a", "test": "fe"}, seed=0)

    assert (parts.train.tolist(), parts.validation.tolist(), parts.test.tolist()) == ([1, 3], [0], [4, 5])


def test_where_nobody_chose_songs_to_stop_by_some_of_the_training_songs_are_drawn() -> None:
    parts = held_out.parts_of("abcdefghij", {"train": "abcdefgh", "test": "ij"}, validation=0.25, seed=0)

    assert len(parts.validation) == 2
    assert torch.cat([parts.train, parts.validation]).sort().values.tolist() == list(range(8))


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"train": "ab"}, "expected train, test"),
        ({"train": "ab", "test": "c", "other": "d"}, "expected train, test"),
        ({"train": "ab", "test": "b"}, "'b' in train and test"),
        ({"train": "ab", "validation": "c", "test": "xyz"}, "got none in test"),
        ({"train": "", "test": "a"}, "to train|more names"),
    ],
)
def test_a_choice_that_is_none_is_refused(chosen: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        held_out.parts_of("abcd", chosen, seed=0)
