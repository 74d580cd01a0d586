from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from laboratory import plots

HISTORY = [
    {"round": 1, "best": 0.1, "mean": 0.0, "median": -0.1, "worst": -0.5, "likeness": 0.2, "artefacts": 0.3},
    {"round": 2, "best": 0.3, "mean": 0.1, "median": 0.05, "worst": -0.4, "likeness": 0.3, "artefacts": 0.2},
    {"round": 2, "best": 0.6, "mean": 0.2, "median": 0.25, "worst": -0.3, "likeness": 0.4, "artefacts": 0.1},
]


def lines(axes):
    """Label -> heights of the lines that show something."""
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) > 2}


def test_the_fitness_plot_shows_best_mean_median_and_worst():
    (axes,) = plots.fitness(HISTORY).axes
    drawn = lines(axes)
    assert set(drawn) == {"best", "mean", "median", "worst"}
    assert drawn["best"] == [0.1, 0.3, 0.6]
    assert drawn["worst"] == [-0.5, -0.4, -0.3]
    assert len({line.get_linestyle() for line in axes.lines[:4]}) == 4  # told apart without colours, too


def test_a_line_marks_where_a_round_begins():
    (axes,) = plots.fitness(HISTORY).axes
    marks = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 2]
    assert marks == [1.5]


def test_likeness_and_artefacts_are_shown_apart():
    above, below = plots.parts(HISTORY).axes
    assert list(above.lines[0].get_ydata()) == [0.2, 0.3, 0.4]
    assert list(below.lines[0].get_ydata()) == [0.3, 0.2, 0.1]
    assert (above.get_ylabel(), below.get_ylabel()) == ("likeness", "artefacts")


def test_figures_that_a_round_has_not_leave_a_gap():
    figures = [{"round": 1, "loss": 0.5, "spread": 0.1}, {"round": 2, "loss": 0.4, "spread": 0.2, "spearman": 0.7}]
    agreement, error, spread = plots.learning(figures).axes
    (line,) = agreement.lines
    assert line.get_label() == "Spearman correlation of the scores"
    assert math.isnan(line.get_ydata()[0])
    assert line.get_ydata()[1] == 0.7
    assert [line.get_label() for line in error.lines] == ["loss"]
    assert [line.get_label() for line in spread.lines] == ["learned"]


@pytest.fixture
def songs():
    """Forty songs of unit length that spread in the third direction the most, then in the first."""
    rng = np.random.default_rng(3)
    drawn = rng.normal(size=(40, 6)) * np.array([0.5, 0.05, 2.0, 0.05, 0.05, 0.05]) + np.array([0, 0, 0, 1, 0, 0])
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_the_taste_map_shows_songs_along_their_widest_direction(songs):
    figure = plots.taste_map(songs, [1] * 20 + [2] * 20, {})
    placed = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert placed.shape == (40, 2)
    along = np.corrcoef(placed[:, 0], songs[:, 2])[0, 1]
    assert abs(along) > 0.99
    assert placed.var(axis=0)[0] > placed.var(axis=0)[1]


def test_a_user_stands_where_a_song_of_the_same_vector_stands(songs):
    figure = plots.taste_map(songs, list(range(1, 41)), {"true taste": songs[7], "learned taste": songs[9]})
    dots, true, learned = figure.axes[0].collections[:3]
    places = np.asarray(dots.get_offsets())
    assert np.allclose(true.get_offsets(), places[7])
    assert np.allclose(learned.get_offsets(), places[9])
    assert (true.get_label(), learned.get_label()) == ("true taste", "learned taste")


def test_a_taste_map_looks_the_same_every_time(songs, tmp_path):
    for name in ("first.png", "second.png"):
        plots.save(plots.taste_map(songs, [1] * 40, {"true taste": songs[0]}), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_songs_that_are_all_the_same_can_be_drawn(songs, tmp_path):
    plots.save(plots.taste_map(np.repeat(songs[:1], 5, axis=0), [1] * 5, {}), tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (5, 4)])
def test_a_taste_map_of_too_little_is_refused(songs, count, steps):
    with pytest.raises(ValueError, match="expected a step for each of at least 2 songs"):
        plots.taste_map(songs[:count], [1] * steps, {})


def test_a_plot_is_written_whole_or_not_at_all(songs, tmp_path):
    file = tmp_path / "fitness.png"
    plots.save(plots.fitness(HISTORY), file)
    before = file.read_bytes()
    broken = plots.fitness(HISTORY)
    broken.axes[0].set_xlabel("$\\frac{$")
    with pytest.raises(ValueError, match="frac"):
        plots.save(broken, file)
    assert file.read_bytes() == before
