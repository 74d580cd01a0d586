"""What the decoder remembers: keys and values of all slots in a static cache, and those of the text."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Window:
    """Where a pass writes and what it looks at.

    slots: where its S keys and values go: a slice, or int64 [1] on the device (then S is 1). length: it looks at the
    slots before this one. mask: float [1 or rows, 1, S, length], added to the scores; None: it looks at all of them.
    """

    slots: slice | Tensor
    length: int
    mask: Tensor | None


@dataclass(frozen=True)
class Memory:
    """Keys and values.

    own: [layers, 2, rows, heads, slots, size]. text: [layers, 2, told, heads, tokens, size], of the rows that know a
    text, which come first; None: the text stands in the slots. text_mask: float [told, 1, 1, tokens], added to scores.
    """

    own: Tensor
    text: Tensor | None
    text_mask: Tensor | None
    told: int

    @property
    def rows(self) -> int:
        """Rows of the batch, told and not."""
        return self.own.shape[2]

    def attend(self, layer: int, states: Tensor, window: Window) -> Tensor:
        """Take up the keys and values of states [rows, S, 3, heads, size] and attend: [rows * S, hidden]."""
        own = self.own[layer]  # [2, rows, heads, slots, size]
        fresh = states[:, :, 1:].permute(2, 0, 3, 1, 4)  # [2, rows, heads, S, size]
        if isinstance(window.slots, slice):
            own[:, :, :, window.slots] = fresh
        else:
            own.index_copy_(3, window.slots, fresh)
        keys, values = own[:, :, :, : window.length].unbind(0)  # [rows, heads, length, size] each
        return _attention(states[:, :, 0], keys, values, window.mask)

    def attend_text(self, layer: int, query: Tensor) -> Tensor:
        """Attend to the text with query [told, S, heads, size]: [told * S, hidden]."""
        if self.text is None:
            raise ValueError("memory: expected a text to attend to, got none")
        return _attention(query, self.text[layer, 0], self.text[layer, 1], self.text_mask)


def _attention(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """query [rows, S, heads, size], keys and values [rows, heads, T, size]: [rows * S, hidden]."""
    rows, span, heads, size = query.shape
    if span == 1 and query.device.type == "cpu":
        return _one_query(query, keys, values, mask)
    seen = functional.scaled_dot_product_attention(query.transpose(1, 2), keys, values, attn_mask=mask)
    return seen.transpose(1, 2).reshape(rows * span, heads * size)


def _one_query(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """The same for one slot on a CPU, where two batched products are faster than the fused kernel."""
    rows, _, heads, size = query.shape
    length = keys.shape[2]
    pairs = rows * heads
    keys, values = keys.flatten(0, 1), values.flatten(0, 1)  # [pairs, length, size], still views of the cache
    query = query.reshape(pairs, 1, size)
    if mask is None:
        scores = torch.bmm(query * size**-0.5, keys.mT)
    else:
        offset = mask.expand(rows, heads, 1, length).reshape(pairs, 1, length)
        scores = torch.baddbmm(offset, query, keys.mT, alpha=size**-0.5)  # [pairs, 1, length]
    return torch.bmm(scores.softmax(-1), values).view(rows, heads * size)
