"""A training that may be interrupted: one file beside the checkpoint to be, written after each epoch."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from models_store import checkpoints
from models_store.aligner.descent import Descent


class TrainingState:
    """Where a training stands, in a file that is itself a checkpoint: the aligner as it is by now.

    identity: of everything that decides the next epoch. A state with another one is not gone on with.
    """

    def __init__(self, file: Path | None, identity: str) -> None:
        """file: None: nothing is kept."""
        self._file = file
        self._identity = identity

    def take_up(self, descent: Descent, *, resume: bool) -> bool:
        """Go on where the file was written; whether there is one.

        resume: whether that is wanted. Raises ValueError if it is not, and for the state of another training.
        """
        if self._file is None or not self._file.exists():
            return False
        if not resume:
            raise ValueError(f"{self._file}: a training was begun here; --resume goes on, without the file it begins")
        kept = checkpoints.load(self._file)
        if kept.notes.get("training") != self._identity:
            raise ValueError(
                f"{self._file}: was begun with other histories, songs, options or another seed than now; "
                "give the same again, or remove the file to begin anew"
            )
        descent.restore(kept.weights, kept.notes["descent"])
        return True

    def keep(self, descent: Descent) -> None:
        """Write the state after an epoch; the file is whole or as it was."""
        if self._file is not None:
            weights, rest = descent.state()
            notes: dict[str, Any] = {"training": self._identity, "descent": rest}
            checkpoints.save(self._file, weights=weights, config=asdict(descent.aligner.config), notes=notes)
