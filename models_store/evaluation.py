"""One evaluation: generate, encode, measure. A pure function, and knows no listener."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from models_store import artefacts
from models_store.encoders.base import AudioEncoder
from models_store.generators.base import Genomes, MusicGenerator


@dataclass(frozen=True)
class Evaluations:
    """What was heard when a batch of genomes was played.

    embeddings: float32 [N, layers, dim], the encoder's.
    artefacts: float32 [N, len(artefacts.NAMES)], each in [0, 1], 0 on clean music.
    """

    embeddings: Tensor
    artefacts: Tensor

    def __len__(self) -> int:
        return int(self.embeddings.shape[0])


def play(
    generator: MusicGenerator,
    encoder: AudioEncoder,
    genomes: Genomes,
    *,
    seconds: float,
    seeds: Sequence[int],
) -> Evaluations:
    """Play `genomes`, hear them and measure their faults: no file in between."""
    audio = generator.generate(genomes, seconds=seconds, seeds=seeds)
    return Evaluations(embeddings=encoder.encode(audio), artefacts=artefacts.measure(audio))
