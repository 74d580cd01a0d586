"""What an aligner is built from: its sizes, and which of the known wirings it has. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Aggregation = Literal[
    "gating",
    "mean",
    "weighted",
    "gating-softmax",
    "gating-tanh",
    "cross-attention",
    "self-cross-attention",
    "GRU",
    "learned-query",
]
"""How the layers of an encoder become one vector; each is described in `aggregations`."""

Projection = Literal["affine", "linear", "shared", "shared+linear", "ln", "bn"]
"""How that vector comes to the space of the listeners; each is described in `projections`."""

Tower = Literal["two-skips", "three-skips"]
"""How a user embedding comes there; described in `towers`."""

_SIZES = ("users", "layers", "dim", "emb_size", "hidden", "projection")
_CHOICES = {"aggregation": Aggregation, "projection_type": Projection, "tower": Tower}


@dataclass(frozen=True)
class AlignerConfig:
    """The sizes and the wiring of an aligner. They are part of its checkpoint.

    users: reference listeners in the user table.
    layers, dim: of the encoder's embeddings.
    emb_size: of a user embedding. hidden: width of the user tower and of every layer in between. projection: of the
    common space.
    aggregation: how the encoder's layers become one vector.
    temperature: of the InfoNCE loss at the start; it is learned.
    projection_type: how that vector comes to the common space. tower: how a user embedding does.
    standardised: whether the encoder's features are taken in standard deviations of the training songs, and cut far
    out; else they are taken as they come.
    temperature_bounds: the temperature is kept between these.
    """

    users: int
    layers: int
    dim: int
    emb_size: int = 32
    hidden: int = 96
    projection: int = 32
    aggregation: Aggregation = "gating"
    temperature: float = 0.1
    projection_type: Projection = "affine"
    tower: Tower = "two-skips"
    standardised: bool = True
    temperature_bounds: tuple[float, float] = (0.02, 1.0)

    def __post_init__(self) -> None:
        for name in _SIZES:
            if getattr(self, name) < 1:
                raise ValueError(f"AlignerConfig.{name}: expected at least 1, got {getattr(self, name)}")
        if not self.temperature > 0:
            raise ValueError(f"AlignerConfig.temperature: expected a positive number, got {self.temperature}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                known = ", ".join(get_args(choices))
                raise ValueError(f"AlignerConfig.{name}: expected one of {known}; got {getattr(self, name)!r}")
        low, high = self.temperature_bounds
        if not 0 < low < high < float("inf"):
            raise ValueError(
                f"AlignerConfig.temperature_bounds: expected two positive numbers, the lower first, got {low}, {high}"
            )
