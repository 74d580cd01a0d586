"""Embeddings as JSON, a file for each song (the prototype's) or for many, made into a store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from models_store.aligner.readers.lines import text
from models_store.aligner.song_store import SongStore
from models_store.aligner.store_writer import StoreWriter

_BATCH = 64
_ONLY = ("embedding", "embeddings", "hidden_states")
_NO_SONG = "metadata"
_WHAT = "numbers [layers, dim], or an object of such by song id"


def convert(
    folder: Path | str,
    out: Path | str,
    *,
    encoder: str = "mert",
    model: str = "",
    stop: Callable[[], None] = lambda: None,
    progress: bool = False,
) -> SongStore:
    """A store from a folder of `<id>.json`, each [layers, dim] or [1, layers, dim] numbers, or an object of many songs.

    What was converted before is not read again. stop: called between batches; may raise to end there.
    Raises ValueError, with the path of the file, for a folder without any, and for files that are cut, not numbers, of
    another shape than the first, NaN, or too large for half precision.
    """
    folder = Path(folder)
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        raise ValueError(f"{folder}: expected a folder of JSON files, one for each song, there are none")
    shape = next(iter(_songs(files[0])))[1].shape
    with SongStore.writer(out, layers=shape[0], dim=shape[1], encoder=encoder, model=model) as writer:
        batch: dict[str, npt.NDArray[np.float32]] = {}
        for path in tqdm(files, desc="songs", unit="file", disable=not progress):
            if path.stem in writer:
                continue
            for name, embedding in _songs(path):
                _check(path, name, embedding, shape)
                if name in batch:
                    raise ValueError(f"{path}: expected each song once, got {name!r} again")
                if name not in writer:
                    batch[name] = embedding
            if len(batch) >= _BATCH:
                _flush(writer, batch)
                stop()
        _flush(writer, batch)
        writer.finish()
    return SongStore.open(out)


def _songs(path: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """(id, [layers, dim]) of each song in a file."""
    try:
        content = json.loads(text(path, path.read_bytes()))
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: expected JSON, cannot read it: {error}") from error
    if not isinstance(content, dict):
        yield path.stem, _numbers(path, content)
        return
    songs = {name: one for name, one in content.items() if name != _NO_SONG}
    if not songs:
        raise ValueError(f"{path}: expected {_WHAT}, got nothing")
    for name, one in songs.items():
        yield path.stem if len(songs) == 1 and name in _ONLY else name, _numbers(path, one)


def _numbers(path: Path, content: Any) -> npt.NDArray[np.float32]:
    try:
        numbers = np.asarray(content, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: expected {_WHAT}, cannot read them: {error}") from error
    if numbers.ndim == 3 and len(numbers) == 1:
        numbers = numbers[0]  # [layers, dim]
    if numbers.ndim != 2 or not numbers.size:
        raise ValueError(f"{path}: expected {_WHAT}, got shape {numbers.shape}")
    return numbers


def _check(path: Path, name: str, embedding: npt.NDArray[np.float32], shape: tuple[int, ...]) -> None:
    if embedding.shape != shape:
        raise ValueError(f"{path}: expected {shape} as in the first file, got {embedding.shape} for {name!r}")
    if not np.isfinite(embedding).all() or np.abs(embedding).max() > float(np.finfo(np.float16).max):
        raise ValueError(f"{path}: expected finite numbers within +-65504, {name!r} has others")


def _flush(writer: StoreWriter, batch: dict[str, npt.NDArray[np.float32]]) -> None:
    if batch:
        writer.add(tuple(batch), torch.from_numpy(np.stack(list(batch.values()))))
        batch.clear()
