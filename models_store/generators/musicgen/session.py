"""The tensors of one decode, and its step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models_store.generators.musicgen import delays
from models_store.generators.musicgen.attention import Memory, Window
from models_store.generators.musicgen.condition import Condition
from models_store.generators.musicgen.sampling import Sampling, choose
from models_store.generators.musicgen.transformer import Network, forward

STATES_AT_ONCE = 8192
"""Rows times slots that pass the layers together when a beginning is read: it bounds their memory."""


@dataclass(frozen=True)
class Shape:
    """What the tensors of a decode, and the kernels of its step, depend on.

    tokens: of the text. frames: of the piece, its beginning among them. block: slots and tokens are rounded up to this.
    """

    items: int
    tokens: int
    frames: int
    sampling: Sampling
    block: int = 1

    @property
    def rows(self) -> int:
        """Rows of the batch: guidance doubles it."""
        return self.items * (2 if self.sampling.guided else 1)


class Session:
    """The tensors of one decode. They stay where they are from one decode to the next of the same shape.

    Slot s of the codes is fed to the decoder to choose slot s + 1. What the decoder keeps of it lies behind the text
    that stands in front of the codes, if the variant has one.
    """

    def __init__(self, network: Network, shape: Shape) -> None:
        self.network, self.shape, device = network, shape, network.device
        self.late = delays.of(codebooks=network.codebooks, channels=network.channels)
        self.steps = delays.steps(shape.frames, self.late)
        self.front = 0 if network.crossed else shape.tokens
        self.slots = -(-(self.front + self.steps) // shape.block) * shape.block
        self.memory = _memory(network, shape, slots=self.slots)
        self.codes = torch.zeros(self.steps + 1, shape.items, network.codebooks, dtype=torch.int64, device=device)
        self.free = torch.zeros(self.steps + 1, 1, network.codebooks, dtype=torch.bool, device=device)
        self.numbers = torch.zeros(self.steps + 1, shape.items, network.codebooks, device=device)
        self.slot = torch.zeros(1, dtype=torch.int64, device=device)
        self._offsets = torch.arange(network.codebooks, device=device) * (network.vocabulary + 1)
        self._places = network.places(self.slots).to(device)  # [slots, hidden]
        self._all_slots = torch.arange(self.slots, device=device)
        # Only where the text stands in front: how far a row's positions lag behind its slots, and what it never sees.
        self._lag: Tensor | None = None
        self._hidden: Tensor | None = None
        if not network.crossed:
            self._lag = torch.zeros(shape.rows, dtype=torch.int64, device=device)
            self._hidden = torch.zeros(shape.rows, 1, 1, self.slots, dtype=network.dtype, device=device)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the tensors, but for the small ones."""
        tensors = [self.memory.own, self.codes, self.numbers]
        if self.memory.text is not None:
            tensors.append(self.memory.text)
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def begin(self, condition: Condition, beginning: Tensor | None, numbers: Tensor) -> None:
        """Take up the text, the codes int64 [N, codebooks, B] to go on from, and the numbers [N, codebooks, F].

        Afterwards the steps go from slot B on.
        """
        start = 0 if beginning is None else beginning.shape[2]
        self.codes.fill_(self.network.pad)
        self.free.fill_(False)
        delays.write(self.numbers, numbers.to(self.numbers), self.late, first=start)
        unknown = torch.ones_like(numbers[:1], dtype=torch.bool, device=self.free.device)
        delays.write(self.free, unknown, self.late, first=start)
        self.slot.fill_(start)
        condition = condition.to(self.network.device, self.network.dtype).padded(self.shape.tokens)
        if self.network.crossed:
            self._take_up(condition)
        else:
            self._put_in_front(condition.right_aligned())
        if beginning is not None and start:
            delays.write(self.codes, beginning.to(self.codes), self.late, first=0)
            states = self._embed(self.codes[:start]).transpose(0, 1)  # [N, B, hidden]
            self._pass(states.repeat(self.shape.rows // len(states), 1, 1), first=self.front)

    def step(self, slot: int) -> None:
        """Choose what stands in slot + 1; looks at the slots there are, no further."""
        at = self.front + slot
        mask = None if self._hidden is None else self._hidden[..., : at + 1]
        places = self._places[at] if self._lag is None else self._places[at - self._lag]
        tokens = self._tokens(self.codes[slot], places, self.numbers[slot + 1], Window(slice(at, at + 1), at + 1, mask))
        self.codes[slot + 1] = torch.where(self.free[slot + 1], tokens, self.codes[slot + 1])

    def step_in_place(self, length: int) -> None:
        """The same for the slot that `self.slot` holds, which then moves on; looks at `length` slots, most masked.

        Nothing here depends on a number that the processor would have to know, so that a CUDA graph can repeat it.
        """
        at, following = self.slot + self.front, self.slot + 1
        mask = torch.zeros(1, 1, 1, length, dtype=self.network.dtype, device=self.network.device)
        mask = mask.masked_fill(self._all_slots[:length] > at, -torch.inf)
        if self._hidden is not None:
            mask = mask + self._hidden[..., :length]  # [rows, 1, 1, length]
        places = self._places.index_select(0, at if self._lag is None else at - self._lag)
        codes = self.codes.index_select(0, self.slot)[0]
        numbers = self.numbers.index_select(0, following)[0]
        tokens = self._tokens(codes, places, numbers, Window(at, length, mask))
        fixed = self.codes.index_select(0, following)
        chosen = torch.where(self.free.index_select(0, following), tokens, fixed)  # [1, N, codebooks]
        self.codes.index_copy_(0, following, chosen)
        self.slot.add_(1)

    def _tokens(self, codes: Tensor, places: Tensor, numbers: Tensor, window: Window) -> Tensor:
        """Tokens [N, codebooks] that follow on codes [N, codebooks]."""
        network, shape = self.network, self.shape
        x = self._embed(codes)  # [N, hidden]
        if shape.sampling.guided:
            x = x.repeat(2, 1)  # [rows, hidden]
        x = network.norm(forward(network, x + places, self.memory, window))
        if shape.sampling.guided:
            # The heads have no bias: what guides their inputs guides the logits, at half the work.
            x = torch.lerp(x[shape.items :], x[: shape.items], shape.sampling.guidance)  # [N, hidden]
        logits = functional.linear(x, network.head).float().view(shape.items, network.codebooks, network.vocabulary)
        return choose(logits, numbers, shape.sampling)

    def _embed(self, codes: Tensor) -> Tensor:
        """The sum of the codebooks' embeddings: [..., codebooks] to [..., hidden]."""
        return functional.embedding(codes + self._offsets, self.network.embeddings).sum(-2)

    def _take_up(self, condition: Condition) -> None:
        """The text's keys and values, once for all steps.

        The unguided half would attend to states of zero, whose keys and values are zero for want of a bias: what it
        attends to adds nothing, so it has none.
        """
        network, (text, mask) = self.network, (self.memory.text, self.memory.text_mask)
        if text is None or mask is None:
            raise ValueError("session: expected a decoder that attends to its text")
        for index, layer in enumerate(network.layers):
            if layer.cross is not None:
                both = functional.linear(condition.states, layer.cross.key_value)  # [N, tokens, 2 * hidden]
                both = both.unflatten(-1, (2, network.heads, -1))  # [N, tokens, 2, heads, size]
                text[index] = both.permute(2, 0, 3, 1, 4)  # [2, N, heads, tokens, size]
        # Where all is masked, all may be seen: it is zero.
        seen = condition.mask | ~condition.mask.any(1, keepdim=True)
        mask.zero_().masked_fill_(~seen[:, None, None, :], -torch.inf)

    def _put_in_front(self, condition: Condition) -> None:
        """The text's slots, in front of the codes'; the unguided half has other states and the same mask."""
        if self._lag is None or self._hidden is None:
            raise ValueError("session: expected a decoder whose text stands in front of the codes")
        states, mask = condition.states, condition.mask
        if self.shape.sampling.guided:
            null = torch.zeros_like(states) if condition.null is None else condition.null
            states, mask = torch.cat([states, null]), mask.repeat(2, 1)
        self._lag.copy_(self.shape.tokens - mask.sum(1))
        self._hidden.zero_()[..., : self.shape.tokens].masked_fill_(~mask[:, None, None, :], -torch.inf)
        self._pass(states, first=0)

    def _pass(self, states: Tensor, *, first: int) -> None:
        """Fill the memory's slots from `first` on with states [rows, S, hidden] that are known."""
        rows, span, hidden = states.shape
        at_once = max(1, STATES_AT_ONCE // rows)
        for begin in range(0, span, at_once):
            part = states[:, begin : begin + at_once]
            start, end = first + begin, first + begin + part.shape[1]
            slots = self._all_slots[start:end]
            if self._lag is None:
                places = self._places[start:end]  # [S, hidden]
            else:
                places = self._places[(slots - self._lag[:, None]).clamp(min=0)]  # [rows, S, hidden]
            mask = self._causal(slots, end)
            x = (part + places).reshape(-1, hidden)  # [rows * S, hidden]
            forward(self.network, x, self.memory, Window(slice(start, end), end, mask))

    def _causal(self, slots: Tensor, length: int) -> Tensor:
        """The mask [1 or rows, 1, S, length] of these slots: each sees itself and what is before it."""
        later = self._all_slots[None, :length] > slots[:, None]  # [S, length]
        mask = torch.zeros(later.shape, dtype=self.network.dtype, device=later.device)
        mask = mask.masked_fill(later, -torch.inf)[None, None]
        if self._hidden is not None:
            # A slot that nobody sees still sees itself: attending to nothing would leave NaN in the memory.
            itself = self._all_slots[None, :length] == slots[:, None]
            mask = (mask + self._hidden[..., :length]).masked_fill(itself, 0.0)
        return mask


def _memory(network: Network, shape: Shape, *, slots: int) -> Memory:
    """An empty memory."""
    device, numbers = network.device, network.dtype
    layers, heads, size = len(network.layers), network.heads, network.hidden // network.heads
    own = torch.zeros(layers, 2, shape.rows, heads, slots, size, dtype=numbers, device=device)
    if not network.crossed:
        return Memory(own=own, text=None, text_mask=None, told=0)
    text = torch.zeros(layers, 2, shape.items, heads, shape.tokens, size, dtype=numbers, device=device)
    text_mask = torch.zeros(shape.items, 1, 1, shape.tokens, dtype=numbers, device=device)
    return Memory(own=own, text=text, text_mask=text_mask, told=shape.items)


def bytes_per_item(network: Network, *, frames: int, tokens: int, block: int = 1) -> int:
    """Bytes that one more guided item takes: what is kept, and the largest of what a step makes on the way.

    frames, tokens and block: as in Shape.
    """
    late = delays.of(codebooks=network.codebooks, channels=network.channels)
    steps = delays.steps(frames, late)
    width, hidden = torch.empty((), dtype=network.dtype).element_size(), network.hidden
    slots = -(-(steps if network.crossed else tokens + steps) // block) * block
    kept = len(network.layers) * 2 * hidden * width * (2 * slots + (tokens if network.crossed else 0))
    codes = (steps + 1) * network.codebooks * (8 + 4)
    # Logits, scores, what top-k keeps (with int64 indices), probabilities and their sums, in float32.
    drawing = network.codebooks * network.vocabulary * (network.head.element_size() + 4 * 5 + 8)
    known = 2 * tokens * hidden * width * 3
    passing = 2 * (6 * hidden + 2 * network.inner) * width
    return kept + codes + drawing + known + passing
