"""MusicGen's decode loop: a whole population at once, with a static cache and no synchronisation per step.

transformers' `generate` gives the same tokens (greedy, float32) and the same distribution (sampled), one small kernel
after the other, with a cache that is copied at every step. Here the keys and values of the text are computed once, the
half of the batch that knows no text skips what would add zeros to it, and guidance is applied to the last hidden
states, in front of the heads. On a GPU the step is a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models_store.generators.musicgen import delays, session, transformer
from models_store.generators.musicgen.condition import Condition
from models_store.generators.musicgen.graphs import BLOCK, GraphedSessions
from models_store.generators.musicgen.sampling import Sampling, uniforms

__all__ = ["Condition", "Decoder", "Sampling"]

AS_PUBLISHED = Sampling()
"""What MusicGen's authors generate with: guidance 3, the 250 likeliest tokens."""


class Decoder:
    """Decodes audio codes with the weights of transformers' MusicgenForCausalLM or MusicgenMelodyForCausalLM.

    The weights stay on their device and in their numbers; those that are used together (query, key and value; the
    heads; the embeddings) are laid side by side in memory, and the model's own parameters become views of that.
    Raises ValueError for another kind of model.
    """

    def __init__(self, model: Any) -> None:
        self._network = transformer.read(model)
        self._graphed = GraphedSessions(self._network) if self._network.device.type == "cuda" else None

    @property
    def codebooks(self) -> int:
        """Codes per frame; 8 for stereo, left and right by turns."""
        return self._network.codebooks

    @property
    def held_bytes(self) -> int:
        """Bytes of the device that are kept for a next decode of the same shape; `decode` gives them back on need."""
        return 0 if self._graphed is None else self._graphed.held_bytes

    def release(self) -> None:
        """Give back what is kept from one decode to the next."""
        if self._graphed is not None:
            self._graphed.clear()

    def decode(
        self,
        condition: Condition,
        *,
        frames: int,
        seeds: Sequence[int],
        sampling: Sampling = AS_PUBLISHED,
        beginning: Tensor | None = None,
    ) -> Tensor:
        """Codes int64 [N, codebooks, frames], on the model's device.

        frames: how many to make, at least 1. seeds: one per item; an item's codes depend on its text, its seed, the
            sampling and its beginning, not on the other items (up to floating point). A longer piece begins as a
            shorter one but for the last frames of that: at its end the later codebooks see padding where the earlier
            ones have ended, as in transformers.
        beginning: int64 [N, codebooks, B], codes that the piece goes on from; they are not part of what is returned.
            The random numbers start at the beginning of the seed: give each window of a piece a seed of its own.

        Raises ValueError for shapes and numbers that do not fit.
        """
        network = self._network
        condition.check(hidden=network.hidden, crossed=network.crossed)
        self._check(frames=frames, seeds=seeds, items=len(condition.states), beginning=beginning)
        if len(seeds) == 0:
            return torch.zeros(0, network.codebooks, frames, dtype=torch.int64, device=network.device)
        start = 0 if beginning is None else beginning.shape[2]
        numbers = uniforms(seeds, frames=frames, codebooks=network.codebooks)
        shape = session.Shape(
            items=len(seeds), tokens=condition.states.shape[1], frames=start + frames, sampling=sampling
        )
        with torch.inference_mode():
            if self._graphed is not None:
                running = self._graphed.run(shape, condition, beginning, numbers)
            else:
                running = session.Session(network, shape)
                running.begin(condition, beginning, numbers)
                for slot in range(start, running.steps):
                    running.step(slot)
        return delays.read(running.codes, running.late, first=start, frames=frames)

    def bytes_per_item(self, *, frames: int, tokens: int) -> int:
        """Bytes of device memory that one more item takes, guided.

        frames: all of the piece, its beginning among them. tokens: of the text, and of the chroma in front of it.
        """
        block = 1 if self._graphed is None else BLOCK
        return session.bytes_per_item(self._network, frames=frames, tokens=tokens, block=block)

    def _check(self, *, frames: int, seeds: Sequence[int], items: int, beginning: Tensor | None) -> None:
        network = self._network
        if frames < 1:
            raise ValueError(f"frames: expected at least 1, got {frames}")
        if len(seeds) != items:
            raise ValueError(f"seeds: expected one per item, got {len(seeds)} for {items} items")
        if beginning is None:
            return
        if beginning.dtype != torch.int64 or beginning.ndim != 3 or beginning.shape[:2] != (items, network.codebooks):
            raise ValueError(
                f"beginning: expected int64 [{items}, {network.codebooks}, B], "
                f"got {beginning.dtype} {list(beginning.shape)}"
            )
        if beginning.numel() and not bool(((beginning >= 0) & (beginning < network.vocabulary)).all()):
            raise ValueError(
                f"beginning: expected codes from 0 to {network.vocabulary - 1}, "
                f"got {int(beginning.min())} to {int(beginning.max())}"
            )
