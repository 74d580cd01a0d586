"""What the painter listens to: prompts, token embeddings or encoded prompts, all as [N, 77, dim]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from models_store import devices
from models_store.generators import checking
from models_store.generators.riffusion.loading import Model

AT_ONCE = 64
"""Prompts encoded together. More are not faster: the text side is a thousandth of the work."""


class Listening:
    """The text side of CLIP, as the Stable Diffusion pipeline uses it: always 77 tokens, padding attended.

    A prompt has a start token, its tokens, an end token, and end tokens up to 77. The attention is causal, and no
    position is masked: what CLIP makes of the padding says as much of the prompt as what it makes of its words.
    """

    def __init__(self, name: str, words: Model, model: Model) -> None:
        """name: of the generator, for messages. model: on its device, in its number type."""
        self._name, self._words, self._model = name, words, model
        self._table: torch.nn.Embedding = model.embeddings.token_embedding
        self.tokens = int(model.config.max_position_embeddings)
        self.dim = int(model.config.hidden_size)
        self.nothing = self._encoded(self._table(self._ids([""])))[0]  # [77, dim]

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self._table.weight.device

    def prompts(self, prompts: Sequence[str]) -> Tensor:
        """[N, 77, dim]. Raises ValueError for a prompt of more tokens than fit between start and end."""
        ids = self._ids(prompts)
        return self._in_parts(len(prompts), lambda part: self._table(ids[part]))

    def token_embeddings(self, genomes: Tensor) -> Tensor:
        """[N, 77, dim] of input embeddings [N, 1 to 77, dim]: the start token first; shorter ones are padded."""
        padding = self._table.weight[self._words.pad_token_id]  # [dim]

        def padded(part: slice) -> Tensor:
            given = genomes[part].to(padding)
            rest = padding.expand(len(given), self.tokens - given.shape[1], self.dim)
            return torch.cat([given, rest], dim=1)  # [n, 77, dim]

        return self._in_parts(len(genomes), padded)

    def embeddings(self, genomes: Tensor) -> Tensor:
        """[N, 77, dim] of encoded prompts [N, 1 to 77, dim].

        Positions that are missing, or zero from there to the end, say nothing: they are as those of an empty prompt,
        which guidance compares with, so that they pull nowhere.
        """
        given = genomes.to(self.nothing)
        given = pad(given, (0, 0, 0, self.tokens - given.shape[1]))  # [N, 77, dim]
        said = (given != 0).any(dim=-1)  # [N, 77]
        until = said.int().flip(1).cumsum(dim=1).flip(1) > 0  # a position that says something is here or later
        return torch.where(until[..., None], given, self.nothing)

    def _ids(self, prompts: Sequence[str]) -> Tensor:
        """int64 [N, 77]."""
        rows = self._words(list(prompts), truncation=False, verbose=False)["input_ids"]
        checking.check_tokens(self._name, [len(row) for row in rows], self.tokens)
        padded = [[*row, *[self._words.pad_token_id] * (self.tokens - len(row))] for row in rows]
        return torch.tensor(padded, device=self.device)

    def _in_parts(self, count: int, embedded: Callable[[slice], Tensor]) -> Tensor:
        parts = devices.in_parts(lambda part: self._encoded(embedded(part)), count, at_once=AT_ONCE)
        return torch.cat(parts) if parts else self.nothing.new_zeros(0, self.tokens, self.dim)

    @torch.no_grad()
    def _encoded(self, embedded: Tensor) -> Tensor:
        """CLIPTextModel's forward from input embeddings on, which it does not take itself."""
        states = self._model.embeddings(inputs_embeds=embedded)
        states = self._model.encoder(inputs_embeds=states, attention_mask=None, is_causal=True).last_hidden_state
        encoded: Tensor = self._model.final_layer_norm(states)
        return encoded
