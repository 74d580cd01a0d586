"""A store of song embeddings: one folder, read where it is needed and never whole.

    embeddings.npy    float16 [N, layers, dim], an ordinary NumPy file
    ids.json          the ids of the N songs, in that order
    about.json        encoder, model, layers, dim, seconds, what else its maker noted, and whether it is complete
    written.jsonl     what was written and what skipped, one line each: a store that is not complete goes on from there

Half precision has 11 significant bits: each number is off by at most 0.05 % (below 6e-5, by at most 3e-8).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models_store.aligner.store_writer import ABOUT, EMBEDDINGS, HEADER, IDS, About, StoreWriter, read_json

_BLOCK = 1024


class SongStore:
    """Embeddings of N songs on disk. `SongStore.open` opens one, `SongStore.writer` makes one.

    ids: of the N songs. about: what about.json says.
    """

    def __init__(
        self, folder: Path, ids: tuple[str, ...], about: Mapping[str, Any], embeddings: npt.NDArray[np.float16]
    ) -> None:
        self.folder, self.ids, self.about = folder, ids, dict(about)
        self._embeddings = embeddings
        with (folder / EMBEDDINGS).open("rb") as file:
            self._pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._row_of = {name: row for row, name in enumerate(ids)}
        if len(self._row_of) != len(ids):
            raise ValueError(f"{folder / IDS}: expected each id once, some are there twice")

    @classmethod
    def open(cls, folder: Path | str) -> SongStore:
        """A complete store; nothing but its ids is read.

        Raises ValueError, with the path, for what is not a store, not complete, cut short, or contradicts itself.
        """
        folder = Path(folder)
        if not (folder / ABOUT).is_file():
            raise ValueError(f"{folder}: expected a store of embeddings, there is no {ABOUT} in it")
        about = read_json(folder / ABOUT, dict)
        if about.get("complete") is not True:
            raise ValueError(f"{folder}: expected a complete store; this one was not finished: run what made it again")
        ids = read_json(folder / IDS, list)
        if not all(isinstance(name, str) for name in ids):
            raise ValueError(f"{folder / IDS}: expected a list of strings")
        path = folder / EMBEDDINGS
        try:
            embeddings = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"{path}: expected a whole NumPy file, cannot map it: {error}") from error
        expected = (len(ids), about.get("layers"), about.get("dim"))
        if embeddings.shape != expected or embeddings.dtype != np.float16:
            raise ValueError(
                f"{path}: expected float16 {expected}, as {ABOUT} and {IDS} say, "
                f"got {embeddings.dtype} {embeddings.shape}"
            )
        return cls(folder, tuple(ids), about, embeddings)

    @classmethod
    def writer(
        cls,
        folder: Path | str,
        *,
        layers: int,
        dim: int,
        encoder: str,
        model: str = "",
        seconds: float | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> StoreWriter:
        """Begin a store, or go on with one. Embeddings are added in batches, in any order; see StoreWriter.

        seconds: how much of each song is heard; None: all of it. notes: plain values to keep in about.json.
        """
        return StoreWriter(folder, About(layers, dim, encoder, model, seconds, dict(notes or {})))

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, song: object) -> bool:
        return song in self._row_of

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process maps the file itself: a pickled memory map is a copy of all of it.
        return SongStore.open, (self.folder,)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, layers, dim)."""
        songs, layers, dim = self._embeddings.shape
        return songs, layers, dim

    def rows(self, ids: Sequence[str]) -> Tensor:
        """Where these songs are: int64 [n]. Raises ValueError for a song that is not here."""
        try:
            return torch.tensor([self._row_of[name] for name in ids], dtype=torch.int64)
        except KeyError as error:
            raise ValueError(f"{self.folder}: expected songs of this store, got {error.args[0]!r}") from error

    def take(self, indices: Tensor | Sequence[int]) -> Tensor:
        """The embeddings of these rows, in their order, twice where a row is asked for twice: float32 [n, layers, dim].

        Raises ValueError for a row that is not there and for embeddings that are not finite.
        """
        wanted = torch.as_tensor(indices, dtype=torch.int64).cpu().numpy()
        if wanted.ndim != 1 or (len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self)):
            raise ValueError(f"{self.folder}: expected rows [n] in 0 to {len(self) - 1}, got {wanted}")
        self._announce(wanted)
        return self._finite(torch.from_numpy(self._embeddings[wanted]).float())  # [n, layers, dim]

    def blocks(self, *, size: int = _BLOCK) -> Iterator[tuple[int, Tensor]]:
        """All of it in order, piece by piece: (first row, float32 [<= size, layers, dim])."""
        for start in range(0, len(self), size):
            yield start, self._finite(torch.from_numpy(self._embeddings[start : start + size].copy()).float())

    def _announce(self, wanted: npt.NDArray[np.int64]) -> None:
        """Have the system read these rows all at once, not page by page as they are touched."""
        if not hasattr(self._pages, "madvise"):  # Windows
            return
        size = self._embeddings.nbytes // len(self)
        for row in wanted.tolist():
            start = HEADER + row * size
            first = start - start % mmap.PAGESIZE
            self._pages.madvise(mmap.MADV_WILLNEED, first, start + size - first)

    def _finite(self, embeddings: Tensor) -> Tensor:
        # A sum of half precision numbers fits into float32, and tells of NaN at a tenth of the time of looking at each.
        if not bool(embeddings.sum().isfinite()):
            raise ValueError(f"{self.folder / EMBEDDINGS}: expected finite embeddings, some are not numbers")
        return embeddings
