"""What every generator is: a player that turns genomes into sound."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from models_store.audio import Audio
from models_store.instruments import GenomeKind

Genomes = Sequence[str] | Tensor
"""N prompts, or a float tensor [N, tokens, dim] of (token) embeddings."""


class MusicGenerator(ABC):
    """Plays genomes. The sound of one item depends on (genome, seed, seconds) alone, never on its batch."""

    name: ClassVar[str]
    genome_kinds: ClassVar[frozenset[GenomeKind]]
    licence: ClassVar[str]
    sample_rate: int
    longest_seconds: float

    def prepare(self, device: torch.device | str = "cpu") -> None:
        """Load what playing needs. May be called twice."""

    def release(self) -> None:
        """Give the memory back. `prepare` makes it ready again."""

    @abstractmethod
    def generate(self, genomes: Genomes, *, seconds: float, seeds: Sequence[int]) -> Audio:
        """Play every genome for `seconds`.

        genomes: N prompts, or float [N, tokens, dim] of a kind in `genome_kinds`.
        seconds: length of every piece, 0 < seconds <= longest_seconds.
        seeds: N integers >= 0.
        Returns Audio [N, channels, round(seconds * sample_rate)].
        Raises ValueError for a genome, length or number of seeds it cannot play.
        """


class PromptSpace(ABC):
    """Prompts as genomes of numbers, and back: what the vector searches move in."""

    @abstractmethod
    def embed(self, prompts: Sequence[str], *, length: int) -> Tensor:
        """Prompts as float32 [N, length, dim] on the CPU, cut or padded to `length`."""

    @abstractmethod
    def nearest(self, embeddings: Tensor) -> list[str]:
        """How people read each of [N, length, dim]: the prompt whose words lie nearest."""

    def fresh(self) -> PromptSpace:
        """One that remembers nothing of what others embedded, so that what it reads depends on its user alone."""
        return self


class TokenVocabulary(PromptSpace):
    """The tokens of a generator and their embeddings.

    tokens: their texts. embeddings: float32 [vocabulary, dim], a row for each.
    """

    tokens: tuple[str, ...]
    embeddings: Tensor

    @abstractmethod
    def ids(self, prompts: Sequence[str], *, length: int) -> Tensor:
        """The tokens of prompts as rows of `embeddings`, int64 [N, length], cut or padded to `length`."""

    def embed(self, prompts: Sequence[str], *, length: int) -> Tensor:
        return self.embeddings[self.ids(prompts, length=length)]

    @abstractmethod
    def nearest_ids(self, embeddings: Tensor) -> Tensor:
        """The token nearest to each position of [N, length, dim], int64 [N, length]."""

    @abstractmethod
    def prompts(self, ids: Tensor) -> list[str]:
        """How people read tokens: a prompt for each row of int [N, length]."""

    def nearest(self, embeddings: Tensor) -> list[str]:
        """The prompt whose tokens lie nearest to each of [N, length, dim]."""
        return self.prompts(self.nearest_ids(embeddings))
