"""`soundfont`: reads a prompt, arranges a piece and plays it with a SoundFont. No download, no GPU."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from models_store.audio import Audio
from models_store.generators.base import Genomes, MusicGenerator
from models_store.generators.soundfont import mixing, reading, sampler, sf2
from models_store.generators.soundfont.arranger import arrange
from models_store.generators.soundfont.description import Description, describe, said
from models_store.generators.soundfont.tokens import SoundFontVocabulary
from models_store.instruments import GenomeKind

DEFAULT_SAMPLE_RATE = 32000
"""Hz. The default font's samples hold little above 15 kHz."""


class SoundFontGenerator(MusicGenerator):
    """The embedded generator: text, or token embeddings [N, L, 32] of its own vocabulary.

    soundfont_path: a General MIDI font (.sf2); None: the one of pretty_midi's package.
    sample_rate: of what is played, in Hz, 8000 to 96000. threads: None: one per core.
    """

    name: ClassVar[str] = "soundfont"
    genome_kinds: ClassVar[frozenset[GenomeKind]] = frozenset({"text", "token_embeddings"})
    licence: ClassVar[str] = "Apache-2.0; the default SoundFont, TimGM6mb by Tim Brechbill, GPL-2"
    longest_seconds = 600.0

    def __init__(
        self,
        *,
        soundfont_path: str | Path | None = None,
        sample_rate: int = DEFAULT_SAMPLE_RATE,
        threads: int | None = None,
    ) -> None:
        if not 8000 <= sample_rate <= 96000:
            raise ValueError(f"sample_rate: expected 8000 to 96000 Hz, got {sample_rate}")
        self.sample_rate = sample_rate
        self.vocabulary = SoundFontVocabulary()
        self._path = Path(soundfont_path) if soundfont_path is not None else None
        self._threads = threads or os.cpu_count() or 1
        self._sampler: sampler.Sampler | None = None

    def prepare(self, device: torch.device | str = "cpu") -> None:  # noqa: ARG002
        """Read the font (about 0.1 s)."""
        if self._sampler is None:
            path = self._path or sampler.default_font()
            if not path.is_file():
                raise ValueError(f"soundfont_path: expected a .sf2 file, got {path}, which is not there")
            self._sampler = sampler.Sampler(sf2.read(path), sample_rate=self.sample_rate)

    def release(self) -> None:
        self._sampler = None

    def generate(self, genomes: Genomes, *, seconds: float, seeds: Sequence[int]) -> Audio:
        """Audio [N, 2, round(seconds * sample_rate)]; see MusicGenerator."""
        if not (math.isfinite(seconds) and 0.0 < seconds <= self.longest_seconds):
            raise ValueError(f"seconds: expected more than 0 and at most {self.longest_seconds:g}, got {seconds}")
        descriptions = self.describe(genomes)
        if len(seeds) != len(descriptions):
            raise ValueError(f"seeds: expected one per genome, got {len(seeds)} for {len(descriptions)} genomes")
        if any(seed < 0 for seed in seeds):
            raise ValueError(f"seeds: expected integers >= 0, got {min(seeds)}")
        self.prepare()
        samples = np.zeros((len(descriptions), 2, round(seconds * self.sample_rate)), dtype=np.float32)
        font = self._sampler
        if font is None or not descriptions:
            return Audio(torch.from_numpy(samples), self.sample_rate)

        def play(index: int) -> None:
            piece = arrange(descriptions[index], seed=int(seeds[index]), seconds=seconds)
            samples[index] = mixing.render(piece, font)

        if min(self._threads, len(descriptions)) == 1:
            for index in range(len(descriptions)):
                play(index)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(play, range(len(descriptions))))
        return Audio(torch.from_numpy(samples), self.sample_rate)

    def describe(self, genomes: Genomes) -> list[Description]:
        """What will be played for prompts, or for token embeddings [N, L, 32]."""
        if isinstance(genomes, Tensor):
            return [describe(weights) for weights in self.vocabulary.weights(genomes)]
        found = []
        for index, prompt in enumerate(genomes):
            try:
                found.append(describe(said(reading.tokens(prompt))))
            except ValueError as error:
                raise ValueError(f"genomes[{index}]: {error}") from error
        return found
