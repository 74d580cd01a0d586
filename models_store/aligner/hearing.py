"""Songs as sound files, heard by an encoder into a store of embeddings."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from models_store import audio
from models_store.aligner.readers.lines import text
from models_store.aligner.store_writer import StoreWriter
from models_store.audio import Audio
from models_store.encoders.base import AudioEncoder

ENDINGS = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64"}
    | {".rf64", ".voc", ".m4a", ".aac", ".wma"}
)
"""Of sound files, also of those that libsndfile does not read: they are named, not passed over."""
SILENT_PEAK = 1e-4  # -80 dBFS
_READERS = 2  # threads that decode while the encoder works
_GROUPS = 4  # batches that may wait for sound of the same rate, channels and length


@dataclass(frozen=True)
class Window:
    """Which part of each song is heard: `seconds` from `offset` on, or as much of that as there is."""

    seconds: float = 30.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.seconds < float("inf") or not 0 <= self.offset < float("inf"):
            raise ValueError(
                f"Window: expected seconds above 0 and an offset from 0 on, got {self.seconds} and {self.offset}"
            )


@dataclass(frozen=True)
class Found:
    """Songs in a folder: id -> file; and files that are left out: path -> why."""

    songs: dict[str, Path]
    left_out: dict[str, str]


def find(folder: Path, *, ids: Path | None = None) -> Found:
    """The sound files in a folder and the folders in it; a song's id is its path in there without the ending.

    ids: a CSV with the columns file and id that names the songs, and which to take; None: all.
    Raises ValueError for a folder without sound files and for another CSV.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: expected a folder of sound files, there is none")
    if ids is not None:
        return Found(_named(folder, ids), {})
    songs: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in ENDINGS or not path.is_file():
            continue
        inside = path.relative_to(folder)
        name = inside.with_suffix("").as_posix()
        if name in songs:
            left_out[inside.as_posix()] = f"{songs[name].name} has the same id {name!r}"
        else:
            songs[name] = path
    if not songs:
        raise ValueError(f"{folder}: expected sound files ({', '.join(sorted(ENDINGS))}), there are none")
    return Found(songs, left_out)


def _named(folder: Path, ids: Path) -> dict[str, Path]:
    try:
        rows = list(csv.reader(text(ids, ids.read_bytes()).splitlines()))
    except (OSError, csv.Error) as error:
        raise ValueError(f"{ids}: expected a CSV, cannot read it: {error}") from error
    header = [name.strip().lower() for name in rows[0]]
    if not {"file", "id"} <= set(header):
        raise ValueError(f"{ids}: expected the columns file and id, got {', '.join(rows[0])[:200]!r}")
    file, name = header.index("file"), header.index("id")
    songs: dict[str, Path] = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) != len(header) or not (cells[file] and cells[name]):
            raise ValueError(f"{ids}, line {number}: expected a file and an id, got {','.join(row)[:80]!r}")
        if cells[name] in songs:
            raise ValueError(f"{ids}, line {number}: expected each id once, got {cells[name]!r} again")
        songs[cells[name]] = folder / cells[file]
    if not songs:
        raise ValueError(f"{ids}: expected files and ids, got none")
    return songs


def hear(
    songs: Mapping[str, Path],
    encoder: AudioEncoder,
    writer: StoreWriter,
    *,
    window: Window,
    batch: int = 16,
    stop: Callable[[], None] = lambda: None,
    progress: bool = False,
) -> None:
    """Add the embedding of each song to a store; a song that cannot be heard is skipped there, with the reason.

    Songs that the writer has are not heard again. An embedding depends on its song alone, so that batches may be made
    of whatever has the same rate, channels and length. stop: called between songs; may raise to end there.
    """
    if batch < 1:
        raise ValueError(f"hear: expected a batch of at least 1 song, got {batch}")
    wanted = {name: path for name, path in songs.items() if name not in writer}
    waiting: dict[tuple[int, int, int], dict[str, Tensor]] = {}
    with tqdm(total=len(songs), initial=len(songs) - len(wanted), desc="songs", disable=not progress) as bar:
        for name, piece in _decoded(wanted, window, ahead=2 * batch):
            stop()
            if isinstance(piece, ValueError):
                writer.skip(name, str(piece))
                bar.update()
                continue
            kind = (piece.sample_rate, *piece.samples.shape[1:])
            group = waiting.setdefault(kind, {})
            group[name] = piece.samples
            if len(group) >= batch or sum(map(len, waiting.values())) >= _GROUPS * batch:
                kind = max(waiting, key=lambda one: len(waiting[one]))
                bar.update(_embed(waiting.pop(kind), kind[0], encoder, writer))
        for kind, group in waiting.items():
            stop()
            bar.update(_embed(group, kind[0], encoder, writer))


def _decoded(songs: Mapping[str, Path], window: Window, *, ahead: int) -> Iterator[tuple[str, Audio | ValueError]]:
    """Each song, or why it cannot be heard, in order; some are decoded ahead."""
    names = iter(songs)
    with ThreadPoolExecutor(_READERS) as readers:
        try:
            begun: list[tuple[str, Future[Audio | ValueError]]] = []
            while True:
                more = islice(names, ahead - len(begun))
                begun.extend((name, readers.submit(_read, songs[name], window)) for name in more)
                if not begun:
                    return
                name, piece = begun.pop(0)
                yield name, piece.result()
        finally:
            readers.shutdown(cancel_futures=True)


def _read(path: Path, window: Window) -> Audio | ValueError:
    try:
        piece = audio.read(path, max_seconds=window.offset + window.seconds)
    except ValueError as error:
        return error
    rate = piece.sample_rate
    first = round(window.offset * rate)
    heard = piece.samples[..., first : first + max(1, round(window.seconds * rate))]
    if not heard.shape[-1]:
        return ValueError(f"{path}: expected more than {window.offset} s of sound, got {piece.seconds:.2f} s")
    if float(heard.abs().max()) < SILENT_PEAK:
        return ValueError(f"{path}: expected audible sound, got silence")
    return Audio(heard.clone(), rate)


def _embed(group: Mapping[str, Tensor], rate: int, encoder: AudioEncoder, writer: StoreWriter) -> int:
    """Hear songs of one kind and write what is heard; where that fails, one by one. How many songs there were."""
    try:
        writer.add(tuple(group), encoder.encode(Audio(torch.cat(list(group.values())), rate)))
    except ValueError as error:
        if len(group) == 1:
            writer.skip(next(iter(group)), str(error))
        else:
            for name, samples in group.items():
                _embed({name: samples}, rate, encoder, writer)
    return len(group)
