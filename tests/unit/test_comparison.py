"""Estimated against true scores."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from models_store.aligner.model import AlignerConfig, AlignerV2
from models_store.taste.base import reference_taste
from models_store.taste.comparison import agreement, compare

scores = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=40)


@given(scores, st.integers(0, 2**31))
def test_rank_correlation_and_auc_are_those_of_the_textbook(values, seed):
    true = torch.tensor(values)
    estimated = torch.rand(len(values), generator=torch.Generator().manual_seed(seed)).round(decimals=1)
    found = agreement(estimated, true)
    if estimated.unique().numel() > 1 and true.unique().numel() > 1:
        assert found.spearman == pytest.approx(spearmanr(estimated, true).statistic, abs=1e-6)
    if 0 < int((true > 0).sum()) < len(true):
        assert found.auc == pytest.approx(roc_auc_score(true > 0, estimated))


def test_the_true_scores_agree_with_themselves():
    true = torch.tensor([0.4, -0.2, 0.1, -0.7])
    found = agreement(true, true)
    assert (found.spearman, found.auc, found.cosine) == pytest.approx((1.0, 1.0, 1.0))


def test_turned_round_scores_agree_least():
    true = torch.tensor([0.4, -0.2, 0.1, -0.7])
    found = agreement(-true, true)
    assert (found.spearman, found.auc, found.cosine) == pytest.approx((-1.0, 0.0, -1.0))


def test_scores_that_tell_nothing_apart_are_worth_a_guess():
    found = agreement(torch.ones(4), torch.tensor([0.4, -0.2, 0.1, -0.7]))
    assert (found.spearman, found.auc) == (0.0, 0.5)


def test_scores_of_other_songs_are_refused():
    with pytest.raises(ValueError, match="one length"):
        agreement(torch.ones(3), torch.ones(4))


def test_a_taste_compared_with_itself_is_perfect_and_with_another_is_not():
    aligner = AlignerV2(AlignerConfig(users=3, layers=2, dim=6, emb_size=8, hidden=16, projection=8), seed=3)
    songs = torch.randn(30, aligner.config.layers, aligner.config.dim, generator=torch.Generator().manual_seed(0))
    first, second = reference_taste(aligner, 0), reference_taste(aligner, 1)
    same, other = compare(first, first, songs), compare(first, second, songs)
    assert same["spearman"] == pytest.approx(1.0)
    assert same["absolute_error"] == same["squared_error"] == 0.0
    assert same["embedding_cosine"] == pytest.approx(1.0)
    assert other["spearman"] < 0.99
    assert other["squared_error"] > 0
