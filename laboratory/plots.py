"""The plots of a run as PNG files. Drawn by matplotlib's Agg: no window, no global state, any thread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Points = NDArray[np.float64]

DPI = 130
COLOURS = {"best": "#0072B2", "mean": "#D55E00", "median": "#CC79A7", "worst": "#666666"}
"""Okabe and Ito's, which colour-blind people tell apart (jfly.uni-koeln.de/color); each line has its own dashes too."""
MARKS = ("#D55E00", "#CC79A7", "#000000", "#666666")
DASHES = {"best": "-", "mean": "--", "median": "-.", "worst": ":"}
AGREEMENT = {
    "spearman": "Spearman correlation of the scores",
    "auc": "AUC of likes and dislikes",
    "cosine": "cosine of the scores",
    "embedding_cosine": "cosine of the embeddings",
}
ERRORS = {"loss": "loss", "absolute_error": "absolute error", "squared_error": "squared error"}
SPREADS = {"spread": "learned", "true_spread": "true"}


def fitness(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Best, mean, median and worst fitness over the generations of a run: rows with these keys and `round`."""
    figure, (axes,) = _figure("Fitness over the generations")
    steps = range(1, len(history) + 1)
    for name, colour in COLOURS.items():
        values = [row[name] for row in history]
        axes.plot(steps, values, DASHES[name], color=colour, label=name, marker="o", markersize=3)
    _mark_rounds(axes, history)
    _label(axes, "generation", "fitness")
    axes.legend()
    return figure


def parts(history: Sequence[Mapping[str, Any]]) -> Figure:
    """What the fitness is made of, apart: mean likeness above, mean artefacts below."""
    figure, panels = _figure("Likeness and artefacts (means of the population)", rows=2)
    steps = range(1, len(history) + 1)
    for axes, name, colour in zip(panels, ("likeness", "artefacts"), ("#0072B2", "#D55E00"), strict=True):
        axes.plot(steps, [row[name] for row in history], color=colour, marker="o", markersize=3)
        _mark_rounds(axes, history)
        _label(axes, "generation", name)
    return figure


def learning(figures: Sequence[Mapping[str, Any]]) -> Figure:
    """How well the taste was learned, round by round: agreement with the truth, errors, spread of the scores."""
    figure, panels = _figure("How well the taste was learned", rows=3)
    rounds = [row["round"] for row in figures]
    titles = ("agreement with the truth", "error", "spread of the scores")
    for axes, names, title in zip(panels, (AGREEMENT, ERRORS, SPREADS), titles, strict=True):
        for name, label in names.items():
            if any(row.get(name) is not None for row in figures):
                values = [math.nan if row.get(name) is None else row[name] for row in figures]
                axes.plot(rounds, values, label=label, marker="o", markersize=4)
        _label(axes, "round", title)
        if axes.lines:
            axes.legend(fontsize="small")
    return figure


def taste_map(songs: Points, steps: Sequence[int], users: Mapping[str, Points]) -> Figure:
    """Songs and user vectors on the two principal axes of the songs.

    songs: [N, projection], unit length, N >= 2. steps: the generation of each song, counted through the run, from 1.
    users: name -> [projection] in the same space; drawn at the same scale as the songs.
    Raises ValueError for fewer than two songs or another number of steps.
    """
    if len(songs) < 2 or len(songs) != len(steps):
        raise ValueError(f"taste_map: expected a step for each of at least 2 songs, got {len(songs)} and {len(steps)}")
    placed, axes_of, centre, shares = _principal(songs)
    figure, (axes,) = _figure("Taste map: candidates by generation")
    dots = axes.scatter(placed[:, 0], placed[:, 1], c=list(steps), cmap="viridis", s=16, alpha=0.8)
    bar = figure.colorbar(dots, ax=axes, label="generation")
    bar.locator = MaxNLocator(integer=True)
    bar.update_ticks()
    for (name, user), marker, colour in zip(users.items(), "*DPX", MARKS, strict=False):
        x, y = (user - centre) @ axes_of.T
        size = 220 if marker == "*" else 90
        axes.scatter([x], [y], marker=marker, s=size, color=colour, edgecolors="white", label=name, zorder=3)
    if users:
        axes.legend()
    _label(axes, f"first axis ({shares[0]:.0%} of the variance)", f"second axis ({shares[1]:.0%})")
    axes.xaxis.set_major_locator(MaxNLocator())
    axes.set_aspect("equal", adjustable="datalim")
    return figure


def save(figure: Figure, file: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    draft = file.with_name(f".{file.name}.draft")
    FigureCanvasAgg(figure).print_png(draft, metadata={"Software": "EvoMusic"})
    draft.replace(file)


def _principal(songs: Points) -> tuple[Points, Points, Points, Points]:
    """Places [N, 2], axes [2, projection], centre [projection] and shares of the variance [2] (PCA by SVD)."""
    centre = songs.mean(axis=0)
    _, sizes, axes = np.linalg.svd(songs - centre, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2][range(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]  # SVD leaves the sign open
    total = float((sizes**2).sum())
    shares = sizes[:2] ** 2 / total if total > 0 else np.zeros(2)
    return (songs - centre) @ axes.T, axes, centre, shares


def _figure(title: str, *, rows: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(8.0, 3.2 * rows + 1.6), dpi=DPI, layout="constrained")
    figure.suptitle(title)
    return figure, [figure.add_subplot(rows, 1, row + 1) for row in range(rows)]


def _label(axes: Axes, horizontal: str, vertical: str) -> None:
    axes.set_xlabel(horizontal)
    axes.set_ylabel(vertical)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, alpha=0.3)


def _mark_rounds(axes: Axes, history: Sequence[Mapping[str, Any]]) -> None:
    """A line between two rounds: the taste, and with it the scale, may have changed there."""
    for step, (before, after) in enumerate(pairwise(history), start=1):
        if before["round"] != after["round"]:
            axes.axvline(step + 0.5, color="#999999", linewidth=0.8)
