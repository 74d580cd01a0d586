"""From genomes to what MusicGen's decoder attends to: T5, its input embeddings, and the projection to the decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models_store.generators import checking
from models_store.generators.musicgen.decoding import Condition
from models_store.generators.text_tokens import TextTokens
from models_store.instruments import GenomeKind

MOST_TOKENS = 512
"""Of a prompt: what T5 was trained on (Raffel et al. 2020, arXiv:1910.10683, section 3.1.2)."""

LARGEST = 1e12
"""Of a number that T5 or the decoder reads: both square and sum what they read, and float32 ends at 3.4e38. T5's own
embeddings and output are below a thousand."""


@dataclass(frozen=True)
class Reading:
    """Checked genomes of one kind.

    content: token ids int64 [N, tokens], or (token) embeddings float [N, tokens, dim], on the CPU or where they came.
    lengths: int64 [N] on the CPU, how many positions of each are attended to; what comes after is padding.
    """

    kind: GenomeKind
    content: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.lengths)

    def longest(self, part: slice = slice(None)) -> int:
        lengths = self.lengths[part]
        return int(lengths.max()) if len(lengths) else 1


class TextEncoder:
    """T5 on one device, in float32: it runs once for a piece, and what it says is heard in every step.

    model: transformers' T5EncoderModel, with `embeddings` [vocabulary, dim] as its input embeddings.
    """

    def __init__(self, model: Any, *, device: torch.device) -> None:
        self.device = device
        self._model = model.to(device, torch.float32)
        self._embeddings = self._model.shared.weight.detach()

    def embeddings(self, ids: Tensor) -> Tensor:
        """The input embeddings of tokens: float32 [n, tokens, dim] of int64 [n, tokens]."""
        return nn.functional.embedding(ids.to(self.device), self._embeddings)

    @torch.no_grad()
    def encode(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """float32 [n, tokens, dim] of input embeddings [n, tokens, dim]; mask: bool [n, tokens], True where read."""
        states: Tensor = self._model(
            inputs_embeds=embeddings, attention_mask=mask.to(embeddings.device)
        ).last_hidden_state
        return states

    @torch.no_grad()
    def encode_tokens(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The same for tokens: float32 [n, tokens, dim] of int64 [n, tokens]."""
        return self.encode(self.embeddings(ids), mask)


class Conditioner:
    """Reads genomes, and makes of them the decoder's condition.

    encoder: T5. projection: of its states to the decoder's size, on the encoder's device in float32.
    in_front: [F, hidden], what the melody variant puts in front of every text, None for the others.
    """

    def __init__(
        self, name: str, tokens: TextTokens, encoder: TextEncoder, projection: nn.Module, *, in_front: Tensor | None
    ) -> None:
        self._name = name
        self._tokens = tokens
        self._encoder = encoder
        self._projection = projection
        self._in_front = in_front

    def positions(self, reading: Reading) -> int:
        """How many the longest of the genomes takes in a condition."""
        return reading.longest() + (0 if self._in_front is None else len(self._in_front))

    def read(self, genomes: Sequence[str] | Tensor, *, tensors_are: GenomeKind) -> Reading:
        """Check genomes before anything is computed. Raises ValueError for those that cannot be played."""
        if not isinstance(genomes, Tensor):
            return self._read_prompts(genomes)
        if tensors_are == "text":
            raise ValueError(
                f"{self._name}: expected a list of prompts, as input_type is 'text', got a tensor of shape "
                f"{tuple(genomes.shape)}: for numbers set input_type to 'token_embeddings' or 'embeddings'"
            )
        checking.check_embeddings(self._name, genomes, dim=self._tokens.dim, most_tokens=MOST_TOKENS)
        given = genomes.detach().to(torch.float32)
        padding = torch.zeros(self._tokens.dim)
        if tensors_are == "token_embeddings":
            padding = self._tokens.embeddings[self._tokens.pad_id]
        self._refuse(given, first=0, what="numbers")
        said = (given != padding.to(given.device)).any(dim=-1)  # [N, tokens]
        return Reading(tensors_are, given, _last(said.cpu()))

    def condition(self, reading: Reading, part: slice) -> Condition:
        """What the decoder attends to, of consecutive genomes: [n, positions, hidden].

        Raises ValueError for genomes that the model makes something of that it cannot compute with; says which.
        """
        longest = reading.longest(part)
        content = reading.content[part, :longest].to(self._encoder.device)
        lengths = reading.lengths[part].to(self._encoder.device)
        mask = torch.arange(longest, device=lengths.device) < lengths[:, None]  # [n, tokens]
        if reading.kind == "text":
            content = self._encoder.embeddings(content)
        if reading.kind != "embeddings":
            content = self._encoder.encode(content, mask)
        with torch.no_grad():
            states = self._projection(content) * mask[..., None]  # [n, tokens, hidden]
        self._refuse(states, first=part.start or 0, what="an encoding")
        return Condition(states, mask) if self._in_front is None else _with_front(states, mask, self._in_front)

    def check(self, reading: Reading, part: slice) -> None:
        """Raise ValueError where `condition` would."""
        self.condition(reading, part)

    def _refuse(self, numbers: Tensor, *, first: int, what: str) -> None:
        """Raise ValueError for NaN and for more than the models can square, in float [n, tokens, dim] of genomes."""
        largest = torch.linalg.vector_norm(numbers, ord=math.inf, dim=(1, 2))  # [n]
        broken = (~(largest <= LARGEST)).nonzero().flatten().tolist()
        if broken:
            raise ValueError(
                f"{self._name}: genomes[{first + broken[0]}]: expected {what} of at most {LARGEST:g}, "
                f"got {float(largest[broken[0]])}"
            )

    def _read_prompts(self, prompts: Sequence[str]) -> Reading:
        checking.check_prompts(self._name, prompts)
        rows = self._tokens.rows(prompts)
        checking.check_tokens(self._name, [len(row) for row in rows], MOST_TOKENS)
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        ids = torch.full((len(rows), max(map(len, rows), default=1)), self._tokens.pad_id)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
        return Reading("text", ids, lengths)


def _last(said: Tensor) -> Tensor:
    """int64 [N]: up to where each row of bool [N, tokens] is True for the last time, at least 1."""
    places = torch.arange(1, said.shape[1] + 1)
    return (said * places).amax(dim=1).clamp_min(1)


def _with_front(states: Tensor, mask: Tensor, front: Tensor) -> Condition:
    """A condition with the same states in front of every text; without a text they stand in front of zeros."""
    every = front.expand(len(states), -1, -1)  # [n, F, hidden]
    seen = torch.ones(every.shape[:2], dtype=torch.bool, device=mask.device)
    return Condition(
        states=torch.cat([every, states], dim=1),
        mask=torch.cat([seen, mask], dim=1),
        null=torch.cat([every, torch.zeros_like(states)], dim=1),
    )
