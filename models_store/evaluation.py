"""One evaluation: generate, encode, measure, all on the device. A pure function, and knows no listener."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from models_store import artefacts
from models_store.audio import Audio
from models_store.encoders.base import AudioEncoder
from models_store.generators.base import Genomes, MusicGenerator


@dataclass(frozen=True)
class Evaluations:
    """What was heard when a batch of genomes was played, on the CPU.

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
    """Play `genomes`, hear them and measure their faults: no file in between, and no sound leaves the device."""
    return hear(encoder, generator.generate(genomes, seconds=seconds, seeds=seeds))


def hear(encoder: AudioEncoder, audio: Audio) -> Evaluations:
    """Hear sounds and measure their faults where they are. Only the results come to the CPU, once, at the end."""
    embeddings, faults = encoder.encode(audio), artefacts.measure(audio)
    return Evaluations(embeddings=embeddings.cpu(), artefacts=faults.cpu())
