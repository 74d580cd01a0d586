"""What every encoder is: an ear that turns sound into numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from models_store.audio import Audio


class AudioEncoder(ABC):
    """Hears a batch. The embedding of one item depends on its sound alone, never on its batch."""

    name: ClassVar[str]
    layers: int
    dim: int
    sample_rate: int

    def prepare(self, device: torch.device | str = "cpu") -> None:
        """Load what hearing needs. May be called twice."""

    def release(self) -> None:
        """Give the memory back. `prepare` makes it ready again."""

    @abstractmethod
    def encode(self, audio: Audio) -> Tensor:
        """Embeddings float32 [N, layers, dim] of Audio [N, channels, time] at any rate, on the device that heard it.

        Never NaN, whatever the sound. Raises ValueError for an empty or too short one.
        """
