"""Batches for training on histories: who is drawn, what they heard, and what they did not."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from torch import Tensor

from models_store.aligner import objective
from models_store.aligner.ahead import ahead
from models_store.aligner.batches import Batch, Plays
from models_store.aligner.config import AlignerConfig
from models_store.aligner.histories import Histories
from models_store.aligner.model import AlignerV2
from tests.unit import listening_files


def drawn(plays: Plays, *, batch: int = 64, negatives: int = 8, pool: int = 40, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return plays.draw(batch=batch, negatives=negatives, pool=pool, generator=generator)


def few(
    rows: list[tuple[int, int, float]], *, songs: int = 6, disliked: list[tuple[int, int]] | None = None
) -> Histories:
    users = max(user for user, _, _ in rows) + 1
    told = torch.tensor([row[:2] for row in rows])
    counts = torch.tensor([row[2] for row in rows])
    against = torch.tensor(disliked or [], dtype=torch.int64).reshape(-1, 2)
    names = [f"u{user}" for user in range(users)], [f"s{song}" for song in range(songs)]
    return Histories.of(*names, told[:, 0], told[:, 1], counts, disliked=against)


def heard(histories: Histories) -> Tensor:
    table = torch.zeros(len(histories.users), len(histories.songs), dtype=torch.bool)
    table[histories.user_index, histories.song_index] = True
    return table


def test_a_pair_is_a_song_that_was_heard_and_others_that_were_not() -> None:
    histories = listening_files.histories()
    table = heard(histories)
    for seed in range(20):
        batch = drawn(Plays(histories), seed=seed)
        users = batch.users[:, None].expand(-1, 8)
        assert bool(table[batch.users, batch.songs[batch.liked]].all())
        assert bool(batch.known.all())
        assert not bool(table[users, batch.songs[batch.others]].any())
        assert bool((batch.songs.diff() > 0).all())  # each once, and in the order of the store


def test_no_pair_has_the_same_other_song_twice() -> None:
    batch = drawn(Plays(listening_files.histories()))

    assert all(len(set(row)) == len(row) for row in batch.others.tolist())


def test_every_song_that_was_not_heard_is_as_likely() -> None:
    plays = Plays(few([(0, 0, 1.0), (0, 1, 5.0)], songs=12))
    times = torch.zeros(12)
    for seed in range(300):
        batch = drawn(plays, batch=16, negatives=3, pool=6, seed=seed)
        times += torch.bincount(batch.songs[batch.others][batch.known], minlength=12)

    assert times[:2].tolist() == [0.0, 0.0]
    assert times[2:].min() > 0.9 * times[2:].mean()
    assert times[2:].max() < 1.1 * times[2:].mean()


@pytest.mark.parametrize(("weights", "share"), [("equal", 0.5), ("log", 2 / 5), ("counts", 3 / 18)])
def test_a_song_is_drawn_by_its_weight(weights: str, share: float) -> None:
    plays = Plays(few([(0, 0, 3.0), (0, 1, 15.0)]), weights=weights)  # type: ignore[arg-type]  # log2(4) = 2, log2(16) = 4
    liked = torch.cat([(lambda b: b.songs[b.liked])(drawn(plays, batch=500, seed=seed)) for seed in range(8)])
    expected = 2 / 6 if weights == "log" else share

    assert float((liked == 0).float().mean()) == pytest.approx(expected, abs=0.03)


def test_users_are_drawn_alike_however_much_they_listen() -> None:
    histories = few([(0, 0, 1.0), *((1, song, 9.0) for song in range(5)), (3, 2, 1.0)])
    users = drawn(Plays(histories), batch=3000).users

    counts = torch.bincount(users, minlength=4).float() / 3000
    assert counts.tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3], abs=0.04)  # user 2 never listened


def test_what_a_user_dislikes_comes_before_what_they_merely_did_not_hear() -> None:
    histories = few([(0, 0, 1.0), (1, 1, 1.0)], songs=200, disliked=[(0, 150), (0, 151)])
    batch = drawn(Plays(histories), batch=64, negatives=4, pool=20)
    disliked = torch.isin(batch.songs[batch.others], torch.tensor([150, 151])).any(dim=1)

    assert bool(disliked[batch.users == 0].all())
    assert all(len(set(row)) == 4 for row in batch.others.tolist())


def test_somebody_who_heard_everything_has_no_other_song() -> None:
    batch = drawn(Plays(few([(0, song, 1.0) for song in range(6)])), negatives=3, pool=6)

    assert not bool(batch.known.any())
    loss = objective.info_nce(torch.rand(64, 4), batch.known, torch.tensor(0.1))
    assert float(loss) == pytest.approx(0.0, abs=1e-6)


def test_a_song_that_is_not_there_pulls_at_nothing() -> None:
    cosines = torch.rand(2, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    temperature = torch.tensor(0.1, requires_grad=True)
    known = torch.tensor([[True, True, False], [False, False, False]])

    objective.info_nce(cosines, known, temperature).backward()

    assert cosines.grad is not None
    assert temperature.grad is not None
    assert cosines.grad[0, 3] == 0
    assert cosines.grad[0, 1] != 0
    assert float(temperature.grad.abs()) < float("inf")


def test_histories_in_which_nobody_listened_are_refused() -> None:
    nothing = few([(0, 0, 1.0)]).keep_users(torch.tensor([False]))
    with pytest.raises(ValueError, match="expected histories in which somebody listened to something"):
        Plays(nothing)


def test_info_nce_is_the_cross_entropy_of_the_song_listened_to() -> None:
    cosines = torch.rand(5, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.cross_entropy(cosines / 0.2, torch.zeros(5, dtype=torch.int64))

    loss = objective.info_nce(cosines, torch.ones(5, 3, dtype=torch.bool), torch.tensor(0.2))

    assert float(loss) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("aggregation", ["gating", "cross-attention", "self-cross-attention"])
def test_the_cosines_of_pairs_are_those_of_everybody_with_every_song(aggregation: str) -> None:
    generator = torch.Generator().manual_seed(0)
    config = AlignerConfig(users=5, layers=3, dim=8, emb_size=4, hidden=6, projection=7, aggregation=aggregation)  # type: ignore[arg-type]
    aligner = AlignerV2(config, seed=1).eval()
    songs = aligner.hear(torch.randn(9, 3, 8, generator=generator))
    chosen = torch.randint(9, (5, 4), generator=generator)

    pairs = objective.pair_cosines(songs, aligner.user_table, chosen)

    torch.testing.assert_close(pairs, songs.cosines(aligner.user_table).gather(1, chosen))


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_what_is_read_ahead_comes_in_order(depth: int) -> None:
    assert list(ahead(iter(range(20)), depth=depth)) == list(range(20))


def test_what_goes_wrong_while_reading_ahead_is_raised_in_its_turn() -> None:
    def broken():
        yield 1
        raise ValueError("the disk is gone")

    coming = ahead(broken(), depth=3)

    assert next(coming) == 1
    with pytest.raises(ValueError, match="the disk is gone"):
        next(coming)


def test_nothing_is_read_ahead_any_more_when_nobody_asks() -> None:
    read: list[int] = []

    def endless():
        while True:
            read.append(len(read))
            yield read[-1]

    coming = ahead(endless(), depth=2)
    next(coming)
    coming.close()
    done = len(read)
    time.sleep(0.05)

    assert len(read) == done <= 4
    assert "reading ahead" not in {thread.name for thread in threading.enumerate()}
