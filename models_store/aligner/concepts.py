"""Concepts: what a listener calls music, and ordinary songs that have it and that have not. In a file, with a map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from models_store import checkpoints
from models_store.aligner import readouts, shipped
from models_store.aligner.concept_words import SLOTS
from models_store.aligner.wishes import Edit

_TABLES = ("embeddings", "has", "lacks", "readouts", "audible", "centre", "axes")
_HALVES = ("embeddings", "readouts")


@dataclass(frozen=True)
class Concepts:
    """C concepts and S ordinary songs.

    names: what listeners call them, each once. slots: what each is about, one of `concept_words.SLOTS`.
    embeddings: float32 [S, layers, dim], as the encoder heard the songs.
    has, lacks: bool [C, S]: songs that have the concept, and songs that have not; where a prompt says nothing of it,
    neither is known. Every concept has songs of both kinds.
    readouts: float32 [C, layers * dim + 1], how each is heard, see `presence`.
    audible: float32 [C], how well it is heard: ROC AUC of that on songs that were not learned from.
    centre [layers * dim], axes [2, layers * dim]: of the listener's map, see `place`.
    """

    names: tuple[str, ...]
    slots: tuple[str, ...]
    embeddings: Tensor
    has: Tensor
    lacks: Tensor
    readouts: Tensor
    audible: Tensor
    centre: Tensor
    axes: Tensor

    def __post_init__(self) -> None:
        count, songs = len(self.names), len(self.embeddings)
        width = self.embeddings[0].numel() if songs else 0
        shapes: dict[str, tuple[int, ...]] = {
            "has": (count, songs),
            "lacks": (count, songs),
            "readouts": (count, width + 1),
        }
        shapes |= {"audible": (count,), "centre": (width,), "axes": (2, width)}
        if self.embeddings.ndim != 3 or not songs:
            raise ValueError(f"Concepts: expected songs [S, layers, dim], got shape {tuple(self.embeddings.shape)}")
        for name, shape in shapes.items():
            if tuple(getattr(self, name).shape) != shape:
                raise ValueError(f"Concepts.{name}: expected {shape}, got shape {tuple(getattr(self, name).shape)}")
        if self.has.dtype != torch.bool or self.lacks.dtype != torch.bool:
            raise ValueError(f"Concepts: expected tables of bool, got {self.has.dtype} and {self.lacks.dtype}")
        for name in ("embeddings", "readouts", "audible", "centre", "axes"):
            if not bool(getattr(self, name).isfinite().all()):
                raise ValueError(f"Concepts.{name}: expected finite numbers, got NaN or infinity")
        if len(set(self.names)) != count or len(self.slots) != count or not set(self.slots) <= set(SLOTS):
            raise ValueError(f"Concepts: expected different names with a slot each, got {self.names} of {self.slots}")
        if not bool((self.has.any(dim=1) & self.lacks.any(dim=1)).all()):
            raise ValueError("Concepts: expected songs that have each concept and songs that have not")
        if bool((self.has & self.lacks).any()):
            raise ValueError("Concepts: expected a song to have a concept or to lack it, got both")

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def load(cls, path: Path) -> Concepts:
        """What `save` wrote. Raises ValueError, with the path, for anything else; nothing in a file can run."""
        kept = checkpoints.load(path)
        missing = [name for name in _TABLES if name not in kept.weights]
        if missing or not {"names", "slots"} <= set(kept.config):
            raise ValueError(
                f"{path}: expected concepts that train_aligner wrote; {', '.join(missing) or 'names'} missing"
            )
        tables = {name: kept.weights[name] for name in _TABLES}
        floats = {name: table if table.dtype == torch.bool else table.float() for name, table in tables.items()}
        try:
            return cls(tuple(kept.config["names"]), tuple(kept.config["slots"]), **floats)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def load_for(cls, encoder: str) -> Concepts:
        """The shipped concepts for the encoder of this name. Raises ValueError where none are shipped."""
        path = shipped.concepts_beside(shipped.path_of(encoder))
        if not path.is_file():
            raise ValueError(f"concepts: none are shipped for the encoder {encoder!r}: expected {path.name}")
        return cls.load(path)

    def save(self, path: Path) -> None:
        """Write all of it, songs and read-outs in half precision: what is lost is a thousandth of a number."""
        tables = {name: getattr(self, name) for name in _TABLES}
        tables |= {name: tables[name].half() for name in _HALVES}
        checkpoints.save(path, weights=tables, config={"names": list(self.names), "slots": list(self.slots)})

    def index(self, name: str) -> int:
        """The concept of this name. Raises ValueError with those that there are."""
        if name not in self._places:
            raise ValueError(f"concept: expected one of {', '.join(self.names)}; got {name!r}")
        return self._places[name]

    def edit(self, name: str, *, wanted: float, weight: float) -> Edit:
        """What somebody wants of a concept, as a taste learns it; see `Edit`. Raises ValueError for no such concept."""
        place = self.index(name)
        return Edit(
            name=name,
            present=self.embeddings[self.has[place]],
            absent=self.embeddings[self.lacks[place]],
            wanted=wanted,
            weight=weight,
        )

    def presence(self, embeddings: Tensor) -> Tensor:
        """How clearly songs [N, layers, dim] have each concept, by ear: [C, N]; they have it where this is positive.

        1 is a standard deviation over songs.
        """
        self._check(embeddings, "presence")
        return readouts.read(self.readouts, embeddings)

    def place(self, embeddings: Tensor) -> Tensor:
        """Songs [N, layers, dim] on the listener's map: [N, 2].

        Their first two principal components; the songs of the pool are within about -1 and 1.
        To the right it is brighter, upwards livelier, as far as these directions tell.
        """
        if embeddings.shape[1:] != self.embeddings.shape[1:]:
            expected = tuple(self.embeddings.shape[1:])
            raise ValueError(
                f"Concepts.place: expected [N, {expected[0]}, {expected[1]}], got {tuple(embeddings.shape)}"
            )
        return (embeddings.float().flatten(1) - self.centre) @ self.axes.T

    def _check(self, embeddings: Tensor, asked: str) -> None:
        layers, dim = self.embeddings.shape[1:]
        if embeddings.ndim != 3 or tuple(embeddings.shape[1:]) != (layers, dim):
            raise ValueError(f"Concepts.{asked}: expected [N, {layers}, {dim}], got {tuple(embeddings.shape)}")

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}
