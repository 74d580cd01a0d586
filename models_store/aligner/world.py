"""A synthetic world: songs that the generator played, and listeners with hidden tastes who listen to them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from models_store import prompts
from models_store.aligner import listeners
from models_store.aligner.listeners import KINDS, Listeners
from models_store.audio import Audio
from models_store.encoders.base import AudioEncoder
from models_store.generators.base import MusicGenerator

__all__ = [
    "DESCRIPTORS",
    "FACETS",
    "KINDS",
    "LENGTHS",
    "Listeners",
    "Songs",
    "describe",
    "invent_listeners",
    "load",
    "play_songs",
    "save",
]

DESCRIPTORS = ("brightness", "bass", "liveliness", "density")
FACETS = {"genre": 3.0, "mood": 1.5, "instruments": 2.5, "tempo": 1.5, "key": 0.7, "setting": 0.7, "sound": 2.0}
"""What a listener can care about: the words of a prompt, slot by slot, and how the music sounds; and how much the mean
listener cares. An assumption of ours: people speak of genres, voices and sound before they speak of keys."""

LENGTHS = (4.0, 12.0, 8.0)
"""Lengths of songs, in seconds."""

_BATCH = 32


@dataclass(frozen=True)
class Songs:
    """N songs, as their prompts name them and as they sound.

    embeddings: float32 [N, layers, dim]. descriptors: float32 [N, len(DESCRIPTORS)].
    said: slot -> (its words, bool [N, words]: which song's prompt says which).
    """

    prompts: tuple[str, ...]
    embeddings: Tensor
    descriptors: Tensor
    said: dict[str, tuple[tuple[str, ...], Tensor]]

    def __len__(self) -> int:
        return len(self.prompts)


def play_songs(
    generator: MusicGenerator,
    encoder: AudioEncoder,
    lexicon: prompts.Lexicon,
    *,
    count: int,
    seconds: Sequence[float] = LENGTHS,
    seed: int,
    progress: bool = False,
) -> Songs:
    """Draw `count` random prompts, play each with a seed of its own, and listen.

    seconds: lengths of the songs, taken in turn: what hears candidates of 4 s and tracks of 12 s has to know both.
    Raises ValueError for a count below 1 or no length.
    """
    if count < 1:
        raise ValueError(f"play_songs: expected a count of at least 1, got {count}")
    if not seconds:
        raise ValueError("play_songs: expected at least one length in seconds, got none")
    rng = random.Random(seed)
    drawn = [prompts.draw(lexicon, rng) for _ in range(count)]
    seeds = [rng.randrange(2**31) for _ in range(count)]
    embeddings, descriptors = [], []
    starts: Iterable[int] = range(0, count, _BATCH)
    for start in tqdm(starts, desc="songs", unit="batch", disable=not progress):
        part = slice(start, start + _BATCH)
        texts = [prompt.text() for prompt in drawn[part]]
        audio = generator.generate(texts, seconds=seconds[start // _BATCH % len(seconds)], seeds=seeds[part])
        embeddings.append(encoder.encode(audio).float().cpu())
        descriptors.append(describe(audio))
    return Songs(
        prompts=tuple(prompt.text() for prompt in drawn),
        embeddings=torch.cat(embeddings),
        descriptors=torch.cat(descriptors),
        said=_said(drawn),
    )


def describe(audio: Audio) -> Tensor:
    """What anybody hears in a sound: [N, len(DESCRIPTORS)].

    brightness: log2 of the spectral centroid (Hz). bass: share of the energy below 200 Hz.
    liveliness: mean positive spectral flux over the mean magnitude. density: spread of the spectrum over its
    bins (entropy in bits).
    """
    mono = audio.mono().samples[:, 0].float().cpu()
    spectrum = torch.stft(mono, 2048, 1024, window=torch.hann_window(2048), return_complex=True).abs()  # [N, F, T]
    hertz = torch.linspace(0.0, audio.sample_rate / 2, spectrum.shape[1])
    mean = spectrum.mean(dim=2) + 1e-9  # [N, F]
    share = mean / mean.sum(dim=1, keepdim=True)
    brightness = (share @ hertz).clamp_min(1.0).log2()
    bass = share[:, hertz < 200.0].sum(dim=1)
    liveliness = spectrum.diff(dim=2).clamp_min(0.0).mean(dim=(1, 2)) / mean.mean(dim=1)
    density = -(share * share.log2()).sum(dim=1)
    return torch.stack([brightness, bass, liveliness, density], dim=1)


def invent_listeners(songs: Songs, *, count: int, seed: int) -> Listeners:
    """Invent `count` listeners with hidden tastes and let them listen to all `songs`: see `listeners.invent`.

    They care about the FACETS: what the prompts say, and how the music sounds. How a word sounds is the
    mean embedding of its songs.
    """
    return listeners.invent(_facets(songs), count=count, seed=seed)


def save(path: Path, songs: Songs) -> None:
    """Keep songs in a file, so that an aligner can be trained again without playing them again."""
    torch.save(
        {
            "prompts": list(songs.prompts),
            "embeddings": songs.embeddings,
            "descriptors": songs.descriptors,
            "said": {slot: [list(words), table] for slot, (words, table) in songs.said.items()},
        },
        path,
    )


def load(path: Path) -> Songs:
    """Songs that `save` kept."""
    kept = torch.load(path, weights_only=True)
    said = {slot: (tuple(words), table) for slot, (words, table) in kept["said"].items()}
    return Songs(tuple(kept["prompts"]), kept["embeddings"], kept["descriptors"], said)


def _said(drawn: list[prompts.StructuredPrompt]) -> dict[str, tuple[tuple[str, ...], Tensor]]:
    """Which prompt says which word. Of a key only the mode counts, its last word: nobody loves D flat as such."""
    readers: dict[str, Callable[[prompts.StructuredPrompt], tuple[str, ...]]] = {
        "genre": lambda prompt: (prompt.genre,),
        "mood": lambda prompt: (prompt.mood,),
        "instruments": lambda prompt: prompt.instruments,
        "tempo": lambda prompt: (prompt.tempo,),
        "key": lambda prompt: (prompt.key.split()[-1] if prompt.key else "",),
        "setting": lambda prompt: (prompt.setting,),
    }
    said = {}
    for slot, read in readers.items():
        words = tuple(sorted({word for prompt in drawn for word in read(prompt) if word}))
        table = torch.tensor([[word in read(prompt) for word in words] for prompt in drawn], dtype=torch.bool)
        said[slot] = (words, table.reshape(len(drawn), len(words)))
    return said


def _facets(songs: Songs) -> list[listeners.Facet]:
    heard = listeners.standard(songs.embeddings.reshape(len(songs), -1))
    facets = []
    for slot in songs.said:
        table = songs.said[slot][1].float()
        means = (table.T @ heard) / table.sum(dim=0).clamp_min(1.0)[:, None]  # [words, layers * dim]
        facets.append(listeners.Facet(table, listeners.principal(means), FACETS[slot]))
    facets.append(listeners.Facet(listeners.standard(songs.descriptors), None, FACETS["sound"]))
    return facets
