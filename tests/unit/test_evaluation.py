"""An evaluation is what was heard when a genome was played."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models_store import artefacts
from models_store.audio import Audio
from models_store.encoders.spectral import SpectralEncoder
from models_store.evaluation import play
from models_store.generators.base import Genomes, MusicGenerator
from tests.unit.small_music import piece


class _SmallGenerator(MusicGenerator):
    """Plays a tiny piece for each seed; the prompt "silence" is obeyed. It remembers what it was asked."""

    name = "small"
    genome_kinds = frozenset({"text"})
    licence = "Apache-2.0"
    sample_rate = 22_050
    longest_seconds = 10.0

    def __init__(self) -> None:
        self.asked: list[tuple[float, list[int]]] = []

    def generate(self, genomes: Genomes, *, seconds: float, seeds: Sequence[int]) -> Audio:
        self.asked.append((seconds, list(seeds)))
        loud = torch.tensor([0.0 if genome == "silence" else 1.0 for genome in genomes])
        samples = torch.stack([piece(seed, seconds=seconds, rate=self.sample_rate) for seed in seeds])
        return Audio(samples * loud[:, None, None], self.sample_rate)


def _play(prompts: list[str], seeds: list[int]) -> tuple[Tensor, Tensor]:
    heard = play(_SmallGenerator(), SpectralEncoder(), prompts, seconds=1.0, seeds=seeds)
    return heard.embeddings, heard.artefacts


def test_everything_played_is_heard_and_measured() -> None:
    generator = _SmallGenerator()
    heard = play(generator, SpectralEncoder(), ["a", "b", "silence"], seconds=2.0, seeds=[1, 2, 3])
    assert len(heard) == 3
    assert heard.embeddings.shape == (3, 8, 64)
    assert heard.artefacts.shape == (3, len(artefacts.NAMES))
    assert generator.asked == [(2.0, [1, 2, 3])]


def test_an_evaluation_does_not_depend_on_its_batch() -> None:
    embeddings, faults = _play(["a", "b", "c"], [4, 5, 6])
    for index, seed in enumerate([4, 5, 6]):
        alone, faults_alone = _play(["x"], [seed])
        torch.testing.assert_close(alone[0], embeddings[index], atol=1e-5, rtol=0)
        torch.testing.assert_close(faults_alone[0], faults[index], atol=1e-5, rtol=0)


def test_the_same_genome_and_seed_give_the_same_evaluation() -> None:
    first, again = _play(["a", "b"], [1, 2]), _play(["a", "b"], [1, 2])
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_silence_is_heard_as_the_worst() -> None:
    _, faults = _play(["a", "silence"], [1, 2])
    totals = artefacts.total(faults)
    assert totals[1] == 1 > totals[0]
