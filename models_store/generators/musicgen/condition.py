"""The text, as the decoder knows it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Condition:
    """Text as the decoder attends to it.

    states: float [N, tokens, hidden], after the projection to the decoder's size; zero where masked.
    mask: bool [N, tokens], True where attended. An item of which nothing is attended is made without a text.
    null: the states that guidance leads away from, float [N, tokens, hidden]; None: zeros, as MusicGen has it. Only
        the melody variant takes others: the chroma of silence, in front of zeros. Its states, chroma and text, stand
        in front of the codes; a masked position takes no room there, so that the codes' positions do not depend on
        padding. (transformers attends to the padding of a batch there; for that, say that nothing is masked.)
    """

    states: Tensor
    mask: Tensor
    null: Tensor | None = None

    def check(self, *, hidden: int, crossed: bool) -> None:
        """Raise ValueError unless the shapes fit a decoder of this size; crossed: one that attends to its text."""
        shape = list(self.states.shape)
        if len(shape) != 3 or shape[1] < 1 or shape[2] != hidden:
            raise ValueError(f"condition.states: expected [N, tokens, {hidden}], one token at least, got {shape}")
        if self.mask.dtype != torch.bool or list(self.mask.shape) != shape[:2]:
            raise ValueError(
                f"condition.mask: expected bool {shape[:2]}, got {self.mask.dtype} {list(self.mask.shape)}"
            )
        if self.null is not None and crossed:
            raise ValueError("condition.null: expected None for a decoder that attends to its text, got states")
        if self.null is not None and list(self.null.shape) != shape:
            raise ValueError(f"condition.null: expected {shape}, got {list(self.null.shape)}")

    def to(self, device: torch.device, dtype: torch.dtype) -> Condition:
        """On a device, in its numbers, zero where masked."""
        mask = self.mask.to(device)
        gone = ~mask.unsqueeze(-1)  # [N, tokens, 1]
        null = None if self.null is None else self.null.to(device, dtype).masked_fill(gone, 0.0)
        return Condition(states=self.states.to(device, dtype).masked_fill(gone, 0.0), mask=mask, null=null)

    def padded(self, tokens: int) -> Condition:
        """With masked positions at the end, up to this many tokens."""
        more = tokens - self.mask.shape[1]
        null = None if self.null is None else functional.pad(self.null, (0, 0, 0, more))
        return Condition(
            states=functional.pad(self.states, (0, 0, 0, more)), mask=functional.pad(self.mask, (0, more)), null=null
        )

    def right_aligned(self) -> Condition:
        """With all masked positions moved to the front; the others keep their order."""
        order = self.mask.to(torch.int8).argsort(dim=1, stable=True)  # [N, tokens]
        places = order.unsqueeze(-1).expand_as(self.states)  # [N, tokens, hidden]
        null = None if self.null is None else self.null.gather(1, places)
        return Condition(states=self.states.gather(1, places), mask=self.mask.gather(1, order), null=null)
