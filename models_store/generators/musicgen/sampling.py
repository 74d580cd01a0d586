"""How the next token is drawn: top-k, temperature, and the inverse of the cumulated distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models_store import seeding

_SMALLEST = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen.

    guidance: how far to go from what the model expects without the text to what it expects with it, and beyond
        (classifier-free guidance, Ho & Salimans 2022); 1: the text alone, at half the work.
    temperature: more than 0; below 1 the likely becomes likelier. top_k: how many tokens may be drawn; 0: all.
    greedy: the likeliest token always; nothing is drawn.

    Raises ValueError for numbers outside of these.
    """

    guidance: float = 3.0
    temperature: float = 1.0
    top_k: int = 250
    greedy: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.guidance) and self.guidance >= 1.0):
            raise ValueError(f"guidance: expected a finite number of at least 1, got {self.guidance}")
        if not (math.isfinite(self.temperature) and self.temperature > 0.0):
            raise ValueError(f"temperature: expected a finite number above 0, got {self.temperature}")
        if self.top_k < 0:
            raise ValueError(f"top_k: expected 0 (all) or more, got {self.top_k}")

    @property
    def guided(self) -> bool:
        """Whether a second half of the batch, without the text, is needed."""
        return self.guidance != 1.0


def uniforms(seeds: Sequence[int], *, frames: int, codebooks: int) -> Tensor:
    """Numbers in [0, 1), one per item, codebook and frame: float32 [N, codebooks, frames], on the CPU.

    They come from one generator per seed, on the CPU, so that every device draws the same; frame after frame, so that
    a longer piece begins as a shorter one. Raises ValueError for a seed that is negative or too large.
    """
    drawn = [torch.rand(frames, codebooks, generator=seeding.generator(seed)) for seed in seeds]
    return torch.stack(drawn).transpose(1, 2)  # [N, codebooks, frames]


def choose(logits: Tensor, numbers: Tensor, sampling: Sampling) -> Tensor:
    """Tokens int64 [...] from logits float32 [..., vocabulary] and numbers in [0, 1) [...].

    A token is the first whose cumulated probability exceeds its number. All tokens that are as likely as the k-th are
    kept, as transformers does. Nothing here waits for the device.
    """
    if sampling.greedy:
        return logits.argmax(-1)
    scores = logits if sampling.temperature == 1.0 else logits / sampling.temperature
    if 0 < sampling.top_k < scores.shape[-1]:
        # In one pass: what is below the k-th is now below zero, and becomes impossible.
        scores = functional.threshold(scores - _kth(scores, sampling.top_k), -_SMALLEST, -torch.inf)
    cumulated = scores.softmax(-1).cumsum(-1)  # [..., vocabulary]
    # Against the last sum, which rounding leaves near 1: the largest number there is, 1 - 2**-24, stays below it.
    wanted = numbers.unsqueeze(-1) * cumulated[..., -1:]  # [..., 1]
    return torch.searchsorted(cumulated, wanted, right=True).squeeze(-1)


def _kth(scores: Tensor, k: int) -> Tensor:
    """The k-th largest of the last dimension, kept as a dimension of one."""
    if scores.device.type != "cpu":
        return scores.topk(k, sorted=False).values.amin(-1, keepdim=True)
    place = scores.shape[-1] - k  # numpy's selection is several times faster than torch's on a CPU
    return torch.from_numpy(np.partition(scores.numpy(), place, axis=-1)[..., place, None])
