from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from laboratory import plots, taste_plots
from models_store.aligner import maps

KINDS = ("follower", "hater", "", "follower")
GENRES = (*(f"genre {number % 11:02}" for number in range(33)), "genre 00", "")


@pytest.fixture
def drawn():
    rng = np.random.default_rng(4)
    users, songs = rng.normal(size=(4, 6)), rng.normal(size=(35, 6))
    return maps.draw(users, songs, users[:1], method="pca", seed=1)


def counted(axes):
    """Legend text -> how many points of that look are drawn."""
    return {text.get_text() for text in axes.get_legend().get_texts()}


def test_kinds_and_genres_are_told_apart_and_counted(drawn):
    left, right = taste_plots.picture(drawn, kinds=KINDS, genres=GENRES, marks=["listener 7"]).axes
    assert counted(left) == {"others (1)", "follower (2)", "hater (1)"}
    assert "genre 00 (4)" in counted(right)
    assert len(counted(right)) == len(taste_plots.COLOURS) + 1  # the most frequent, and the others
    total = sum(int(text.rsplit("(", 1)[1][:-1]) for text in counted(right))
    assert total == 35


def test_what_is_drawn_is_where_the_map_says(drawn):
    left, right = taste_plots.picture(drawn, kinds=KINDS, genres=GENRES, marks=["listener 7"]).axes
    behind = left.collections[0].get_offsets()
    assert np.allclose(behind, drawn.songs)
    assert np.allclose(right.collections[0].get_offsets(), drawn.users)
    assert np.allclose(left.collections[-1].get_offsets(), drawn.marks)
    assert [text.get_text() for text in left.texts] == ["listener 7"]
    assert left.get_xlim() == right.get_xlim()
    assert "%" in left.get_xlabel()


def test_without_names_all_are_of_one_colour(drawn):
    left, right = taste_plots.picture(drawn, kinds=("",) * 4, genres=("",) * 35, marks=["x"]).axes
    assert counted(left) == {"all (4)"}
    assert counted(right) == {"all (35)"}


def test_a_picture_is_the_same_every_time_and_fits_the_page(drawn, tmp_path):
    for name in ("first.png", "second.png"):
        plots.save(taste_plots.picture(drawn, kinds=KINDS, genres=GENRES, marks=["x"]), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    with Image.open(tmp_path / "first.png") as image:
        assert image.size == (1560, 975)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"kinds": KINDS[:3], "genres": GENRES, "marks": ["x"]}, "expected 4 kinds, got 3"),
        ({"kinds": KINDS, "genres": (), "marks": ["x"]}, "expected 35 genres, got 0"),
        ({"kinds": KINDS, "genres": GENRES}, "expected 1 marks, got 0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(drawn, labels, reason):
    with pytest.raises(ValueError, match=reason):
        taste_plots.picture(drawn, **labels)
