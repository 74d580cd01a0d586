"""Aligners in files: the checkpoints that our own command trained, and the prototype's."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from models_store import checkpoints
from models_store.aligner import prototype
from models_store.aligner.model import AlignerConfig, AlignerV2

FOLDER = Path(__file__).resolve().parents[2] / "aligner"
"""Where the shipped checkpoints are, with the README that says how each was made: one per encoder."""


def path_of(encoder: str) -> Path:
    """The shipped checkpoint for the encoder of this name. Raises ValueError where none is shipped."""
    path = FOLDER / f"{encoder}.pt"
    if not path.is_file():
        # A name with another dot in it is what lies beside a checkpoint.
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.pt") if "." not in file.stem)) or "none"
        raise ValueError(
            f"aligner: no checkpoint is shipped for the encoder {encoder!r} (there are: {known}); "
            "name one in user_model.aligner.abs_file_path, or train one with "
            f"`python manage.py train_aligner --generator NAME --encoder {encoder} --out aligner/{encoder}.pt`"
        )
    return path


def concepts_beside(path: Path) -> Path:
    """Where the concepts are that were made with a checkpoint: `spectral.concepts.pt` beside `spectral.pt`."""
    return path.with_name(f"{path.stem}.concepts.pt")


def save(aligner: AlignerV2, path: Path, *, notes: dict[str, Any]) -> None:
    """Write weights, config and notes on how they were made (plain numbers and strings)."""
    checkpoints.save(path, weights=aligner.state_dict(), config=asdict(aligner.config), notes=notes)


def load(path: Path) -> AlignerV2:
    """The aligner in a file, ours or the prototype's, in evaluation mode and frozen.

    Raises ValueError, with the path, for a file that is neither, or that is not whole; nothing in a file can run.
    """
    kept = checkpoints.load(path)
    try:
        if prototype.recognises(kept):
            aligner = prototype.aligner(kept)
        else:
            aligner = AlignerV2.of_weights(AlignerConfig(**kept.config), kept.weights)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        whose = "a checkpoint of the prototype's aligner" if prototype.recognises(kept) else "an aligner's checkpoint"
        raise ValueError(f"{path}: expected {whose}: {error}") from error
    return aligner.eval().requires_grad_(False)


def load_for(encoder: str) -> AlignerV2:
    """The shipped aligner for the encoder of this name."""
    return load(path_of(encoder))
