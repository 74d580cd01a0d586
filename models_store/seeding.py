"""Seeds: derived from what they are for, and the only place that touches a global random state."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from numbers import Integral
from threading import RLock

import numpy as np
import torch

SEED_BITS = 63
"""A seed is below 2**63: it fits a database's big integer and every generator of random numbers."""

_global_states = RLock()


def derive(*parts: int | str | bytes) -> int:
    """A seed in [0, 2**63) that depends on every part and their order, the same in every process (BLAKE2b).

    ("a", "bc") and ("ab", "c") differ, and so do 1 and "1". Raises ValueError for no part or one of another type.
    """
    if not parts:
        raise ValueError("seeding.derive: expected at least one part, got none")
    digest = blake2b(digest_size=8)
    for part in parts:
        kind, content = _encoded(part)
        digest.update(kind + len(content).to_bytes(8, "big") + content)
    return int.from_bytes(digest.digest(), "big") >> (64 - SEED_BITS)


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator of its own, at the beginning of the sequence of `seed` (0 <= seed < 2**63).

    Raises ValueError for another seed.
    """
    return torch.Generator(device=device).manual_seed(_checked(seed))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """For libraries that draw from the global states: Python's, numpy's and torch's start at `seed` inside.

    Whatever happens inside, they go on afterwards as if nothing had been drawn. Only one thread is inside at a time;
    threads that draw from the global states without asking here are not held back.
    """
    seed = _checked(seed)
    with _global_states:
        python_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
        cuda_states = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        try:
            random.seed(seed)
            np.random.seed([seed & 0xFFFFFFFF, seed >> 32])  # numpy's takes words of 32 bits
            torch.manual_seed(seed)
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            torch.set_rng_state(torch_state)
            if cuda_states:
                torch.cuda.set_rng_state_all(cuda_states)


def _encoded(part: int | str | bytes) -> tuple[bytes, bytes]:
    if isinstance(part, bool) or not isinstance(part, int | str | bytes):
        raise ValueError(f"seeding.derive: expected whole numbers, strings or bytes, got {part!r}")
    if isinstance(part, int):
        return b"i", str(part).encode()
    if isinstance(part, str):
        return b"s", part.encode("utf-8", "surrogatepass")
    return b"b", part


def _checked(seed: int) -> int:
    """The seed as Python's own number: numpy's whole numbers are seeds too, and torch does not take them."""
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise ValueError(f"seed: expected a whole number, got {seed!r}")
    if not 0 <= int(seed) < 1 << SEED_BITS:
        raise ValueError(f"seed: expected 0 <= seed < 2**{SEED_BITS}, got {seed}")
    return int(seed)
