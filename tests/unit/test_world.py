"""The synthetic world: songs that were played, listeners with hidden tastes."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from models_store import prompts
from models_store.aligner import world
from models_store.audio import Audio
from models_store.encoders.spectral import SpectralEncoder
from models_store.generators.soundfont.generator import SoundFontGenerator
from models_store.generators.soundfont.vocabulary import LEXICON
from tests.unit import small_world


@lru_cache(maxsize=1)
def played() -> world.Songs:
    return world.play_songs(SoundFontGenerator(), SpectralEncoder(), LEXICON, count=6, seconds=[0.5], seed=3)


def test_songs_are_random_prompts_played_and_heard() -> None:
    rng = random.Random(3)

    assert played().prompts == tuple(prompts.draw(LEXICON, rng).text() for _ in range(6))
    assert played().embeddings.shape == (6, SpectralEncoder.layers, SpectralEncoder.dim)
    assert float(torch.pdist(played().embeddings.flatten(1)).min()) > 1.0


def test_songs_of_a_seed_are_always_the_same_and_of_another_are_others() -> None:
    again, other = (
        world.play_songs(SoundFontGenerator(), SpectralEncoder(), LEXICON, count=2, seconds=[0.5], seed=seed)
        for seed in (3, 4)
    )

    assert again.prompts != other.prompts
    assert again.prompts == played().prompts[:2]


def test_the_table_of_words_says_what_the_prompts_say() -> None:
    words, table = played().said["instruments"]

    for number, text in enumerate(played().prompts):
        said = {word for word, is_said in zip(words, table[number].tolist(), strict=True) if is_said}
        assert said == set(prompts.parse(text, LEXICON).instruments)


def test_songs_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    world.save(tmp_path / "songs.pt", played())

    again = world.load(tmp_path / "songs.pt")

    assert again.prompts == played().prompts
    assert torch.equal(again.embeddings, played().embeddings)
    assert again.said["genre"][0] == played().said["genre"][0]
    assert torch.equal(again.said["genre"][1], played().said["genre"][1])


def test_a_high_tone_is_brighter_and_has_less_bass_than_a_low_one() -> None:
    seconds = torch.arange(16000) / 16000
    tones = torch.stack([torch.sin(2 * torch.pi * hertz * seconds) for hertz in (80.0, 3000.0)])[:, None]

    low, high = world.describe(Audio(tones, 16000))

    brightness, bass = world.DESCRIPTORS.index("brightness"), world.DESCRIPTORS.index("bass")
    assert 2 ** float(high[brightness]) == pytest.approx(3000, rel=0.1)
    assert high[brightness] > low[brightness] + 1
    assert low[bass] > 0.8 > 0.1 > high[bass]


def test_silence_has_finite_descriptors() -> None:
    assert bool(world.describe(Audio(torch.zeros(1, 2, 8000), 16000)).isfinite().all())


def test_listeners_like_the_share_of_songs_that_they_shall_and_differ() -> None:
    listeners = world.invent_listeners(small_world.songs(), count=60, seed=1)
    share = listeners.likes.float().mean(dim=1)

    assert float(share.min()) >= 0.17
    assert float(share.max()) <= 0.46
    assert float(share.max() - share.min()) > 0.15
    assert set(listeners.kinds) == set(world.KINDS)


def test_listeners_listen_to_what_they_like_and_to_nothing_else() -> None:
    listeners = small_world.listeners()

    assert torch.equal(listeners.counts > 0, listeners.likes)
    assert float(listeners.counts.max()) > 3


def test_a_taste_is_in_the_words_and_not_in_the_noise() -> None:
    listeners = small_world.listeners()
    genres = small_world.songs().said["genre"][1].float()

    share = (listeners.likes.float() @ genres) / genres.sum(dim=0)  # [listeners, genres]

    # By chance a genre's share would be off the listener's by about 0.06.
    assert float(share.std(dim=1).mean()) > 0.10


def test_listeners_of_a_seed_are_always_the_same_and_of_another_are_others() -> None:
    songs = small_world.songs()
    first, again, other = (world.invent_listeners(songs, count=5, seed=seed) for seed in (1, 1, 2))

    assert torch.equal(first.counts, again.counts)
    assert not torch.equal(first.likes, other.likes)


def test_a_world_without_songs_or_listeners_is_refused() -> None:
    with pytest.raises(ValueError, match="count of at least 1, got 0"):
        world.play_songs(SoundFontGenerator(), SpectralEncoder(), LEXICON, count=0, seed=0)
    with pytest.raises(ValueError, match="count of at least 1, got 0"):
        world.invent_listeners(small_world.songs(), count=0, seed=0)
