"""Pieces longer than the model was trained on: decoded window after window, each going on from the end of the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models_store import seeding
from models_store.generators.musicgen.decoding import Condition, Decoder, Sampling

KNOWN_SHARE = 0.4
"""How much of a window is what came before it: 12 of 30 s, audiocraft's default (`extend_stride` of 18 s)."""


@dataclass(frozen=True)
class Window:
    """known: frames of the piece that it goes on from. frames: how many it adds."""

    known: int
    frames: int


def plan(frames: int, *, longest: int) -> tuple[Window, ...]:
    """The windows of a piece of so many frames, none of more than `longest`, known ones included.

    Raises ValueError when a window has no room for anything new.
    """
    if frames < 1 or longest < 1:
        raise ValueError(f"windows: expected at least one frame in at least one window, got {frames} in {longest}")
    found, done = [Window(0, min(frames, longest))], min(frames, longest)
    known = int(KNOWN_SHARE * longest)
    while done < frames:
        added = min(frames - done, longest - known)
        found.append(Window(known, added))
        done += added
    return tuple(found)


def seeds_of(seeds: Sequence[int], number: int) -> list[int]:
    """The seeds of a window: those of the pieces for the first, then others that follow from them."""
    if number == 0:
        return list(seeds)
    return [seeding.derive("musicgen window", int(seed), number) for seed in seeds]


def decode(
    decoder: Decoder,
    condition: Condition,
    *,
    frames: int,
    longest: int,
    seeds: Sequence[int],
    sampling: Sampling,
) -> Tensor:
    """Codes int64 [N, codebooks, frames] of pieces of any length. The text is the same in every window.

    longest: frames that the model decodes at once.
    """
    codes: list[Tensor] = []
    for number, window in enumerate(plan(frames, longest=longest)):
        beginning = torch.cat(codes, dim=-1)[..., -window.known :] if window.known else None
        codes.append(
            decoder.decode(
                condition,
                frames=window.frames,
                seeds=seeds_of(seeds, number),
                sampling=sampling,
                beginning=beginning,
            )
        )
    return torch.cat(codes, dim=-1)  # [N, codebooks, frames]
