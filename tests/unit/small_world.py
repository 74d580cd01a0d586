"""A world small enough for a unit test: songs that are numbers, not sound, listeners, and an aligner of theirs."""

from __future__ import annotations

from functools import lru_cache

import torch

from models_store.aligner import training, world
from models_store.aligner.model import AlignerConfig

LAYERS, DIM = 2, 12
WORDS = {"genre": 6, "mood": 6, "instruments": 8, "tempo": 3, "key": 2, "setting": 4}


@lru_cache(maxsize=2)
def songs(count: int = 400, *, seed: int = 0) -> world.Songs:
    """Songs whose embeddings are the sum of what their words sound like, and some noise."""
    generator = torch.Generator().manual_seed(seed)
    voices = torch.Generator().manual_seed(99)
    embeddings = 0.5 * torch.randn(count, LAYERS * DIM, generator=generator)
    said = {}
    for slot, size in WORDS.items():
        table = torch.zeros(count, size, dtype=torch.bool)
        for _ in range(2 if slot == "instruments" else 1):
            table[torch.arange(count), torch.randint(size, (count,), generator=generator)] = True
        embeddings += table.float() @ torch.randn(size, LAYERS * DIM, generator=voices)
        said[slot] = (tuple(f"{slot} {number}" for number in range(size)), table)
    descriptors = embeddings[:, :4] + torch.randn(count, 4, generator=generator)
    return world.Songs(
        tuple(f"song {number}" for number in range(count)), embeddings.reshape(count, LAYERS, DIM), descriptors, said
    )


@lru_cache(maxsize=1)
def listeners() -> world.Listeners:
    return world.invent_listeners(songs(), count=30, seed=4)


@lru_cache(maxsize=1)
def trained() -> training.Trained:
    """An aligner of this world. Do not change it: all tests share it."""
    config = AlignerConfig(users=30, layers=LAYERS, dim=DIM, emb_size=12, hidden=24, projection=12)
    how = training.TrainingConfig(batch=64, steps=30, epochs=25, lr=3e-3)
    return training.train(songs().embeddings, listeners(), config, how, seed=2)
