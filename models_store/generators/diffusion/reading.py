"""How prompts and evolved genomes become what a diffusion model listens to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from models_store import devices
from models_store.generators import checking
from models_store.generators.base import Genomes, PromptSpace
from models_store.generators.text_tokens import EncodedPrompts, TextTokens

AT_ONCE = 64
"""Prompts encoded together. More are not faster: the text side is a small part of the work."""


class Heard(NamedTuple):
    """Encoded prompts, all of one length. states: [N, tokens, dim]. mask: bool [N, tokens], True where something is
    said; elsewhere states are zero."""

    states: Tensor
    mask: Tensor


class Reader:
    """A text encoder that gives a sequence: T5 and T5Gemma.

    text: a prompt and its end token, at most `tokens` together. token_embeddings: what the encoder's table gives.
    embeddings: what the encoder makes of them. Every prompt is encoded under its mask and then padded to `tokens`, so
    that it is heard as alone in any batch.
    """

    def __init__(self, name: str, words: Any, model: Any, *, most_tokens: int) -> None:
        """name: of the generator, for messages. model: on its device, in its number type."""
        self._name, self._words, self._model = name, words, model
        self._table = model.get_input_embeddings()
        limit = int(words.model_max_length) if words.model_max_length else most_tokens
        self.tokens = min(limit, most_tokens)
        self.dim, self.token_dim = int(self._table.weight.shape[1]), int(self._table.weight.shape[1])

    def hear(self, genomes: Genomes, input_type: str) -> Heard:
        """What is heard of prompts, or of a tensor that is what `input_type` says.

        Raises ValueError for genomes that cannot be read.
        """
        if not isinstance(genomes, Tensor):
            checking.check_prompts(self._name, genomes)
            return self.prompts(genomes)
        if input_type == "token_embeddings":
            checking.check_embeddings(self._name, genomes, dim=self.token_dim, most_tokens=self.tokens)
            return self.token_embeddings(genomes)
        checking.check_embeddings(self._name, genomes, dim=self.dim, most_tokens=self._most_embeddings)
        return self.embeddings(genomes)

    def prompts(self, prompts: Sequence[str]) -> Heard:
        """Raises ValueError for a prompt of more than `tokens` tokens."""
        rows = rows_of(self._words, prompts)
        checking.check_tokens(self._name, [len(row) for row in rows], self.tokens)
        longest = max([1, *(len(row) for row in rows)])  # Gemma has no token for an empty prompt
        ids = torch.tensor([[*row, *[self._pad] * (longest - len(row))] for row in rows], dtype=torch.long)
        lengths = torch.tensor([len(row) for row in rows])
        mask = torch.arange(longest) < lengths[:, None]  # [N, longest]
        where = self._table.weight.device
        ids, mask = ids.view(len(rows), longest).to(where), mask.to(where)
        return self._in_parts(len(rows), lambda part: self.encoded(self._table(ids[part]), mask[part]))

    def token_embeddings(self, genomes: Tensor) -> Heard:
        """Trailing positions that are exactly the padding's embedding say nothing."""
        given = genomes.to(self._table.weight)
        mask = until_last(~(given == self._table.weight[self._pad]).all(dim=-1))  # [N, tokens]
        return self._in_parts(len(given), lambda part: self.encoded(given[part], mask[part]))

    def embeddings(self, genomes: Tensor) -> Heard:
        """Trailing positions that are exactly zero say nothing."""
        given = genomes.to(self._table.weight)
        return self._padded(Heard(given, until_last(given.any(dim=-1))))

    @torch.no_grad()
    def encoded(self, embedded: Tensor, mask: Tensor) -> Heard:
        """Of input embeddings [n, tokens, dim] under their mask."""
        states = self._model(inputs_embeds=embedded, attention_mask=mask.long())[0]
        return Heard(_blanked(states, mask), mask)

    def vocabulary(self) -> TextTokens:
        """The tokens and their embeddings."""
        return TextTokens(self._words, self._table.weight, pad_id=self._pad)

    def prompt_space(self) -> PromptSpace:
        """What the encoder makes of prompts."""
        return EncodedPrompts(self.vocabulary(), lambda ids, mask: self.encoded(self._table(ids), mask).states)

    @property
    def _most_embeddings(self) -> int:
        return self.tokens

    @property
    def _pad(self) -> int:
        return int(self._words.pad_token_id)

    def _in_parts(self, count: int, encode: Callable[[slice], Heard]) -> Heard:
        parts = devices.in_parts(lambda part: self._padded(encode(part)), count, at_once=AT_ONCE)
        if not parts:
            empty = self._table.weight.new_zeros(0, self.tokens, self.dim)
            return Heard(empty, empty.any(dim=-1))
        return Heard(torch.cat([part.states for part in parts]), torch.cat([part.mask for part in parts]))

    def _padded(self, heard: Heard) -> Heard:
        missing = self.tokens - heard.mask.shape[1]
        states = _blanked(heard.states, heard.mask)
        return Heard(pad(states, (0, 0, 0, missing)), pad(heard.mask, (0, missing)))


