"""Genomes as JSON: how a candidate travels to a player and rests in the database."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

Genome = str | NDArray[np.float32]


def to_json(genome: Genome) -> Any:
    """A prompt as it is; an embedding [tokens, dim] as {"shape", "float32": base64, little endian}."""
    if isinstance(genome, str):
        return genome
    content = base64.b64encode(np.ascontiguousarray(genome, dtype="<f4").tobytes()).decode()
    return {"shape": list(genome.shape), "float32": content}


def from_json(value: Any) -> Genome:
    """The genome that `to_json` wrote. Raises ValueError for anything else."""
    if isinstance(value, str):
        return value
    try:
        numbers = np.frombuffer(base64.b64decode(value["float32"], validate=True), dtype="<f4")
        return numbers.reshape(value["shape"]).astype(np.float32)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"a genome: expected a prompt or {{shape, float32}}, got {str(value)[:80]!r}") from error


def size(genome: Genome) -> int:
    """About how many bytes its JSON takes."""
    return len(genome.encode()) if isinstance(genome, str) else 4 * genome.nbytes // 3
