"""What is refused before anything is computed: lengths, seeds, prompts and embeddings that no model can play.

Each check takes the name of the generator first, so that the message says who refuses. All raise ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor

from models_store.seeding import SEED_BITS

_SHOWN = 60
"""Characters of a bad value that a message repeats."""


def check_length(name: str, seconds: float, longest: float, *, sample_rate: int | None = None) -> None:
    """0 < seconds <= longest, both in seconds; at a sample rate (Hz) at least one sample, rounded."""
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise ValueError(f"{name}: seconds: expected a number, got {_shown(seconds)}")
    if not (math.isfinite(seconds) and 0.0 < seconds <= longest):
        raise ValueError(f"{name}: seconds: expected more than 0 and at most {longest:g}, got {seconds}")
    if sample_rate is not None and round(float(seconds) * sample_rate) < 1:
        raise ValueError(f"{name}: seconds: expected at least one sample at {sample_rate} Hz, got {seconds}")


def check_seeds(name: str, seeds: Sequence[int], count: int) -> None:
    """One seed for each of `count` genomes, whole numbers in [0, 2**63)."""
    if len(seeds) != count:
        raise ValueError(f"{name}: seeds: expected one per genome, got {len(seeds)} for {count} genomes")
    for place, seed in enumerate(seeds):
        if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= int(seed) < 1 << SEED_BITS:
            raise ValueError(
                f"{name}: seeds[{place}]: expected a whole number, 0 <= seed < 2**{SEED_BITS}, got {_shown(seed)}"
            )


def check_prompts(name: str, prompts: Sequence[str]) -> None:
    """A sequence of texts, none of them blank."""
    if isinstance(prompts, str) or not isinstance(prompts, Sequence):
        raise ValueError(f"{name}: expected a list of prompts or a tensor, got {_shown(prompts)}")
    for place, prompt in enumerate(prompts):
        if not isinstance(prompt, str):
            raise ValueError(f"{name}: genomes[{place}]: expected a prompt, got {_shown(prompt)}")
        if not prompt.strip():
            raise ValueError(f"{name}: genomes[{place}]: expected a prompt, got an empty one ({prompt[:_SHOWN]!r})")
        if any(0xD800 <= ord(character) <= 0xDFFF for character in prompt):
            raise ValueError(
                f"{name}: genomes[{place}]: expected text, got half a surrogate pair in {_shown(prompt)}, "
                "which stands for no character"
            )


def check_tokens(name: str, counts: Sequence[int], most_tokens: int) -> None:
    """How many tokens each prompt has: at most `most_tokens`."""
    for place, count in enumerate(counts):
        if count > most_tokens:
            raise ValueError(
                f"{name}: genomes[{place}]: expected a prompt of at most {most_tokens} tokens, got {count}"
            )


def check_embeddings(name: str, genomes: Tensor, *, dim: int, most_tokens: int) -> None:
    """Finite floats [N, tokens, dim], with 1 <= tokens <= most_tokens, that are all there in memory."""
    if genomes.is_nested or genomes.layout != torch.strided:
        kind = "a nested tensor" if genomes.is_nested else f"a sparse one ({genomes.layout})"
        raise ValueError(f"{name}: expected embeddings as a dense tensor, got {kind}")
    if genomes.is_meta:
        raise ValueError(f"{name}: expected embeddings with numbers, got a tensor on the meta device, which has none")
    shape = tuple(genomes.shape)
    if genomes.ndim != 3 or shape[-1] != dim:
        raise ValueError(f"{name}: expected embeddings [N, tokens, {dim}], got shape {shape}")
    if not genomes.is_floating_point():
        raise ValueError(f"{name}: expected embeddings of floats, got {genomes.dtype}")
    if not 1 <= shape[1] <= most_tokens:
        raise ValueError(f"{name}: expected embeddings of 1 to {most_tokens} tokens, got {shape[1]} (shape {shape})")
    # What float32 cannot hold becomes infinite there, and float32 is what is computed in.
    broken = ~torch.isfinite(genomes.detach().to(torch.float32))
    count = int(broken.sum())
    if count:
        item, token, place = (int(number) for number in broken.nonzero()[0])
        value = float(genomes[item, token, place])
        raise ValueError(
            f"{name}: expected finite embeddings, got {count} NaN or infinite (as float32) of {genomes.numel()} "
            f"numbers, the first at [{item}, {token}, {place}]: {value}"
        )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