class SentenceReader(Reader):
    """The text side of CLAP, which gives one direction for a whole prompt: states [N, 1, dim] of length 1.

    embeddings: [N, 1, dim], of any length: the model learned from directions only.
    """

    def __init__(self, name: str, words: Any, model: Any, *, most_tokens: int) -> None:
        super().__init__(name, words, model.text_model, most_tokens=most_tokens)
        self._projection = model.text_projection
        self.dim = int(model.config.projection_dim)

    def embeddings(self, genomes: Tensor) -> Heard:
        given = normalize(genomes.float(), dim=-1).to(self._table.weight)
        return Heard(given, given.new_ones(given.shape[:2], dtype=torch.bool))

    @torch.no_grad()
    def encoded(self, embedded: Tensor, mask: Tensor) -> Heard:
        pooled = self._model(inputs_embeds=embedded, attention_mask=mask.long()).pooler_output
        states = normalize(self._projection(pooled), dim=-1)[:, None]  # [n, 1, dim]
        return Heard(states, mask[:, :1])

    def prompt_space(self) -> PromptSpace:
        return Sentences(lambda prompts: self.prompts(prompts).states)

    @property
    def _most_embeddings(self) -> int:
        return 1

    def _padded(self, heard: Heard) -> Heard:
        return heard


class Sentences(PromptSpace):
    """Prompts as one vector each; a vector is read as the prompt of the greatest cosine among those embedded here.

    most_remembered: how many prompts that are; the oldest are forgotten first.
    """

    def __init__(self, encode: Callable[[Sequence[str]], Tensor], *, most_remembered: int = 5000) -> None:
        """encode: N prompts to [N, 1, dim]."""
        self._encode, self._most_remembered = encode, most_remembered
        self._known: dict[str, Tensor] = {}

    def embed(self, prompts: Sequence[str], *, length: int) -> Tensor:
        """float32 [N, 1, dim] on the CPU. Raises ValueError for another length than 1."""
        if length != 1:
            raise ValueError(f"length: expected 1, for a prompt is one vector here, got {length}")
        made = self._encode(prompts).detach().to("cpu", torch.float32)
        for prompt, vector in zip(prompts, made[:, 0], strict=True):
            self._known.pop(prompt, None)
            self._known[prompt] = vector
        for prompt in list(self._known)[: -self._most_remembered]:
            del self._known[prompt]
        return made

    def nearest(self, embeddings: Tensor) -> list[str]:
        """ "" where nothing was embedded yet. Raises ValueError for another shape or numbers not finite."""
        known = list(self._known.items())
        if embeddings.ndim != 3 or embeddings.shape[1] != 1 or (known and embeddings.shape[2] != len(known[0][1])):
            raise ValueError(f"embeddings: expected [N, 1, dim], got shape {tuple(embeddings.shape)}")
        if not torch.isfinite(embeddings).all():
            raise ValueError("embeddings: expected finite numbers, got NaN or infinity")
        if not known:
            return [""] * len(embeddings)
        given = normalize(embeddings[:, 0].detach().to("cpu", torch.float32), dim=-1)  # [N, dim]
        bank = normalize(torch.stack([vector for _, vector in known]), dim=-1)
        return [known[place][0] for place in (given @ bank.T).argmax(dim=-1).tolist()]

    def fresh(self) -> Sentences:
        return Sentences(self._encode, most_remembered=self._most_remembered)


def rows_of(words: Any, prompts: Sequence[str]) -> list[list[int]]:
    """The tokens of each prompt, as long as they are, with what the tokenizer puts around them."""
    return [list(row) for row in words(list(prompts), verbose=False)["input_ids"]] if prompts else []


def prompts_of(name: str, genomes: Genomes) -> list[str]:
    """For families that play text only. Raises ValueError for anything but prompts."""
    if isinstance(genomes, Tensor):
        raise ValueError(f"{name}: expected prompts, for it plays text only; got a tensor {tuple(genomes.shape)}")
    checking.check_prompts(name, genomes)
    return list(genomes)


def until_last(said: Tensor) -> Tensor:
    """bool [N, tokens]: True up to the last True of each row, and at the first position of all."""
    mask = said.long().flip(1).cummax(dim=1).values.flip(1).bool()
    mask[:, :1] = True
    return mask


def _blanked(states: Tensor, mask: Tensor) -> Tensor:
    """Zero where nothing is said, also where an encoder that may attend to nothing made NaN of it."""
    return states.masked_fill(~mask[..., None], 0.0)
