"""Maps of reference listeners and songs as pictures. Drawn by matplotlib's Agg: no window, any thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from laboratory.plots import DPI
from models_store.aligner.maps import Map, Points

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442", "#000000")
"""Okabe and Ito's, which colour-blind people tell apart (jfly.uni-koeln.de/color)."""
SHAPES = ("o", "s", "^", "v", "D", "P", "X", "*")
"""One for each colour: groups are told apart without colours, too."""
OTHERS = "others"
_OTHERS_COLOUR = "#BBBBBB"
_MARK_COLOUR = "#B0246A"

NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


def picture(drawn: Map, *, kinds: Sequence[str], genres: Sequence[str], marks: Sequence[str] = ()) -> Figure:
    """Listeners and songs side by side on the same map; marks stand in both.

    kinds: of each reference listener; genres: of each song; what is "" has none. Those of which there are most get a
    colour and a shape. marks: a name for each of the map's marks.
    Raises ValueError for another number of any of them.
    """
    for name, labels, points in (
        ("kinds", kinds, drawn.users),
        ("genres", genres, drawn.songs),
        ("marks", marks, drawn.marks),
    ):
        if len(labels) != len(points):
            raise ValueError(f"picture: expected {len(points)} {name}, got {len(labels)}")
    figure = Figure(figsize=(12.0, 7.5), dpi=DPI)
    figure.suptitle(f"Reference listeners and songs ({NAMES[drawn.method]})")
    left, right = (figure.add_axes((x, 0.2, 0.43, 0.688)) for x in (0.06, 0.55))  # squares, room for the legends
    _panel(left, drawn.users, kinds, behind=drawn.songs, title=f"{len(kinds)} reference listeners, songs in grey")
    _panel(right, drawn.songs, genres, behind=drawn.users, title=f"{len(genres)} songs, reference listeners in grey")
    for axes in (left, right):
        _mark(axes, drawn.marks, marks)
        _label(axes, drawn)
    return figure


def _panel(axes: Axes, points: Points, labels: Sequence[str], *, behind: Points, title: str) -> None:
    axes.set_title(title, fontsize="medium")
    axes.scatter(behind[:, 0], behind[:, 1], s=6, color="#DDDDDD", zorder=1, rasterized=True)
    named = [label for label, _ in Counter(label for label in labels if label).most_common(len(COLOURS))]
    named.sort()
    legend = []
    looks = [(OTHERS, "o", _OTHERS_COLOUR if named else COLOURS[0])]
    looks += list(zip(named, SHAPES, COLOURS, strict=False))
    for name, shape, colour in looks:
        chosen = [place for place, label in enumerate(labels) if (label if label in named else OTHERS) == name]
        if chosen:
            axes.scatter(points[chosen, 0], points[chosen, 1], s=16, marker=shape, color=colour, alpha=0.75, zorder=2)
            text = f"{name} ({len(chosen)})" if named else f"all ({len(chosen)})"
            legend.append(Line2D([], [], linestyle="", marker=shape, color=colour, label=text))
    axes.legend(handles=legend, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)


def _mark(axes: Axes, points: Points, names: Sequence[str]) -> None:
    for (x, y), name in zip(points, names, strict=True):
        axes.scatter([x], [y], s=150, marker="*", color=_MARK_COLOUR, edgecolors="white", zorder=4)
        axes.annotate(
            name, (x, y), xytext=(6, 5), textcoords="offset points", fontsize="small", zorder=5, color=_MARK_COLOUR
        )


def _label(axes: Axes, drawn: Map) -> None:
    if drawn.shares is None:
        axes.set_xticks([])
        axes.set_yticks([])
    else:
        axes.set_xlabel(f"first axis ({drawn.shares[0]:.0%} of the variance)")
        axes.set_ylabel(f"second axis ({drawn.shares[1]:.0%})")
        axes.grid(visible=True, alpha=0.3)
    everything = np.concatenate([drawn.users, drawn.songs, drawn.marks])
    low, high = everything.min(axis=0), everything.max(axis=0)
    half = max(0.54 * float((high - low).max()), 1e-9)  # both panels show the same square
    axes.set_xlim(*((low + high)[0] / 2 + np.array([-half, half])))
    axes.set_ylim(*((low + high)[1] / 2 + np.array([-half, half])))
    axes.set_aspect("equal")
