"""A MusicGen of random weights that plays: what its tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from models_store.generators.musicgen.generator import MusicGen

PROMPTS = ["calm piano", "energetic rock with drums and guitar, 120 bpm", "zorb"]
SECONDS, SEEDS = 0.5, [1, 2, 3]
CLOSE = 1e-5
"""Samples of two ways to the same sound: float32, summed in another order."""


def prepared(folder: Path, **parameters: Any) -> MusicGen:
    made = MusicGen(model=str(folder), **parameters)
    made.prepare()
    return made


def play(player: MusicGen, genomes: Any = PROMPTS, seeds: list[int] = SEEDS, seconds: float = SECONDS) -> Tensor:
    return player.generate(genomes, seconds=seconds, seeds=seeds).samples


def apart(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).abs().max())
