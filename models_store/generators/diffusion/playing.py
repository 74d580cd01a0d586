"""What the families have in common: a batch is heard, noise becomes latents, latents become sound."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from models_store import devices, seeding
from models_store.generators.base import Genomes
from models_store.generators.diffusion import sampling
from models_store.generators.diffusion.families import Family
from models_store.generators.diffusion.loading import Part
from models_store.generators.diffusion.reading import Reader

MOST_AT_ONCE = 32
"""Pieces denoised together. With guidance that is a batch of 64 for the network, which keeps any GPU busy."""

DECODED = torch.float32
"""Latents become sound in these numbers."""

MEMORY_SHARE = 0.5
"""How much of the free memory one part may take by the players' estimates."""


@dataclass(frozen=True)
class Condition:
    """What a batch is to sound like: arguments of the pipeline, each with a row or an entry for every item.

    together: a number for each item; only items of one number may be denoised in one batch.
    """

    arguments: dict[str, Tensor | list[str]]
    together: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.together)

    def take(self, items: Sequence[int]) -> dict[str, Tensor | list[str]]:
        """The arguments of some items."""
        return {
            name: value[list(items)] if isinstance(value, Tensor) else [value[item] for item in items]
            for name, value in self.arguments.items()
        }

    def groups(self) -> list[list[int]]:
        """The items of each number."""
        return [
            [item for item, number in enumerate(self.together) if number == wanted]
            for wanted in sorted(set(self.together))
        ]


@dataclass(frozen=True)
class Request:
    """What a batch is to be played as. samples: of each piece. steps, guidance: of the sampler."""

    genomes: Genomes
    input_type: str
    seconds: float
    samples: int
    steps: int
    guidance: float


class Player(ABC):
    """A family's pipeline in memory, and what it does in its own way.

    parts: the components that are loaded. absent: those that the pipeline names and nobody needs. text_parts: what
    `reader` needs. schedulers: those it takes, by diffusers' names.
    """

    parts: ClassVar[tuple[Part, ...]]
    absent: ClassVar[tuple[str, ...]] = ()
    text_parts: ClassVar[tuple[str, ...]] = ()
    schedulers: ClassVar[tuple[str, ...]]

    def __init__(self, family: Family, pipe: Any, *, device: torch.device, number_type: torch.dtype) -> None:
        """pipe: on `device`, in `number_type`. Raises ValueError for parts that do not fit the family."""
        self.family, self.pipe, self.device, self.number_type = family, pipe, device, number_type

    @classmethod
    def reader(cls, name: str, parts: dict[str, Any]) -> Reader:  # noqa: ARG003
        """How genomes are read, of `text_parts`. Raises ValueError where only the pipeline reads them."""
        raise ValueError(f"{name}: plays text only")

    @abstractmethod
    def hear(self, request: Request) -> Condition:
        """What its genomes ask for. Raises ValueError for those that cannot be played."""

    @abstractmethod
    def latent_shape(self, request: Request) -> tuple[int, ...]:
        """Of one piece, as the pipeline takes its noise."""

    @abstractmethod
    def length(self, request: Request) -> dict[str, float]:
        """The argument of the pipeline that says how long pieces are."""

    @abstractmethod
    def sound(self, latents: Tensor) -> Tensor:
        """[n, channels, time] of the pipeline's latents of n pieces."""

    def beginning(self, latents: Tensor, request: Request) -> Tensor:  # noqa: ARG002
        """Those latents that are needed for what is heard."""
        return latents

    @abstractmethod
    def widest(self) -> int:
        """Numbers that the network keeps for each position of the latents at its widest, times those alive at once."""

    @abstractmethod
    def decoded_bytes(self, request: Request) -> int:
        """About what decoding one piece takes at most."""

    def settings(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """Steps and guidance; None: what the loaded model needs. Raises ValueError for what it cannot take."""
        return steps or self.family.steps, self.family.guidance if guidance is None else guidance

    def frames(self, seconds: float, hop: int) -> int:
        """Latents of `hop` samples that cover a piece, or the shortest that the family makes."""
        samples = round(max(seconds, self.family.shortest_seconds) * self.family.sample_rate)
        return math.ceil(samples / hop)

    @torch.no_grad()
    def play(self, condition: Condition, request: Request, seeds: Sequence[int]) -> Tensor:
        """float32 [N, channels, samples] on the device. Memory is bounded: the batch is played in parts.

        Raises devices.OutOfMemoryError when not one piece fits.
        """
        order: list[int] = []
        latents: list[Tensor] = []
        at_once = self._at_once(self._denoised_bytes(request, request.guidance > 1.0))
        for group in condition.groups():
            latents += self._in_parts(
                group, at_once, lambda items: self._denoised(condition.take(items), request, [seeds[i] for i in items])
            )
            order += group
        painted = torch.cat(latents)
        at_once = self._at_once(self.decoded_bytes(request))
        sounds = self._in_parts(range(len(order)), at_once, lambda items: self._cut(painted[list(items)], request))
        places = torch.tensor(order, device=self.device).argsort()
        return torch.cat(sounds)[places]

    def _cut(self, latents: Tensor, request: Request) -> Tensor:
        with devices.whole_float32():
            sound = self.sound(self.beginning(latents, request).to(DECODED))
        if sound.shape[-1] < request.samples:
            raise ValueError(
                f"{self.family.name}: expected its model to make {request.samples} samples, got {sound.shape[-1]}"
            )
        # NaN of broken weights is silence: it would poison whatever is averaged later.
        return torch.nan_to_num(sound[..., : request.samples].float(), nan=0.0, posinf=0.0, neginf=0.0)

    def _denoised(self, arguments: dict[str, Tensor | list[str]], request: Request, seeds: Sequence[int]) -> Tensor:
        """Latents of one batch. All random numbers are drawn on the CPU, by a generator for each item."""
        generators = [seeding.generator(seed) for seed in seeds]
        noise = sampling.drawn(self.latent_shape(request), generators, self.device)
        made: Tensor = self.pipe(
            **arguments,
            **self.length(request),
            num_inference_steps=request.steps,
            guidance_scale=request.guidance,
            generator=generators,
            latents=noise,
            output_type="latent",
        ).audios
        return made

    @staticmethod
    def _in_parts(items: Sequence[int], at_once: int, work: Callable[[Sequence[int]], Tensor]) -> list[Tensor]:
        return devices.in_parts(lambda part: work(items[part]), len(items), at_once=at_once)

    def _at_once(self, bytes_each: int) -> int:
        fit = MEMORY_SHARE * devices.free_memory(self.device) / max(1, bytes_each)
        return max(1, min(MOST_AT_ONCE, int(fit)))

    def _denoised_bytes(self, request: Request, guided: bool) -> int:
        positions = math.prod(self.latent_shape(request)) // self.latent_channels()
        return (2 if guided else 1) * positions * self.widest() * self.number_type.itemsize

    @abstractmethod
    def latent_channels(self) -> int:
        """Numbers of a position of the latents."""
