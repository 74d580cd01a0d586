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
from models_store.audio import Audio
from models_store.encoders.base import AudioEncoder
from models_store.generators.base import MusicGenerator

DESCRIPTORS = ("brightness", "bass", "liveliness", "density")
FACETS = {"genre": 3.0, "mood": 1.5, "instruments": 2.5, "tempo": 1.5, "key": 0.7, "setting": 0.7, "sound": 2.0}
"""What a listener can care about: the words of a prompt, slot by slot, and how the music sounds; and how much the mean
listener cares. An assumption of ours: people speak of genres, voices and sound before they speak of keys."""

LENGTHS = (4.0, 12.0, 8.0)
"""Lengths of songs, in seconds."""

KINDS = ("narrow", "broad", "mixture")
_BATCH = 32
_COORDINATES = 5


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


@dataclass(frozen=True)
class Listeners:
    """M listeners of N songs.

    kinds: one of KINDS each. likes: bool [M, N]. counts: float32 [M, N], how often each song was listened to.
    """

    kinds: tuple[str, ...]
    likes: Tensor
    counts: Tensor

    def __len__(self) -> int:
        return len(self.kinds)


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
    """Invent `count` listeners with hidden tastes and let them listen to all `songs`.

    A taste weighs the FACETS (narrow: one or two of them; broad: most of them; mixture: the better of two tastes)
    and, in each, the words or descriptors. Words that sound alike are loved alike, in part: a word's weight is a
    linear function of its coordinates (the first principal components of the mean embedding of its songs) plus
    something of its own. A listener likes the 18 to 45 % of all songs whose utility, with noise, is highest, and
    listens to these, the more often the higher.
    """
    if count < 1:
        raise ValueError(f"invent_listeners: expected a count of at least 1, got {count}")
    generator = torch.Generator().manual_seed(seed)
    facets = _facets(songs)
    fashion = _standard(_standard(songs.descriptors) @ torch.randn(len(DESCRIPTORS), generator=generator))
    kinds, utilities = [], []
    for _ in range(count):
        kind = KINDS[int(torch.randint(len(KINDS), (), generator=generator))]
        kinds.append(kind)
        utilities.append(_utility(kind, facets, generator))
    utility = _standard(torch.stack(utilities), dim=1)  # [M, N]
    utility = utility + 0.15 * fashion + 0.4 * torch.randn(utility.shape, generator=generator)
    share = 0.18 + 0.27 * torch.rand(count, generator=generator)
    liked = (share * len(songs)).long().clamp_min(1)
    least = utility.sort(dim=1, descending=True).values.gather(1, liked[:, None] - 1)  # [M, 1]
    likes = utility >= least
    counts = likes * (1.0 + torch.poisson((utility - least).exp(), generator=generator))
    return Listeners(kinds=tuple(kinds), likes=likes, counts=counts)


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


@dataclass(frozen=True)
class _Facet:
    """One thing to care about: features [N, words or descriptors], coordinates [words, _COORDINATES] or None."""

    features: Tensor
    coordinates: Tensor | None


def _facets(songs: Songs) -> list[_Facet]:
    heard = _standard(songs.embeddings.reshape(len(songs), -1))
    facets = []
    for slot in songs.said:
        table = songs.said[slot][1].float()
        means = (table.T @ heard) / table.sum(dim=0).clamp_min(1.0)[:, None]  # [words, layers * dim]
        facets.append(_Facet(table, _principal(means)))
    facets.append(_Facet(_standard(songs.descriptors), None))
    return facets


def _principal(rows: Tensor) -> Tensor:
    """The first principal components of rows [R, F], standardised: [R, _COORDINATES], 0 where there are too few."""
    coordinates = torch.zeros(len(rows), _COORDINATES)
    if len(rows) > 1:
        left, size, _ = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)
        kept = min(_COORDINATES, len(size) - 1)
        coordinates[:, :kept] = _standard(left[:, :kept] * size[:kept])
    return coordinates


def _utility(kind: str, facets: list[_Facet], generator: torch.Generator) -> Tensor:
    """The utility of every song to a new taste: [N], standardised."""
    if kind == "mixture":
        first, second = (_utility("narrow", facets, generator) for _ in range(2))
        return _standard(torch.maximum(first, second))
    # Exponential draws are a Dirichlet; cubed, one or two of them outweigh the others.
    importance = torch.empty(len(facets)).exponential_(generator=generator) ** (3.0 if kind == "narrow" else 1.0)
    total = torch.zeros(len(facets[0].features))
    importance = importance * torch.tensor(list(FACETS.values()))
    for weight, facet in zip(importance / importance.sum(), facets, strict=True):
        loved = torch.randn(facet.features.shape[1], generator=generator)
        if facet.coordinates is not None:
            alike = facet.coordinates @ torch.randn(_COORDINATES, generator=generator) / _COORDINATES**0.5
            loved = 0.85 * alike + 0.53 * loved
        total = total + weight * _standard(facet.features @ loved)
    return _standard(total)


def _standard(values: Tensor, *, dim: int = 0) -> Tensor:
    """Zero mean and unit deviation along `dim`; what does not vary becomes 0."""
    deviation = values.std(dim=dim, keepdim=True, correction=0)
    return (values - values.mean(dim=dim, keepdim=True)) / torch.where(deviation > 1e-6, deviation, torch.inf)
