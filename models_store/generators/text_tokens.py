"""Prompts as text encoders read them: their tokens, the embeddings of these, and what is encoded of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from models_store.generators.base import PromptSpace, TokenVocabulary

Encode = Callable[[Tensor, Tensor], Tensor]
"""A text encoder: ids int64 [n, length] and mask bool [n, length], True where a token stands -> [n, length, dim]."""

POSITIONS_AT_ONCE = 256
"""Compared with the vocabulary together: their cosines to 32,128 tokens take 33 MB."""

PROMPTS_AT_ONCE = 64
"""Run through a text encoder together."""

MOST_REMEMBERED = 20_000
"""Encoded tokens that an evolved position is compared with: 61 MB at 768 numbers each."""


class Tokens(NamedTuple):
    """Prompts of one length. ids: int64 [N, length]. mask: bool [N, length], True where a token stands, not padding."""

    ids: Tensor
    mask: Tensor


class TextTokens(TokenVocabulary):
    """The tokens of a text encoder and its input embeddings.

    tokenizer: a fast one of transformers; what it puts before and after a prompt (T5: an end, CLIP: a beginning and an
        end) is kept when a prompt is cut. Nothing of it is changed, and one thread at a time asks it.
    embeddings: [vocabulary, dim], a row for each token; rows without a token (T5 has 28) are never shown or nearest.
    pad_id: the token that fills up.
    Raises ValueError for fewer rows than tokens, numbers that are not finite, or a padding without a row.
    """

    def __init__(self, tokenizer: Any, embeddings: Tensor, *, pad_id: int) -> None:
        count = len(tokenizer)
        if embeddings.ndim != 2 or len(embeddings) < count:
            raise ValueError(
                f"vocabulary: expected embeddings [at least {count}, dim], a row for each token of the tokenizer, "
                f"got shape {tuple(embeddings.shape)}"
            )
        if not 0 <= pad_id < len(embeddings):
            raise ValueError(f"vocabulary: expected a padding token below {len(embeddings)}, got {pad_id}")
        self.embeddings = embeddings.detach().to("cpu", torch.float32)
        if not torch.isfinite(self.embeddings).all():
            raise ValueError("vocabulary: expected finite embeddings, some are not numbers")
        self.pad_id = pad_id
        self._tokenizer = tokenizer
        self._lock = Lock()
        named = tokenizer.convert_ids_to_tokens(list(range(count)))
        self.tokens = tuple(name or "" for name in named) + ("",) * (len(embeddings) - count)
        self._special = frozenset(tokenizer.all_special_ids)
        self._before, self._after = self._frame()
        self._candidates = self._nearest_candidates()
        self._directions: Tensor | None = None

    @property
    def dim(self) -> int:
        return int(self.embeddings.shape[1])

    @property
    def frame(self) -> int:
        """How many tokens every prompt has beside its words."""
        return len(self._before) + len(self._after)

    def rows(self, prompts: Sequence[str]) -> list[list[int]]:
        """The tokens of each prompt, as long as they are, with what the tokenizer puts around them."""
        return [self._before + words + self._after for words in self._words(prompts)]

    def padded(self, prompts: Sequence[str], *, length: int) -> Tokens:
        """The tokens of prompts, cut (the end token stays) or padded to `length`.

        Raises ValueError for a length without room for a word beside the tokens around it.
        """
        if length <= self.frame:
            raise ValueError(f"length: expected more than {self.frame} tokens, which every prompt has, got {length}")
        cut = [self._before + words[: length - self.frame] + self._after for words in self._words(prompts)]
        ids = torch.full((len(cut), length), self.pad_id)
        mask = torch.zeros(len(cut), length, dtype=torch.bool)
        for row, tokens in enumerate(cut):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = True
        return Tokens(ids, mask)

    def ids(self, prompts: Sequence[str], *, length: int) -> Tensor:
        """int64 [N, length]; raises as `padded`."""
        return self.padded(prompts, length=length).ids

    def nearest_ids(self, embeddings: Tensor) -> Tensor:
        """The token of the greatest cosine, int64 [N, length]; a position of zeros is padding.

        By direction, because a text encoder looks at little else (T5 divides every position by its size before the
        first layer, CLIP's tokens are all about equally long), and because what evolution averages shrinks: by
        distance it would be read as whatever tokens are short. Special tokens are candidates only where prompts have
        them: beginning, end, padding and the unknown. Raises ValueError for another shape or numbers not finite.
        """
        if embeddings.ndim != 3 or embeddings.shape[-1] != self.dim:
            raise ValueError(f"embeddings: expected [N, tokens, {self.dim}], got shape {tuple(embeddings.shape)}")
        if self._directions is None:
            self._directions = normalize(self.embeddings[self._candidates], dim=-1)
        positions = _finite(embeddings).flatten(0, 1)  # [N * length, dim]
        nearest = self._candidates[_nearest(positions, self._directions)]
        nearest[~positions.any(dim=-1)] = self.pad_id
        return nearest.reshape(embeddings.shape[:2])  # [N, length]

    def prompts(self, ids: Tensor) -> list[str]:
        """The words of each row of int [N, length], as the tokenizer writes them; special tokens are not shown."""
        shown = [[token for token in row if self.tokens[token] and token not in self._special] for row in ids.tolist()]
        with self._lock:
            return [str(self._tokenizer.decode(row)).strip() if row else "" for row in shown]

    def _words(self, prompts: Sequence[str]) -> list[list[int]]:
        if not prompts:
            return []
        with self._lock:
            tokens = self._tokenizer(list(prompts), add_special_tokens=False, verbose=False)
        return [list(row) for row in tokens["input_ids"]]

    def _frame(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a prompt."""
        words = self._words(["a"])[0]
        whole = list(self._tokenizer(["a"])["input_ids"][0])
        for start in range(len(whole) - len(words) + 1):
            if whole[start : start + len(words)] == words:
                return whole[:start], whole[start + len(words) :]
        raise ValueError("vocabulary: expected a tokenizer that keeps a prompt's tokens together")

    def _nearest_candidates(self) -> Tensor:
        """int64: the tokens that a position can be read as, in ascending order."""
        seen = {self.pad_id, self._tokenizer.unk_token_id, *self._before, *self._after}
        kept = [at for at, name in enumerate(self.tokens) if name and (at not in self._special or at in seen)]
        return torch.tensor(sorted({*kept, self.pad_id}))


class EncodedPrompts(PromptSpace):
    """What a text encoder makes of prompts: genomes after it, where every position knows its neighbours.

    vocabulary: reads the prompts. encode: the text encoder, called with at most 64 prompts at once.
    blank_padding: positions after a prompt's end are zero; else they stay what the encoder makes of them.
    most_remembered: how many encoded tokens `nearest` looks among; the oldest prompts are forgotten first.
    """

    def __init__(
        self,
        vocabulary: TextTokens,
        encode: Encode,
        *,
        blank_padding: bool = True,
        most_remembered: int = MOST_REMEMBERED,
    ) -> None:
        self.vocabulary = vocabulary
        self._encode = encode
        self._blank_padding = blank_padding
        self._most_remembered = most_remembered
        self._lock = Lock()
        self._known: OrderedDict[tuple[int, ...], tuple[Tensor, Tensor]] = OrderedDict()
        self._bank: tuple[Tensor, Tensor] | None = None

    def embed(self, prompts: Sequence[str], *, length: int) -> Tensor:
        """float32 [N, length, dim] on the CPU: prompts cut or padded to `length`, and encoded. Padding is zero."""
        tokens = self.vocabulary.padded(prompts, length=length)
        encoded = [
            self._encode(ids, mask).detach().to("cpu", torch.float32)
            for ids, mask in zip(tokens.ids.split(PROMPTS_AT_ONCE), tokens.mask.split(PROMPTS_AT_ONCE), strict=True)
        ]
        made = torch.cat(encoded) if prompts else torch.zeros(0, length, self.vocabulary.dim)
        if self._blank_padding:
            made = made * tokens.mask[..., None]
        self._remember(tokens, made)
        return made

    def nearest(self, embeddings: Tensor) -> list[str]:
        """Every position read as the token of the greatest cosine among all that were embedded here so far.

        "" where nothing was embedded yet; positions of zeros are padding. Raises ValueError for numbers not finite.
        """
        with self._lock:
            if self._bank is None and self._known:
                ids, vectors = zip(*self._known.values(), strict=True)
                self._bank = torch.cat(ids), normalize(torch.cat(vectors), dim=-1)
            bank = self._bank
        if bank is None:
            return [""] * len(embeddings)
        known, directions = bank
        if embeddings.ndim != 3 or embeddings.shape[-1] != directions.shape[-1]:
            expected = f"[N, tokens, {directions.shape[-1]}]"
            raise ValueError(f"embeddings: expected {expected}, got shape {tuple(embeddings.shape)}")
        positions = _finite(embeddings).flatten(0, 1)  # [N * length, dim]
        nearest = known[_nearest(positions, directions)]
        nearest[~positions.any(dim=-1)] = self.vocabulary.pad_id
        return self.vocabulary.prompts(nearest.reshape(embeddings.shape[:2]))

    def fresh(self) -> EncodedPrompts:
        return EncodedPrompts(
            self.vocabulary,
            self._encode,
            blank_padding=self._blank_padding,
            most_remembered=self._most_remembered,
        )

    def _remember(self, tokens: Tokens, encoded: Tensor) -> None:
        with self._lock:
            for ids, mask, vectors in zip(tokens.ids, tokens.mask, encoded, strict=True):
                key = tuple(ids[mask].tolist())
                self._known[key] = ids[mask], vectors[mask]
                self._known.move_to_end(key)
            total = sum(len(ids) for ids, _ in self._known.values())
            while total > self._most_remembered and len(self._known) > 1:
                _, (ids, _) = self._known.popitem(last=False)
                total -= len(ids)
            self._bank = None


def _finite(embeddings: Tensor) -> Tensor:
    """As float32 on the CPU, every position scaled so that no square overflows."""
    given = embeddings.detach().to("cpu", torch.float32)
    if not torch.isfinite(given).all():
        raise ValueError("embeddings: expected finite numbers, got NaN or infinity")
    return given / given.abs().amax(dim=-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)


def _nearest(positions: Tensor, directions: Tensor) -> Tensor:
    """Which of the directions [M, dim], all of length 1, has the greatest cosine to each position [P, dim]: [P]."""
    found = [(part @ directions.T).argmax(dim=-1) for part in positions.split(POSITIONS_AT_ONCE)]
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.long)
