"""The vocabulary as the vector searches see it: embeddings that play as a soft prompt, wherever they lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models_store.generators.base import TokenVocabulary
from models_store.generators.soundfont.description import said_at
from models_store.generators.soundfont.reading import tokens
from models_store.generators.soundfont.vocabulary import DIM, PAD, TOKEN_INDEX, TOKENS

_SHARPNESS = 5.0
"""Weights fall with the 10th power of the distance: smooth everywhere, whole at a token, shared between two."""

_LEAST = 0.01
"""Weights below this are a position's background noise."""

_PAD_PUSH = 1.7
"""The padding is the origin, nearer to the whole sphere than tokens are to each other: it is pushed away by this."""


class SoundFontVocabulary(TokenVocabulary):
    """The generator's tokens; embeddings float32 [V, 32] of norm 1, the padding's 0."""

    def __init__(self) -> None:
        self.tokens = tuple(token.text for token in TOKENS)
        self.embeddings = torch.tensor([token.embedding for token in TOKENS], dtype=torch.float32)
        self._pad = TOKEN_INDEX[PAD]
        self._known = self.embeddings.double().numpy()
        self._norms = (self._known**2).sum(axis=-1)

    def ids(self, prompts: Sequence[str], *, length: int) -> Tensor:
        """int64 [N, length]. Raises ValueError for a prompt that cannot be read or a length below 1."""
        if length < 1:
            raise ValueError(f"length: expected at least 1 token, got {length}")
        rows = torch.full((len(prompts), length), self._pad)
        for row, prompt in enumerate(prompts):
            known = [TOKEN_INDEX[token] for token in tokens(prompt)][:length]
            rows[row, : len(known)] = torch.tensor(known)
        return rows

    def nearest_ids(self, embeddings: Tensor) -> Tensor:
        """int64 [N, length]; as it is heard: what lies outside the unit sphere counts as on it."""
        nearest = [squares.argmin(axis=-1) for squares in self._squares(embeddings)]
        return torch.from_numpy(np.array(nearest, dtype=np.int64).reshape(embeddings.shape[:2]))

    def prompts(self, ids: Tensor) -> list[str]:
        """The tokens' words; "music" for nothing but padding."""
        return [_as_prompt([self.tokens[i] for i in row if i != self._pad]) for row in ids.tolist()]

    def weights(self, embeddings: Tensor) -> list[list[tuple[str, float]]]:
        """What each of [N, length, 32] says: tokens and their weights, as `describe` reads them.

        Every position shares a weight of 1 between the tokens around it (inverse distance weighting, Shepard 1968);
        what falls to the padding is not said. A position exactly at a token says exactly that token.
        """
        found: list[list[tuple[str, float]]] = []
        for piece in self._squares(embeddings):
            closeness = np.maximum(piece, 1e-6) ** -_SHARPNESS
            shares = closeness / closeness.sum(axis=-1, keepdims=True)  # [length, V]
            positions, indices = np.nonzero(shares >= _LEAST)
            values = shares[positions, indices].tolist()
            found.append(
                [
                    (self.tokens[index], said_at(position) * (1.0 if value > 0.9999 else value))
                    for position, index, value in zip(positions.tolist(), indices.tolist(), values, strict=True)
                    if index != self._pad
                ]
            )
        return found

    def _squares(self, embeddings: Tensor) -> list[NDArray[np.float64]]:
        """Squared distances of every item's positions to the tokens, float64 [length, V] each.

        What lies outside the unit sphere, where the tokens are, counts as on it. Item by item, so that none depends
        on its batch in the last bit.
        """
        if embeddings.ndim != 3 or embeddings.shape[-1] != DIM:
            raise ValueError(f"embeddings: expected [N, tokens, {DIM}], got shape {tuple(embeddings.shape)}")
        given = embeddings.detach().to("cpu", torch.float64).numpy()
        if not np.isfinite(given).all():
            raise ValueError("embeddings: expected finite numbers, got NaN or infinity")
        found = []
        for item in given:
            # Scaled by the largest first: the square of 1e300 is infinite.
            largest = np.maximum(np.abs(item).max(axis=-1, keepdims=True), 1.0)
            norm = largest * np.sqrt(((item / largest) ** 2).sum(axis=-1, keepdims=True))
            inside = item / np.maximum(norm, 1.0)
            own = (inside**2).sum(axis=-1, keepdims=True)
            squares = own + self._norms - 2.0 * inside @ self._known.T
            squares[:, self._pad] = _PAD_PUSH * own[:, 0]
            found.append(np.maximum(squares, 0.0))
        return found


def _as_prompt(said: list[str]) -> str:
    """Tokens as words that read back as the same tokens."""
    words = [token for token in said if not token.startswith("<")]
    return ", ".join(words) or "music"
