"""Weights and states as files and bytes. Nothing that is loaded here can run code.

A checkpoint is one file written by `torch.save`, holding one dictionary:

    "format"   FORMAT; absent in files of other programs, which are read as well
    "model"    name -> tensor, a module's `state_dict()`
    "config"   name -> plain value, what the module is built from
    "notes"    name -> plain value, how it was made (may be absent)

A plain value is None, a bool, int, float or str, a tensor, or a dict (keys: str or int), list or tuple of
plain values. A state is the same without the four names. Everything is read with `weights_only=True`: a file can
only hold plain values, whatever its pickle asks for.
"""

from __future__ import annotations

import io
import os
import pickle
import re
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

FORMAT = "evomusic-checkpoint-1"

_ASKED_FOR = re.compile(r"GLOBAL (\S+)")
"""The class or function in torch's refusal to load it."""


class CheckpointError(ValueError):
    """A file or bytes that are not what was saved, or a value that cannot be saved. Says which and why."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights (name -> tensor), the config that the module is built from, and notes on how it was made."""

    weights: dict[str, Tensor]
    config: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)


def save(
    path: Path | str,
    *,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint; the file is whole or not there at all. Raises CheckpointError for a value not plain."""
    content = {"format": FORMAT, "model": dict(weights), "config": dict(config), "notes": dict(notes or {})}
    written = _packed(content)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(written)
        os.chmod(unfinished, 0o644)  # noqa: PTH101 - as any file: mkstemp makes it private
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def load(path: Path | str, *, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Raises CheckpointError, with the path, for a file that is missing, cut short, of another format, or that asks to
    run code.
    """
    where = str(path)
    try:
        with Path(path).open("rb") as file:
            content = _unpacked(file, where, device)
    except OSError as error:
        raise CheckpointError(f"{where}: cannot be read ({error.strerror or error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), Mapping):
        raise CheckpointError(f'{where}: expected a checkpoint with "model" and "config", got {_kind(content)}')
    version = content.get("format", FORMAT)
    if version != FORMAT:
        raise CheckpointError(f"{where}: expected format {FORMAT!r}, got {version!r}")
    weights, config = dict(content["model"]), content.get("config")
    wrong = [name for name, value in weights.items() if not isinstance(value, Tensor)]
    if wrong:
        raise CheckpointError(
            f"{where}: expected a tensor for each weight, got {_kind(weights[wrong[0]])} for {wrong[0]!r}"
        )
    if not isinstance(config, Mapping):
        raise CheckpointError(f'{where}: expected "config" to be a dictionary, got {_kind(config)}')
    return Checkpoint(weights=weights, config=dict(config), notes=dict(content.get("notes") or {}))


def to_bytes(state: Mapping[str, Any]) -> bytes:
    """A state of plain values as bytes. Raises CheckpointError that names the first value that is not plain."""
    return _packed(dict(state))


def from_bytes(stored: bytes) -> dict[str, Any]:
    """What `to_bytes` was given. Raises CheckpointError for anything else."""
    content = _unpacked(io.BytesIO(stored), "stored state", "cpu")
    if not isinstance(content, dict):
        raise CheckpointError(f"stored state: expected a dictionary, got {_kind(content)}")
    return content


def _packed(content: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(_plain(content, "state"), buffer)
    return buffer.getvalue()


def _unpacked(file: BinaryIO, where: str, device: torch.device | str) -> Any:
    try:
        return torch.load(file, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        asked = _ASKED_FOR.search(str(error))
        reason = f"it asks for {asked.group(1)}" if asked else "it is not what torch.save writes"
        raise CheckpointError(f"{where}: expected a checkpoint of plain values only, but {reason}") from error
    except (RuntimeError, EOFError, KeyError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{where}: not a whole checkpoint, it may have been cut short: {_first(error)}"
        ) from error


def _plain(value: Any, where: str) -> Any:
    """A copy of a plain value; tensors are detached, on the CPU, and no larger than what they show."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, Mapping):
        odd = [key for key in value if type(key) not in (str, int)]
        if odd:
            raise CheckpointError(f"{where}: expected str or int keys, got {odd[0]!r}")
        return {key: _plain(entry, f"{where}.{key}") for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(entry, f"{where}[{index}]") for index, entry in enumerate(value))
    raise CheckpointError(f"{where}: expected a plain value (see models_store.checkpoints), got {_kind(value)}")


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"


def _first(error: BaseException) -> str:
    """The first line of a message that may be a page long."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
