from __future__ import annotations

import sys

import numpy as np
import pytest

from models_store.aligner import maps

GROUPS, EACH = 3, 15


@pytest.fixture
def songs():
    """Three kinds of song around three directions, of unit length."""
    return around(np.eye(8)[:GROUPS], seed=1)


@pytest.fixture
def users():
    """Three kinds of listener that like one kind of song each, moved off to one side."""
    return around(np.eye(8)[:GROUPS] + 2.0 * np.eye(8)[7], seed=2)


def around(directions, *, seed):
    drawn = np.repeat(directions, EACH, axis=0)
    drawn = drawn + 0.05 * np.random.default_rng(seed).normal(size=drawn.shape)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def grouped(placed, centres=None):
    """How many places are nearest to the middle of their own group."""
    middles = placed.reshape(GROUPS, EACH, 2).mean(axis=1) if centres is None else centres
    nearest = np.linalg.norm(placed[:, None] - middles[None], axis=2).argmin(axis=1)
    return int((nearest == np.repeat(np.arange(GROUPS), EACH)).sum())


def available(method):
    if method == "umap":
        pytest.importorskip("umap")
    if method == "tsne":
        pytest.importorskip("sklearn")
    return method


@pytest.fixture(params=maps.METHODS)
def method(request):
    return available(request.param)


def test_groups_stay_together_and_the_same_seed_gives_the_same_map(users, songs, method):
    drawn = maps.draw(users, songs, users[:2], method=method, seed=3)
    assert (drawn.users.shape, drawn.songs.shape, drawn.marks.shape) == ((45, 2), (45, 2), (2, 2))
    assert grouped(drawn.users) == 45
    assert grouped(drawn.songs) == 45
    again = maps.draw(users, songs, users[:2], method=method, seed=3)
    for name in ("users", "songs", "marks"):
        assert np.array_equal(getattr(drawn, name), getattr(again, name))


def test_nothing_drawn_touches_the_global_generator(users, songs, method):
    before = np.random.get_state()[1].copy()
    maps.draw(users, songs, method=method, seed=3)
    assert np.array_equal(before, np.random.get_state()[1])


def test_listeners_stand_by_the_songs_they_like_when_both_are_centred(users, songs):
    centred = maps.draw(users, songs, method="pca", seed=1)
    middles = centred.songs.reshape(GROUPS, EACH, 2).mean(axis=1)
    assert grouped(centred.users, middles) == 45
    apart = maps.draw(users, songs, method="pca", seed=1, centred=False)
    between = np.linalg.norm(apart.users.mean(axis=0) - apart.songs.mean(axis=0))
    assert between > 5 * np.linalg.norm(centred.users.mean(axis=0) - centred.songs.mean(axis=0)) + 0.5


def test_a_mark_stands_where_a_listener_of_the_same_vector_stands(users, songs):
    drawn = maps.draw(users, songs, users[4:6], method="pca", seed=1)
    assert np.allclose(drawn.marks, drawn.users[4:6])
    assert drawn.shares is not None
    assert 1.0 >= drawn.shares[0] >= drawn.shares[1] >= 0.0


def test_pca_draws_nothing(users, songs):
    first, second = (maps.draw(users, songs, method="pca", seed=seed) for seed in (1, 2))
    assert np.array_equal(first.songs, second.songs)


def test_few_points_and_points_that_are_all_the_same_can_be_placed(users, songs, method):
    few = maps.draw(users[:2], songs[:2], method=method, seed=1)
    assert np.isfinite(few.users).all()
    same = maps.draw(np.repeat(users[:1], 5, axis=0), songs[:20], users[:1], method=method, seed=1)
    assert np.isfinite(same.songs).all()
    assert np.isfinite(same.marks).all()


def test_bad_input_is_refused(users, songs):
    broken = songs.copy()
    broken[3, 2] = np.nan
    for arguments, reason in (
        ((users, songs[:, :5]), r"songs: expected \[n, 8\], got shape \(45, 5\)"),
        ((users, songs, users[0]), "marks: expected"),
        ((users, broken), "songs: expected finite numbers"),
        ((users[:1], songs[:1]), "got 1 and 1 in 8"),
        ((users[:0], songs), "got 0 and 45 in 8"),
    ):
        with pytest.raises(ValueError, match=reason):
            maps.draw(*arguments, method="pca", seed=1)
    with pytest.raises(ValueError, match="expected one of pca, tsne, umap, got 'mds'"):
        maps.draw(users, songs, method="mds", seed=1)


@pytest.mark.parametrize(
    ("method", "module", "library"), [("umap", "umap", "umap-learn"), ("tsne", "sklearn.manifold", "scikit-learn")]
)
def test_a_missing_library_is_named_with_how_to_get_it(users, songs, monkeypatch, method, module, library):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(maps.MissingLibraryError, match=f"{library} is not installed: .*evomusic.maps.*or choose pca"):
        maps.draw(users, songs, method=method, seed=1)
