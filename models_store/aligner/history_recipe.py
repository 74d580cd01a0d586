"""From listening histories to an aligner in a file, and from an aligner in a file to its figures."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models_store import checkpoints, devices
from models_store.aligner import history_training, material, shipped
from models_store.aligner.config import Aggregation, AlignerConfig, Projection
from models_store.aligner.descent import Told
from models_store.aligner.held_out import HeldOut, Parts
from models_store.aligner.histories import Histories
from models_store.aligner.lesson import Lesson
from models_store.aligner.material import Material, Selection
from models_store.aligner.measuring import Ranking
from models_store.aligner.method import Method
from models_store.aligner.model import AlignerV2
from models_store.aligner.song_store import SongStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wiring:
    """What the aligner is built from; the sizes are the report's."""

    aggregation: Aggregation = "gating"
    projection_type: Projection = "affine"
    emb_size: int = 256
    projection: int = 768
    hidden: int = 2048


@dataclass(frozen=True)
class HistoryRecipe:
    """Everything, beside the material, that decides what comes out."""

    selection: Selection = field(default_factory=Selection)
    wiring: Wiring = field(default_factory=Wiring)
    method: Method = field(default_factory=Method)
    seed: int = 1


@dataclass(frozen=True)
class Measured:
    """What an aligner knows of songs to test on, for users of its table and for users it never saw; None: nobody."""

    known: Ranking | None
    new: Ranking | None


def make(
    recipe: HistoryRecipe,
    given: Material,
    *,
    out: Path,
    device: str | None = None,
    resume: bool = False,
    told: Told | None = None,
    progress: bool = False,
) -> history_training.Trained:
    """Train an aligner and write it to `out`. Until then the training is kept in `out` + ".training".

    device: None: a GPU where there is one. resume: go on with a training that was interrupted.
    Raises ValueError for what cannot be trained on, DivergedError where no numbers come out; `out` is not touched then.
    """
    where, state_file = devices.choose(device), out.with_name(f"{out.name}.training")
    used = material.select(given, recipe.selection)
    lesson = material.lesson(used, material.split(used, recipe.selection, seed=recipe.seed))
    _, layers, dim = given.store.shape
    trained = history_training.train(
        lesson,
        lambda users: AlignerConfig(users=users, layers=layers, dim=dim, **asdict(recipe.wiring)),
        recipe.method,
        seed=recipe.seed,
        device=where,
        state_file=state_file,
        resume=resume,
        told=told,
        progress=progress,
    )
    shipped.save(trained.aligner, out, notes=_notes(recipe, used, lesson, trained))
    state_file.unlink(missing_ok=True)
    return trained


def check(
    checkpoint: Path,
    given: Material,
    *,
    selection: Selection | None = None,
    known: int | None = None,
    seed: int | None = None,
    device: str | None = None,
) -> Measured:
    """Measure an aligner, ours or the prototype's, on songs that it was not trained on.

    Of an aligner that `make` made, songs and users held out are those it was made without, and what is None is as it
    was then. For another one they come from `selection`; its rows are the users in their order if they are as many,
    else nobody's row is known and all are measured as users held out. known: of how many songs the embedding of such a
    user is learned. seed: of what is drawn.
    Raises ValueError for what does not fit together.
    """
    aligner, notes = shipped.load(checkpoint), checkpoints.load(checkpoint).notes
    _check_ear(checkpoint, aligner, notes, given.store)
    selection = selection or Selection()
    method = Method(**{**notes.get("method", {}), **({} if known is None else {"known": known})})
    seed = notes.get("seed", 1) if seed is None else seed
    used = material.select(given, selection)
    if "held_out" in notes:
        parts = _without_what_was_held_out(checkpoint, used.histories, notes)
    else:
        parts = material.split(used, selection, seed=seed)
    users, places = _rows_of_users(used.histories, notes, aligner.config.users)
    if not len(users):
        parts = HeldOut(parts.songs, Parts(users, users, torch.arange(len(used.histories.users))))
    logger.info("%d of %d users have a row of the user table", len(users), len(used.histories.users))
    lesson = material.lesson(used, parts)
    aligner.to(devices.choose(device))
    ours = history_training.measure_known(aligner, lesson, users=users, places=places) if len(users) else None
    new = history_training.measure_newcomers(aligner, lesson, method, seed=seed)
    if ours is None and new is None:
        raise ValueError(f"{checkpoint}: expected users who listened to some of the songs to test on, got nobody")
    return Measured(ours, new)


def _notes(recipe: HistoryRecipe, used: Material, lesson: Lesson, trained: history_training.Trained) -> dict[str, Any]:
    """How it was made; of files their names only."""
    songs, users = used.histories.songs, used.histories.users
    parts = lesson.held_out
    return {
        "histories": used.name,
        "encoder": used.store.about.get("encoder"),
        "model": used.store.about.get("model"),
        "method": asdict(recipe.method),
        "seed": recipe.seed,
        "users": list(trained.users),
        "held_out": {
            "validation": [songs[song] for song in parts.songs.validation.tolist()],
            "test": [songs[song] for song in parts.songs.test.tolist()],
            "users": [users[user] for user in parts.users.test.tolist()],
        },
        "figures": {"known": asdict(trained.known), "new": asdict(trained.new) if trained.new else None},
        "epochs": trained.epochs,
    }


def _check_ear(checkpoint: Path, aligner: AlignerV2, notes: dict[str, Any], store: SongStore) -> None:
    """Raises ValueError if the store is of another encoder than the aligner."""
    heard, expected = store.shape[1:], (aligner.config.layers, aligner.config.dim)
    encoder, made_for = store.about.get("encoder"), notes.get("encoder")
    if heard != expected or (made_for is not None and encoder != made_for):
        raise ValueError(
            f"{checkpoint}: expected embeddings of {made_for or 'its encoder'}, {expected[0]} x {expected[1]}; "
            f"{store.folder} has those of {encoder}, {heard[0]} x {heard[1]}"
        )


def _without_what_was_held_out(checkpoint: Path, histories: Histories, notes: dict[str, Any]) -> HeldOut:
    """What an aligner of ours was made without, as far as it is there."""
    kept = notes["held_out"]
    validation, test = (_indices(histories.songs, kept[name]) for name in ("validation", "test"))
    if not len(test):
        raise ValueError(f"{checkpoint}: expected some of the songs it was tested on, the histories have none of them")
    train = torch.ones(len(histories.songs), dtype=torch.bool)
    train[torch.cat([validation, test])] = False
    table = _indices(histories.users, notes["users"])
    return HeldOut(
        songs=Parts(train.nonzero().flatten(), validation, test),
        users=Parts(table, table[:0], _indices(histories.users, kept["users"])),
    )


def _rows_of_users(histories: Histories, notes: dict[str, Any], rows: int) -> tuple[Tensor, Tensor]:
    """Which users have which rows of the table: int64 [M], int64 [M]."""
    if "held_out" in notes:
        row_of = {name: row for row, name in enumerate(notes["users"])}
        found = [(user, row_of[name]) for user, name in enumerate(histories.users) if name in row_of]
        pairs = torch.tensor(found, dtype=torch.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]
    same = torch.arange(rows if len(histories.users) == rows else 0)
    return same, same


def _indices(names: tuple[str, ...], wanted: list[str]) -> Tensor:
    """Where these names are, rising; those that are not there are left out."""
    there = set(wanted)
    return torch.tensor([index for index, name in enumerate(names) if name in there], dtype=torch.int64)
