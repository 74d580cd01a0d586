"""Audio as a value: a batch of equally long pieces and their sample rate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Audio:
    """A batch of sounds.

    samples: float32 [N, channels, time], full scale is [-1, 1].
    sample_rate: samples per second (Hz).
    """

    samples: Tensor
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 3:
            raise ValueError(
                f"Audio.samples: expected [N, channels, time], got shape {tuple(self.samples.shape)}"
            )
        if self.sample_rate <= 0:
            raise ValueError(f"Audio.sample_rate: expected a positive rate in Hz, got {self.sample_rate}")

    def __len__(self) -> int:
        return int(self.samples.shape[0])

    def __getitem__(self, item: slice) -> Audio:
        return Audio(self.samples[item], self.sample_rate)

    @property
    def seconds(self) -> float:
        return float(self.samples.shape[-1] / self.sample_rate)

    def mono(self) -> Audio:
        """The mean of the channels: [N, 1, time]."""
        return Audio(self.samples.mean(dim=1, keepdim=True), self.sample_rate)

    def resample(self, sample_rate: int) -> Audio:
        """The same sound at another rate (windowed sinc, torchaudio)."""
        if sample_rate == self.sample_rate:
            return self
        from torchaudio.functional import resample

        return Audio(resample(self.samples, self.sample_rate, sample_rate), sample_rate)

    def crop(self, seconds: float) -> Audio:
        """The first `seconds`."""
        return Audio(self.samples[..., : round(seconds * self.sample_rate)], self.sample_rate)


def concatenate(parts: list[Audio]) -> Audio:
    """One batch from several of the same rate, channels and length."""
    if not parts:
        raise ValueError("concatenate: expected at least one batch of audio, got none")
    return Audio(torch.cat([part.samples for part in parts]), parts[0].sample_rate)
