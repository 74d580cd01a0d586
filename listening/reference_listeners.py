"""The aligner's reference listeners in the database, which finds those who are nearest to somebody."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from pgvector.django import CosineDistance

from listening.models import ReferenceListener


@dataclass(frozen=True)
class Imported:
    """What is there now. aligner: SHA-256 of the checkpoint. listeners: rows of it. kinds: how many of each kind."""

    aligner: str
    encoder: str
    listeners: int
    kinds: dict[str, int]


def import_from(checkpoint: Path, *, encoder: str | None = None) -> Imported:
    """Write one row per reference listener of an aligner, in one call; a second time the same rows stand there.

    encoder: whose sounds the aligner hears; None: as the checkpoint says.
    Raises ValueError for a file that is no aligner, or that does not say its encoder.
    """
    from models_store import checkpoints
    from models_store.aligner import shipped

    model, notes = shipped.load(checkpoint), checkpoints.load(checkpoint).notes
    heard_by = encoder or notes.get("encoder")
    if not isinstance(heard_by, str):
        raise ValueError(f"{checkpoint}: does not say which encoder it hears with; expected --encoder NAME")
    kinds = _kinds(notes.get("kinds"), model.config.users)
    users = model.reference_users()
    aligner = digest(checkpoint)
    rows = [
        ReferenceListener(
            aligner=aligner, encoder=heard_by, number=number, kind=kind, embedding=embedding, projected=projected
        )
        for number, (kind, embedding, projected) in enumerate(
            zip(kinds, users.tolist(), model.project_users(users).tolist(), strict=True)
        )
    ]
    with transaction.atomic():
        ReferenceListener.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["aligner", "number"],
            update_fields=["encoder", "kind", "embedding", "projected"],
        )
    return Imported(aligner, heard_by, len(rows), {kind: kinds.count(kind) for kind in sorted(set(kinds)) if kind})


def import_shipped() -> None:
    """Import those of every shipped aligner that are not there yet."""
    from models_store.aligner import shipped

    there = set(ReferenceListener.objects.values_list("aligner", flat=True).distinct())
    for checkpoint in sorted(shipped.FOLDER.glob("*.pt")):
        if "." not in checkpoint.stem and digest(checkpoint) not in there:
            import_from(checkpoint)


def nearest(vector: Sequence[float], count: int, *, aligner: str) -> list[ReferenceListener]:
    """The `count` reference listeners of an aligner whose tastes are nearest to a vector of its common space.

    Each with `distance`: 1 minus the cosine, in [0, 2]; the nearest first.
    aligner: SHA-256 of its checkpoint: see `digest`.
    Raises ValueError for a vector of another space.
    """
    if count < 1:
        raise ValueError(f"nearest: expected a count of at least 1, got {count}")
    known = ReferenceListener.objects.filter(aligner=aligner)
    first = known.first()
    if first is None:
        raise ValueError("nearest: the reference listeners of this aligner are not there; import_reference_listeners")
    if len(first.projected) != len(vector):
        raise ValueError(f"nearest: expected {len(first.projected)} numbers, got {len(vector)}")
    found = known.annotate(distance=CosineDistance("projected", list(vector)))
    return list(found.order_by("distance", "number")[:count])


def digest(checkpoint: Path) -> str:
    """By what a checkpoint is known in the database: the SHA-256 of its bytes."""
    with checkpoint.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kinds(told: object, users: int) -> list[str]:
    """What the checkpoint's notes say of the kinds of its reference listeners; nothing if it is not about these."""
    if isinstance(told, list) and len(told) == users and all(isinstance(kind, str) for kind in told):
        return [kind[:40] for kind in told]
    return [""] * users
