"""How an aligner is trained on listening histories. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Weights = Literal["equal", "log", "counts"]
"""How often a song that a user listened to is drawn: all alike, by the logarithm of 1 + count, by the count."""

Precision = Literal["auto", "float32", "bfloat16"]
"""What matrices are multiplied in while training; auto: bfloat16 on a GPU that has it, else float32."""

_AT_LEAST_ONE = ("batch", "negatives", "pool", "known")


@dataclass(frozen=True)
class Method:
    """How to train. The first numbers are the report's (docs/aligner.md).

    batch: pairs of a user and a song listened to, per step. lr: of AdamW, falling to a third on a plateau.
    epochs: at most. negatives: songs not listened to, for each pair, drawn from `pool` songs that a batch shares.
    weights: how often each song that was listened to is drawn.
    steps: per epoch; None: as many as there are songs to train on, in batches. patience: epochs without a better
    validation AUC before the end; the rate falls after half as many.
    weight_decay: of everything but the user table and the temperature. table_decay: of the table.
    noise: deviation of what is added to the standardised features in training.
    liked: share of the songs that each reference listener's cosine is made positive for in the end; 0: left as it is.
    known: of how many songs the embedding of a user held out is learned.
    ahead: batches that are read ahead in a thread of their own; 0: none.
    """

    batch: int = 256
    lr: float = 1e-3
    epochs: int = 150
    negatives: int = 20
    pool: int = 256
    weights: Weights = "log"
    steps: int | None = None
    patience: int = 10
    weight_decay: float = 0.01
    table_decay: float = 0.01
    noise: float = 0.3
    liked: float = 0.3
    known: int = 50
    ahead: int = 2
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.negatives > self.pool:
            raise ValueError(f"negatives: expected at most the pool of {self.pool}, got {self.negatives}")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps: expected at least 1, got {self.steps}")
        if not 0 <= self.liked < 1:
            raise ValueError(f"liked: expected a share from 0 to below 1, got {self.liked}")
        if not 0 <= self.noise < float("inf"):
            raise ValueError(f"noise: expected 0 or a positive number, got {self.noise}")
        if self.ahead < 0:
            raise ValueError(f"ahead: expected 0 or more batches, got {self.ahead}")
