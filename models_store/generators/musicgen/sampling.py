"""How the next token is drawn: top-k, temperature, and the inverse of the cumulated distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models_store import seeding

_SMALLEST = torch.finfo(torch.float32).tiny

COLDEST = 1e-3
"""The lowest temperature: below it the likeliest token is as good as sure (for that there is `greedy`), and float32
soon cannot hold the scores."""

FARTHEST = 1e3
"""The most guidance: what is played is long past music, and what guides stays finite."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen.

    guidance: how far to go from what the model expects without the text to what it expects with it, and beyond
        (classifier-free guidance, Ho & Salimans 2022), 1 to 1000; 1: the text alone, at half the work.
    temperature: 0.001 or more; below 1 the likely becomes likelier. top_k: how many tokens may be drawn; 0: all.
    greedy: the likeliest token always; nothing is drawn.

    Raises ValueError for numbers outside of these, and for what is no number.
    """

    guidance: float = 3.0
    temperature: float = 1.0
    top_k: int = 250
    greedy: bool = False

    def __post_init__(self) -> None:
        if not (_is(self.guidance, Real) and 1.0 <= self.guidance <= FARTHEST):
            raise ValueError(f"guidance: expected a number from 1 to {FARTHEST:g}, got {self.guidance!r}")
        if not (_is(self.temperature, Real) and COLDEST <= self.temperature < math.inf):
            raise ValueError(f"temperature: expected a finite number of at least {COLDEST:g}, got {self.temperature!r}")
        if not (_is(self.top_k, Integral) and self.top_k >= 0):
            raise ValueError(f"top_k: expected a whole number, 0 (all) or more, got {self.top_k!r}")
        if not isinstance(self.greedy, bool):
            raise ValueError(f"greedy: expected True or False, got {self.greedy!r}")
        # Python's own numbers, whatever came: torch takes no others everywhere.
        object.__setattr__(self, "guidance", float(self.guidance))
        object.__setattr__(self, "temperature", float(self.temperature))
        object.__setattr__(self, "top_k", int(self.top_k))

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
    kept, as transformers does. Nothing here waits for the device, so nothing is looked at: whatever the logits, NaN
    among them, what comes is a token.
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
    # Beside NaN the place found is the end, which is no token.
    return torch.searchsorted(cumulated, wanted, right=True).squeeze(-1).clamp_max(cumulated.shape[-1] - 1)


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _kth(scores: Tensor, k: int) -> Tensor:
    """The k-th largest of the last dimension, kept as a dimension of one."""
    if scores.device.type != "cpu":
        return scores.topk(k, sorted=False).values.amin(-1, keepdim=True)
    place = scores.shape[-1] - k  # numpy's selection is several times faster than torch's on a CPU
    return torch.from_numpy(np.partition(scores.numpy(), place, axis=-1)[..., place, None])
