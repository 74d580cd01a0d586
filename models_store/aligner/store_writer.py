"""Writing a store of song embeddings, batch by batch; a writer that was killed goes on where it was.

Embeddings are only ever appended, then noted in the log: what the log does not know of was cut off by a kill, and is
written again. Until `finish` the file's head and ids.json tell of the songs before, so that a complete store that is
added to can be read all the while.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

EMBEDDINGS, IDS, ABOUT, LOG = "embeddings.npy", "ids.json", "about.json", "written.jsonl"
HEADER = 128
"""Bytes before the first embedding: NumPy leaves room for any number of rows in them."""


@dataclass(frozen=True)
class About:
    """What a store holds. seconds: of each song that were heard; None: all. notes: whatever else its maker says."""

    layers: int
    dim: int
    encoder: str
    model: str = ""
    seconds: float | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


class StoreWriter:
    """Appends embeddings to a store. A context manager: leaving it closes the files, `finish` makes the store whole.

    done: id -> its row. skipped: id -> why it has none.
    """

    def __init__(self, folder: Path | str, about: About) -> None:
        """Begin in a folder that is empty or not there, or go on with a store of the same kind, complete or not.

        Raises ValueError for a store that says something else of itself, a broken one, and one that somebody writes.
        """
        if about.layers < 1 or about.dim < 1:
            raise ValueError(f"{folder}: expected at least 1 layer and 1 number, got {about.layers} x {about.dim}")
        self.folder, self.about = Path(folder), about
        self.done: dict[str, int] = {}
        self.skipped: dict[str, str] = {}
        self._logged = 0
        self._row = about.layers * about.dim * np.dtype(np.float16).itemsize
        self.folder.mkdir(parents=True, exist_ok=True)
        known = self.folder / ABOUT
        if not known.is_file() and any(path.name != LOG for path in self.folder.iterdir()):
            raise ValueError(f"{folder}: expected an empty folder or a store, got other files")
        self._log = _opened(self.folder / LOG)
        try:
            _lock(self._log, self.folder)
            if known.is_file():
                self._go_on(known)
            else:
                self._say(complete=False)
            self._log.seek(self._logged)
            self._log.truncate()
            self._embeddings = _opened(self.folder / EMBEDDINGS)
            self._embeddings.truncate(HEADER + len(self.done) * self._row)
            self._embeddings.seek(0, os.SEEK_END)
        except BaseException:
            self._log.close()
            raise

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def __contains__(self, song: object) -> bool:
        """Whether this song was written or skipped."""
        return song in self.done or song in self.skipped

    def add(self, ids: Sequence[str], embeddings: Tensor) -> None:
        """Append the embeddings [n, layers, dim] of n songs. Whoever is killed afterwards has them.

        Raises ValueError for another shape, a song that is there already, and for numbers that are not finite or too
        large for half precision; then none of them is written.
        """
        expected = (len(ids), self.about.layers, self.about.dim)
        if tuple(embeddings.shape) != expected:
            raise ValueError(f"{self.folder}: expected embeddings of shape {expected}, got {tuple(embeddings.shape)}")
        twice = [name for name in ids if name in self.done] or _repeated(ids)
        if twice:
            raise ValueError(f"{self.folder}: expected each song once, got {twice[0]!r} again")
        half = embeddings.detach().cpu().to(torch.float16)
        finite = half.flatten(1).isfinite().all(dim=1)
        if not bool(finite.all()):
            wrong = ids[int((~finite).nonzero()[0])]
            raise ValueError(f"{self.folder}: expected finite numbers within +-65504, song {wrong!r} has others")
        self._embeddings.write(half.contiguous().numpy().tobytes())
        _flush(self._embeddings)
        for name in ids:
            self.skipped.pop(name, None)
            self.done[name] = len(self.done)
        self._note([{"id": name} for name in ids])

    def skip(self, song: str, reason: str) -> None:
        """Note that a song has no embedding, and why; it is not tried again."""
        if song in self.done:
            raise ValueError(f"{self.folder}: expected each song once, got {song!r} again")
        self.skipped[song] = reason
        self._note([{"id": song, "skipped": reason}])

    def finish(self) -> None:
        """Make it a store that can be opened, with all that was added. Raises ValueError if it holds no song."""
        if not self.done:
            raise ValueError(f"{self.folder}: expected at least one song with an embedding, got none")
        self._say(complete=False)
        self._embeddings.seek(0)
        self._embeddings.write(_header((len(self.done), self.about.layers, self.about.dim)))
        _flush(self._embeddings)
        _replace(self.folder / IDS, list(self.done))
        self._say(complete=True)
        self.close()

    def close(self) -> None:
        """Close the files; what was added stays."""
        self._embeddings.close()
        self._log.close()

    def _go_on(self, path: Path) -> None:
        known = read_json(path, dict)
        mine = json.loads(json.dumps(asdict(self.about)))
        differs = [name for name in mine if known.get(name) != mine[name]]
        if differs:
            said = ", ".join(f"{name} {mine[name]!r} (the store's: {known.get(name)!r})" for name in differs)
            raise ValueError(f"{self.folder}: expected to go on with the same kind of store, got {said}")
        self._read_log()
        self._keep_what_is_whole()

    def _read_log(self) -> None:
        """What was written and skipped; a last line that a kill has cut off does not count."""
        path = self.folder / LOG
        for number, line in enumerate(self._log, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                said = json.loads(line)
                name = str(said["id"])
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{path}, line {number}: expected an object with an id, got {line[:80]!r}") from error
            self._logged += len(line)
            if "skipped" in said:
                self.skipped[name] = str(said["skipped"])
            else:
                self.skipped.pop(name, None)
                self.done[name] = len(self.done)

    def _keep_what_is_whole(self) -> None:
        path = self.folder / EMBEDDINGS
        size, expected = path.stat().st_size if path.is_file() else 0, HEADER + len(self.done) * self._row
        if self.done and size < expected:
            raise ValueError(f"{path}: expected {expected} bytes for {len(self.done)} songs, got {size}: it was cut")

    def _note(self, lines: Sequence[Mapping[str, str]]) -> None:
        self._log.write("".join(json.dumps(line) + "\n" for line in lines).encode())
        _flush(self._log)

    def _say(self, *, complete: bool) -> None:
        _replace(self.folder / ABOUT, {**asdict(self.about), "complete": complete})


def read_json(path: Path, kind: type) -> Any:
    """The content of a file. Raises ValueError, with the path, if it is no JSON or not of this kind."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: expected a JSON {kind.__name__}, cannot read it: {error}") from error
    if not isinstance(content, kind):
        raise ValueError(f"{path}: expected a JSON {kind.__name__}, got a {type(content).__name__}")
    return content


def _repeated(ids: Sequence[str]) -> list[str]:
    return [name for name, times in Counter(ids).items() if times > 1]


def _header(shape: tuple[int, int, int]) -> bytes:
    """What NumPy's format 1.0 writes before float16 rows of this shape, filled up to HEADER bytes."""
    fields = f"{{'descr': '<f2', 'fortran_order': False, 'shape': {shape}, }}"
    room = HEADER - len(b"\x93NUMPY\x01\x00") - 2
    text = fields.ljust(room - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin-1")


def _opened(path: Path) -> BinaryIO:
    """For reading and writing anywhere, made if it is not there."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")


def _lock(file: BinaryIO, folder: Path) -> None:
    """Only one at a time writes. The lock ends with the process, however that ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ValueError(f"{folder}: expected a store that nobody writes, another process does") from error


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _replace(path: Path, content: object) -> None:
    """Write a JSON file; it is whole or the old one."""
    draft = path.with_suffix(".unfinished")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=None if isinstance(content, list) else 1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
