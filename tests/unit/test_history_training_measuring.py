"""Figures of rankings: those of scikit-learn, per listener, a few songs and listeners at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from models_store.aligner import measuring, newcomers
from models_store.aligner.config import AlignerConfig
from models_store.aligner.histories import Histories
from models_store.aligner.measuring import MemorySongs
from models_store.aligner.model import AlignerV2
from tests.unit import listening_files, small_world


@given(
    scores=st.lists(st.sampled_from([-0.5, 0.0, 0.1, 0.25, 0.9]), min_size=2, max_size=30), seed=st.integers(0, 1000)
)
@settings(max_examples=60, deadline=None)
def test_auc_and_average_precision_are_those_of_scikit_learn_also_with_ties(scores: list[float], seed: int) -> None:
    likes = torch.rand(len(scores), generator=torch.Generator().manual_seed(seed)) < 0.4
    likes[0], likes[-1] = True, False
    table = torch.tensor([scores])

    auc, precision, _ = measuring.rank_figures(table, likes[None])

    truth, given_scores = likes.numpy(), np.array(scores, dtype=np.float32)
    assert float(auc) == pytest.approx(roc_auc_score(truth, given_scores), abs=1e-6)
    assert float(precision) == pytest.approx(average_precision_score(truth, given_scores), abs=1e-6)


def test_recall_counts_what_is_among_the_first_out_of_what_could_be() -> None:
    table = torch.arange(10.0, 0.0, -1.0)[None]
    likes = torch.zeros(1, 10, dtype=torch.bool)
    likes[0, [0, 2, 7, 8]] = True

    assert float(measuring.rank_figures(table, likes, top=3)[2]) == pytest.approx(2 / 3)
    assert float(measuring.rank_figures(table, likes, top=9)[2]) == pytest.approx(1.0)


def test_a_listener_who_heard_all_or_nothing_has_no_figures_and_does_not_count() -> None:
    rows = [(0, 0), (1, 0), (1, 1), (1, 2)]
    user, song = torch.tensor(rows).T
    histories = Histories.of(["a", "b", "c"], ["x", "y", "z"], user, song, torch.ones(4))
    table = torch.tensor([[0.3, 0.1, -0.2]] * 3)

    ranking = measuring.ranking(table, histories, users=torch.arange(3), songs=torch.arange(3))

    assert (ranking.listeners, ranking.songs, ranking.auc, ranking.pr_auc, ranking.recall) == (1, 3, 1.0, 1.0, 1.0)
    assert ranking.heard == pytest.approx(1 / 3)
    assert ranking.liked == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="expected somebody who listened to some of 3 songs held out, got nobody"):
        measuring.ranking(table[:1], histories, users=torch.tensor([2]), songs=torch.arange(3))


def test_the_spread_is_the_tenth_and_ninetieth_percentile_of_the_listeners() -> None:
    histories = listening_files.histories()
    users, songs = torch.arange(30), torch.arange(0, 300, 3)
    table = torch.randn(30, 100, generator=torch.Generator().manual_seed(0))
    each, _, _ = measuring.rank_figures(table, measuring.listened(histories, users=users, songs=songs))

    ranking = measuring.ranking(table, histories, users=users, songs=songs)

    assert ranking.auc == pytest.approx(float(each.mean()), abs=1e-6)
    assert ranking.auc_low == pytest.approx(float(each.quantile(0.1)), abs=1e-6)
    assert ranking.auc_high == pytest.approx(float(each.quantile(0.9)), abs=1e-6)


@pytest.mark.parametrize("aggregation", ["gating", "cross-attention"])
def test_scores_in_parts_are_the_cosines(aggregation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_SONGS_AT_ONCE", 7)
    config = AlignerConfig(
        users=4,
        layers=small_world.LAYERS,
        dim=small_world.DIM,
        aggregation=aggregation,  # type: ignore[arg-type]
    )
    aligner, rows = AlignerV2(config, seed=1).eval(), torch.arange(2, 32)

    table = measuring.scores(aligner, aligner.reference_users(), MemorySongs(small_world.songs().embeddings), rows)

    expected = aligner.cosines(aligner.reference_users(), small_world.songs().embeddings[rows])
    torch.testing.assert_close(table, expected.detach())


def test_who_listened_to_what_is_told_for_any_users_and_songs() -> None:
    histories = listening_files.histories()
    users, songs = torch.tensor([7, 0, 29]), torch.tensor([200, 3, 4, 150])
    table = measuring.listened(histories, users=users, songs=songs)

    for row, user in enumerate(users.tolist()):
        there = set(histories.of_user(user)[0].tolist())
        assert table[row].tolist() == [song in there for song in songs.tolist()]


def test_a_newcomer_of_whom_nothing_is_known_is_the_mean_reference_listener() -> None:
    config = AlignerConfig(users=4, layers=small_world.LAYERS, dim=small_world.DIM, emb_size=5)
    aligner = AlignerV2(config, seed=1).eval().requires_grad_(False)
    silent = listening_files.histories().keep_users(torch.arange(30) < 2)
    empty = torch.zeros(0, dtype=torch.int64)
    nothing = Histories(silent.users, silent.songs, empty, empty, torch.zeros(0))
    source, rows = MemorySongs(small_world.songs().embeddings), torch.arange(400)

    embedded = newcomers.embed(aligner, nothing, source, rows, known=5, negatives=4, weights="log", seed=0)

    torch.testing.assert_close(embedded, aligner.user_table.mean(dim=0).expand(2, -1))


def test_newcomers_leave_the_aligner_as_it_is() -> None:
    config = AlignerConfig(users=4, layers=small_world.LAYERS, dim=small_world.DIM, emb_size=5)
    aligner = AlignerV2(config, seed=1).eval().requires_grad_(False)
    before = {name: value.clone() for name, value in aligner.state_dict().items()}
    source, rows = MemorySongs(small_world.songs().embeddings), torch.arange(400)
    few = listening_files.histories().keep_users(torch.arange(30) < 5)
    first, second = (
        newcomers.embed(aligner, few, source, rows, known=20, negatives=4, weights="log", seed=3) for _ in range(2)
    )

    assert torch.equal(first, second)
    assert bool(first.isfinite().all())
    assert all(torch.equal(value, before[name]) for name, value in aligner.state_dict().items())
