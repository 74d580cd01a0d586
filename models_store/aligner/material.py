"""What an aligner is trained on and measured with: histories, the songs' embeddings, and what is held out of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from models_store.aligner import held_out, readers
from models_store.aligner.held_out import HeldOut, Parts
from models_store.aligner.histories import Histories
from models_store.aligner.lesson import Lesson
from models_store.aligner.readers import play_counts
from models_store.aligner.song_store import SongStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """What of histories is used, and what of that is held out.

    splits: a file that says what to train and to test on (see play_counts.read_splits); None: drawn, a tenth of the
    songs to stop by, a fifth to test on. new_users: share of the users that are kept out of the table.
    least_listeners, least_songs: songs with fewer listeners and users with fewer songs are left out. most_songs: the
    most popular so many; None: all.
    """

    splits: Path | None = None
    new_users: float = 0.1
    least_listeners: int = 1
    least_songs: int = 2
    most_songs: int | None = None


@dataclass(frozen=True)
class Material:
    """Histories of songs that a store has. name: what they are, for notes; path: the file that splits refer to."""

    histories: Histories
    store: SongStore
    name: str
    path: Path | None = None


def read(histories: str, store: Path, *, encoder: str | None = None, progress: bool = False) -> Material:
    """Histories named as FORMAT:PATH, a format of `readers.FORMATS`, and the store in a folder.

    encoder: what the store is expected to be of; None: whatever it is.
    Raises ValueError for what cannot be read, and for a store of another encoder.
    """
    kind, colon, path = histories.partition(":")
    if not colon or not path or kind not in readers.FORMATS:
        known = ", ".join(readers.FORMATS)
        raise ValueError(f"histories: expected FORMAT:PATH with a format of {known}, got {histories!r}")
    songs = SongStore.open(store)
    heard = songs.about.get("encoder")
    if encoder is not None and heard != encoder:
        raise ValueError(f"{store}: expected embeddings of the encoder {encoder!r}, got {heard!r}")
    reading = readers.read(kind, path, progress=progress)
    logger.info("%s: %s", path, reading)
    return Material(reading.histories, songs, f"{kind}:{Path(path).name}", Path(path))


def select(material: Material, selection: Selection) -> Material:
    """Only songs that the store has, and only what a selection leaves. Raises ValueError if that is nothing."""
    aligned, alignment = material.histories.aligned_to(material.store)
    logger.info("%s: %s", material.store.folder, alignment)
    kept, left_out = held_out.filtered(
        aligned,
        least_listeners=selection.least_listeners,
        least_songs=selection.least_songs,
        most_songs=selection.most_songs,
    )
    logger.info("%s", left_out)
    return Material(kept, material.store, material.name, material.path)


def lesson(material: Material, parts: HeldOut) -> Lesson:
    """What is learned from: everything but what is held out."""
    return Lesson(material.histories, material.store, material.store.rows(material.histories.songs), parts)


def split(material: Material, selection: Selection, *, seed: int) -> HeldOut:
    """What is held out: as a file says, and drawn where it says nothing.

    Raises ValueError for splits that do not fit, and for too few songs or users.
    """
    drawn = held_out.split(material.histories, users=(0.0, selection.new_users), seed=seed)
    if selection.splits is None:
        return drawn
    if material.path is None:
        raise ValueError(f"{selection.splits}: expected histories of a file beside splits, got {material.name}")
    chosen = play_counts.read_splits(selection.splits, counts=material.path)
    songs, users = drawn.songs, drawn.users
    if chosen.songs:
        songs = held_out.parts_of(material.histories.songs, chosen.songs, seed=seed)
    if chosen.users:
        users = held_out.parts_of(material.histories.users, chosen.users, seed=seed)
        if "validation" not in chosen.users:  # training stops by songs: no user has to be given away for that
            train = torch.cat([users.train, users.validation]).sort().values
            users = Parts(train, train[:0], users.test)
    return HeldOut(songs, users)
