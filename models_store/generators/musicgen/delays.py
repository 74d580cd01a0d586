"""The delay pattern: codebook k of a frame is decoded k steps after its first codebook.

Copet et al. 2023, "Simple and Controllable Music Generation", section 2.2. Slot 0 is padding in all codebooks; the
code of frame f in a codebook with delay d stands in slot f + 1 + d; what is left is padding. In stereo the codebooks
of left and right stand by turns, and a pair has one delay.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def of(*, codebooks: int, channels: int) -> tuple[int, ...]:
    """Steps by which each codebook is late."""
    return tuple(codebook // channels for codebook in range(codebooks))


def write(pieces: Tensor, values: Tensor, delays: Sequence[int], *, first: int) -> None:
    """Put values [N, codebooks, F] of the frames from `first` on into pieces [slots, N, codebooks], in place."""
    for codebook, delay in enumerate(delays):
        start = first + 1 + delay
        pieces[start : start + values.shape[2], :, codebook] = values[:, codebook].T


def read(pieces: Tensor, delays: Sequence[int], *, first: int, frames: int) -> Tensor:
    """The values [N, codebooks, frames] of the frames from `first` on, out of pieces [slots, N, codebooks]."""
    rows = [pieces[first + 1 + delay :][:frames, :, codebook] for codebook, delay in enumerate(delays)]
    return torch.stack(rows, dim=2).permute(1, 2, 0).contiguous()  # [N, codebooks, frames]


def steps(frames: int, delays: Sequence[int]) -> int:
    """Steps until the last codebook of the last frame is there: the slots but the last are fed to the decoder."""
    return frames + max(delays)
