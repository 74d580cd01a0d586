"""Maps of an aligner's reference listeners and of songs, drawn into a folder. For commands and conductors: torch."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from django.db import OperationalError
from django.utils import timezone
from torch import Tensor

from evolution.models import Experiment
from laboratory import plots, taste_pictures, taste_plots
from listening import profiles
from listening.models import Listener, ReferenceListener
from models_store import checkpoints
from models_store.aligner import maps, shipped, world
from models_store.aligner.concepts import Concepts
from models_store.aligner.maps import Method, Points
from models_store.aligner.model import AlignerV2
from models_store.aligner.song_store import SongStore

MOST_SONGS = 2000
"""On a map; of more, so many are drawn at random."""
MOST_MARKS = 25
"""Listeners of an experiment, the latest."""


@dataclass(frozen=True)
class Scene:
    """What is to be placed, in the aligner's common space.

    users: [U, projection], kinds: of each, "" where unknown. songs: [S, projection], genres: of each.
    marks: [M, projection], names: of each.
    """

    users: Points
    kinds: tuple[str, ...]
    songs: Points
    genres: tuple[str, ...]
    marks: Points
    names: tuple[str, ...]
    about: dict[str, Any]


def scene(
    *,
    checkpoint: Path | None = None,
    encoder: str = "spectral",
    songs: Path | None = None,
    experiment: str = "",
    most: int = MOST_SONGS,
    seed: int,
) -> Scene:
    """Gather what is to be placed.

    checkpoint: the aligner; None: the shipped one for `encoder`. songs: a store of embeddings (a folder), concepts, or
    a file of songs that train_aligner kept; None: the concepts beside the checkpoint. experiment: whose listeners are
    marked, those whose taste is told in this aligner; "": nobody. seed: of the choice where there are more than `most`.
    Raises ValueError, with the path, for what is not there or was heard by another ear.
    """
    path = checkpoint or shipped.path_of(encoder)
    aligner = shipped.load(path)
    source = songs or shipped.concepts_beside(path)
    embeddings, genres = _songs(source, most=most, seed=seed)
    listeners = _listeners(experiment, aligner) if experiment else []
    with torch.no_grad():
        users = aligner.project_users(aligner.reference_users())
        placed = aligner.project_songs(embeddings)
    marks = [profiles.current_taste(listener).vector for listener in listeners]
    about = {"aligner": path.name, "songs_from": source.name, "experiment": experiment}
    return Scene(
        users=_points(users),
        kinds=_kinds(path, aligner.config.users),
        songs=_points(placed),
        genres=genres,
        marks=_points(torch.stack(marks)) if marks else np.zeros((0, users.shape[1])),
        names=tuple(_name(listener) for listener in listeners),
        about=about,
    )


def draw(
    gathered: Scene, methods: Sequence[Method], *, seed: int, out: Path, centred: bool = True
) -> tuple[dict[Method, Path], dict[Method, str]]:
    """Draw METHOD.png into a folder, and about.json beside them: files by method, and why others are missing."""
    out.mkdir(parents=True, exist_ok=True)
    files: dict[Method, Path] = {}
    missing: dict[Method, str] = {}
    for method in methods:
        try:
            drawn = maps.draw(gathered.users, gathered.songs, gathered.marks, method=method, seed=seed, centred=centred)
        except maps.MissingLibraryError as error:
            missing[method] = str(error)
            continue
        picture = taste_plots.picture(drawn, kinds=gathered.kinds, genres=gathered.genres, marks=gathered.names)
        files[method] = out / f"{method}.png"
        plots.save(picture, files[method])
    counts = {"users": len(gathered.users), "songs": len(gathered.songs), "marks": len(gathered.marks)}
    _keep_about(out, {**gathered.about, **counts, "seed": seed, "missing": list(missing.values())})
    return files, missing


def fail(reason: str) -> None:
    """Tell on the panel why its pictures could not be drawn; the old ones stay."""
    out = taste_pictures.folder()
    out.mkdir(parents=True, exist_ok=True)
    _keep_about(out, {**taste_pictures.shown()["about"], "failed": reason})


def _keep_about(out: Path, content: dict[str, Any]) -> None:
    draft = out / f".{taste_pictures.ABOUT}.{os.getpid()}.draft"
    told = {"made_at": timezone.now().isoformat(), **content}
    draft.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(out / taste_pictures.ABOUT)


def _songs(source: Path, *, most: int, seed: int) -> tuple[Tensor, tuple[str, ...]]:
    """Embeddings [S, layers, dim] and a genre for each, "" where it is unknown."""
    if most < 1:
        raise ValueError(f"songs: expected at least 1 song, got {most}")
    if not source.exists():
        raise ValueError(f"{source}: expected songs: a store that embed_songs made, concepts, or train_aligner's songs")
    if source.is_dir():
        store = SongStore.open(source)
        chosen = _chosen(len(store), most, seed)
        return store.take(chosen), ("",) * len(chosen)
    embeddings, words, table = _told(source)
    chosen = _chosen(len(embeddings), most, seed)
    genres = (next((word for word, says in zip(words, table[song], strict=True) if says), "") for song in chosen)
    return embeddings[chosen], tuple(genres)


def _told(source: Path) -> tuple[Tensor, tuple[str, ...], Tensor]:
    """The songs of a file [S, layers, dim], G genres, and which song has which: bool [S, G]."""
    try:
        concepts = Concepts.load(source)
    except checkpoints.CheckpointError:
        try:
            kept = world.load(source)
        except (KeyError, TypeError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ValueError(f"{source}: expected concepts or train_aligner's songs, got something else") from error
        return kept.embeddings, *kept.said["genre"]
    places = [place for place, slot in enumerate(concepts.slots) if slot == "genre"]
    return concepts.embeddings, tuple(concepts.names[place] for place in places), concepts.has[places].T


def _chosen(count: int, most: int, seed: int) -> Tensor:
    """At most `most` of `count` rows, in order."""
    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return drawn[:most].sort().values


def _kinds(checkpoint: Path, users: int) -> tuple[str, ...]:
    """What the checkpoint's notes, or else the database, call each reference listener."""
    known = dict(enumerate(checkpoints.load(checkpoint).notes.get("kinds", ())))
    if not known:
        with checkpoint.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # To draw a checkpoint no database has to be up.
        with suppress(OperationalError):
            known = dict(ReferenceListener.objects.filter(aligner=digest).values_list("number", "kind"))
    return tuple(str(known.get(number, "")) for number in range(users))


def _listeners(experiment: str, aligner: AlignerV2) -> list[Listener]:
    """Those listeners of an experiment whose taste is told in this aligner."""
    if not Experiment.objects.filter(name=experiment).exists():
        raise ValueError(f"experiment: expected the name of an experiment, got {experiment!r}")
    found = Listener.objects.select_related("run__experiment", "user").filter(run__experiment__name=experiment)
    latest = list(found.order_by("-pk")[:MOST_MARKS])
    return [one for one in latest if torch.equal(profiles.aligner_of(one).user_table, aligner.user_table)]


def _name(listener: Listener) -> str:
    if listener.reference_user is not None:
        return f"reference {listener.reference_user}"
    return f"listener {listener.pk}"


def _points(vectors: Tensor) -> Points:
    return vectors.double().numpy()
