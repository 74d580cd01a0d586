"""Maps: reference listeners and songs, which share one space, in two dimensions.

On every map what is near is alike; only on PCA's do distances and directions mean the same everywhere. t-SNE and UMAP
keep neighbourhoods and bend the rest: how far two groups lie apart, and how large they are, says nothing there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Method = Literal["pca", "tsne", "umap"]
METHODS: tuple[Method, ...] = get_args(Method)

_PERPLEXITY = 30.0
_NEIGHBOURS = 15
_START_SPREAD = 1e-4
"""Standard deviation of the first axis at the start: Kobak and Berens (2019), The art of using t-SNE, section 2.2."""


class MissingLibraryError(ValueError):
    """A method's library is not installed; the message says which and how to get it."""


@dataclass(frozen=True)
class Map:
    """Places on a map, each [n, 2] and centred on the reference listeners and songs.

    marks: whatever was to be marked, listeners for instance.
    shares: PCA's: which share of the variance each axis has; None for the other methods.
    """

    method: Method
    users: Points
    songs: Points
    marks: Points
    shares: tuple[float, float] | None


def draw(
    users: Points, songs: Points, marks: Points | None = None, *, method: Method, seed: int, centred: bool = True
) -> Map:
    """Place reference listeners [U, projection], songs [S, projection] and marks [M, projection].

    All in the aligner's common space, of unit norm; at least one listener and one song, and three together. PCA takes
    its axes from listeners and songs; t-SNE and UMAP place everything at once, by cosine distance, from PCA's places.
    marks: listeners, too; none: None.
    seed: of what t-SNE and UMAP draw; PCA draws nothing. The same input and seed give the same map.
    centred: listeners and songs each about their own mean: who is near a song likes it more than others do. As they
        are, the mean listener and the mean song lie far apart (most songs are not liked), and so do the two clouds.
    Raises ValueError for other shapes and for what is not finite, MissingLibraryError where a library is not there.
    """
    marks = np.zeros((0, users.shape[-1])) if marks is None else marks
    _check(users, songs, marks, method)
    if centred:
        users, songs, marks = users - users.mean(axis=0), songs - songs.mean(axis=0), marks - users.mean(axis=0)
    known = np.concatenate([users, songs])  # [U + S, projection]
    axes, centre, shares = _principal_axes(known)
    everything = np.concatenate([known, marks])  # [U + S + M, projection]
    flat = (everything - centre) @ axes.T  # [U + S + M, 2]
    if method != "pca":
        start = flat / max(float(flat[:, 0].std()), 1e-12)
        flat = _PLACED_BY[method](everything, start, seed)
        flat = flat - flat[: len(known)].mean(axis=0)
    placed_users, placed_songs, placed_marks = np.split(flat, (len(users), len(known)))
    return Map(method, placed_users, placed_songs, placed_marks, shares=shares if method == "pca" else None)


def _check(users: Points, songs: Points, marks: Points, method: Method) -> None:
    if method not in METHODS:
        raise ValueError(f"draw: expected one of {', '.join(METHODS)}, got {method!r}")
    for name, points in (("users", users), ("songs", songs), ("marks", marks)):
        if points.ndim != 2 or points.shape[1] != users.shape[-1]:
            raise ValueError(f"draw: {name}: expected [n, {users.shape[-1]}], got shape {points.shape}")
        if not np.isfinite(points).all():
            raise ValueError(f"draw: {name}: expected finite numbers, some are not")
    if not len(users) or not len(songs) or len(users) + len(songs) < 3 or users.shape[1] < 2:
        raise ValueError(
            "draw: expected at least one listener and one song, three together, in at least 2 dimensions, "
            f"got {len(users)} and {len(songs)} in {users.shape[1]}"
        )


def _principal_axes(points: Points) -> tuple[Points, Points, tuple[float, float]]:
    """The two principal axes [2, projection], the centre [projection], and their shares of the variance."""
    centre = points.mean(axis=0)
    _, sizes, axes = np.linalg.svd(points - centre, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2][range(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]  # SVD leaves the sign open
    total = float((sizes**2).sum())
    shares = sizes[:2] ** 2 / total if total > 0 else np.zeros(2)
    return axes, centre, (float(shares[0]), float(shares[1]))


def _tsne(points: Points, start: Points, seed: int) -> Points:
    """van der Maaten and Hinton (2008)."""
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise MissingLibraryError(_missing("tsne", "scikit-learn")) from error
    placed: Points = TSNE(
        init=start * _START_SPREAD,
        perplexity=min(_PERPLEXITY, (len(points) - 1) / 3),
        metric="cosine",
        random_state=seed,
        n_jobs=1,
    ).fit_transform(points.astype(np.float32))
    return placed.astype(np.float64)


def _umap(points: Points, start: Points, seed: int) -> Points:
    """McInnes, Healy and Melville (2018)."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise MissingLibraryError(_missing("umap", "umap-learn")) from error
    placed: Points = UMAP(
        init=(10.0 * start).astype(np.float32),
        n_neighbors=min(_NEIGHBOURS, len(points) - 1),
        metric="cosine",
        random_state=seed,
        n_jobs=1,
    ).fit_transform(points.astype(np.float32))
    return placed.astype(np.float64)


def _missing(method: str, library: str) -> str:
    return (
        f"{method}: the library {library} is not installed: `pip install 'evomusic[maps]'`, or choose "
        f"{' or '.join(other for other in METHODS if other != method)}"
    )


_PLACED_BY: Mapping[str, Callable[[Points, Points, int], Points]] = {"tsne": _tsne, "umap": _umap}
