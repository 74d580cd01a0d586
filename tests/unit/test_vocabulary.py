"""The words of the embedded generator and their embeddings."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models_store import prompts
from models_store.generators.soundfont.description import describe, said
from models_store.generators.soundfont.generator import SoundFontGenerator
from models_store.generators.soundfont.reading import tokens
from models_store.generators.soundfont.tokens import SoundFontVocabulary
from models_store.generators.soundfont.vocabulary import DIM, LEXICON, TOKEN_INDEX
from models_store.generators.soundfont.words import ALIASES

PROMPTS = (
    "calm jazz with piano and flute, slow, in d minor, at night",
    "dark techno without drums, 130 bpm",
    "happy lo-fi hip hop with guitar, by the sea",
    "zorbly blint",
)


@pytest.fixture(scope="module")
def vocabulary() -> SoundFontVocabulary:
    return SoundFontVocabulary()


def test_importing_the_words_does_not_import_torch() -> None:
    code = "import sys, models_store.generators.soundfont.vocabulary; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_lexicon_is_as_rich_as_promised() -> None:
    assert set(LEXICON) == set(prompts.SLOTS)
    assert len(LEXICON["genre"]) >= 24
    assert len(LEXICON["mood"]) >= 24
    assert len(LEXICON["instruments"]) >= 40
    assert len(LEXICON["key"]) >= 24


def test_every_word_of_the_lexicon_is_read_as_itself() -> None:
    for words in LEXICON.values():
        for word in words:
            assert tokens(word) == (word,)


def test_every_alias_names_a_known_word() -> None:
    assert {word for word in ALIASES.values() if word not in TOKEN_INDEX} == set()


def test_structured_prompts_are_read_whole() -> None:
    prompt = prompts.StructuredPrompt(
        mood="calm", genre="jazz", instruments=("piano", "flute"), tempo="slow", key="d minor", setting="at night"
    )
    assert tokens(prompt.text()) == ("calm", "jazz", "piano", "flute", "slow", "d minor", "at night")


def test_embeddings_have_norm_one_and_the_padding_none(vocabulary: SoundFontVocabulary) -> None:
    norms = vocabulary.embeddings.norm(dim=-1)
    assert norms[0] == 0.0
    assert torch.allclose(norms[1:], torch.ones(len(norms) - 1), atol=1e-5)
    assert vocabulary.embeddings.shape == (len(vocabulary.tokens), DIM)


def test_no_two_tokens_share_a_place(vocabulary: SoundFontVocabulary) -> None:
    distances = torch.cdist(vocabulary.embeddings, vocabulary.embeddings)
    distances.fill_diagonal_(9.0)
    assert float(distances.min()) > 0.1


@pytest.mark.parametrize(
    ("word", "near", "far"),
    [
        ("calm", "peaceful", "aggressive"),
        ("violin", "viola", "drum machine"),
        ("92 bpm", "96 bpm", "180 bpm"),
        ("c major", "g major", "f sharp major"),
        ("techno", "trance", "classical"),
        ("jazz", "bossa nova", "metal"),
    ],
)
def test_what_sounds_alike_lies_near(vocabulary: SoundFontVocabulary, word: str, near: str, far: str) -> None:
    place = {name: vocabulary.embeddings[TOKEN_INDEX[name]] for name in (word, near, far)}
    assert torch.dist(place[word], place[near]) < torch.dist(place[word], place[far])


def test_embedded_prompts_mean_what_their_text_means(vocabulary: SoundFontVocabulary) -> None:
    generator = SoundFontGenerator()
    assert generator.describe(vocabulary.embed(PROMPTS, length=10)) == generator.describe(PROMPTS)


def test_embedded_prompts_read_back_as_their_tokens(vocabulary: SoundFontVocabulary) -> None:
    for prompt, back in zip(PROMPTS[:3], vocabulary.nearest(vocabulary.embed(PROMPTS[:3], length=10)), strict=True):
        assert tokens(back) == tokens(prompt)


def test_tokens_are_rows_of_the_embeddings_and_the_nearest_to_themselves(vocabulary: SoundFontVocabulary) -> None:
    ids = vocabulary.ids(PROMPTS, length=10)
    assert ids.shape == (len(PROMPTS), 10)
    assert torch.equal(vocabulary.embeddings[ids], vocabulary.embed(PROMPTS, length=10))
    assert torch.equal(vocabulary.nearest_ids(vocabulary.embeddings[ids]), ids)
    assert vocabulary.prompts(ids) == vocabulary.nearest(vocabulary.embeddings[ids])


def test_padding_alone_reads_as_music(vocabulary: SoundFontVocabulary) -> None:
    assert vocabulary.prompts(torch.full((1, 3), TOKEN_INDEX["<pad>"])) == ["music"]


def test_embedding_cuts_and_pads(vocabulary: SoundFontVocabulary) -> None:
    assert vocabulary.embed(["calm jazz with piano"], length=2).shape == (1, 2, DIM)
    assert bool((vocabulary.embed(["calm"], length=4)[0, 1:] == 0.0).all())


def test_small_steps_in_the_space_change_the_music_little(vocabulary: SoundFontVocabulary) -> None:
    generator = SoundFontGenerator()
    start, end = vocabulary.embed(["calm slow jazz", "energetic fast techno"], length=3)
    way = torch.stack([start + (end - start) * t for t in torch.linspace(0, 1, 101)])
    found = generator.describe(way)
    energies = [d.energy for d in found]
    tempos = [d.bpm for d in found]
    assert energies[0] < 0.3
    assert energies[-1] > 0.8
    assert max(abs(a - b) for a, b in pairwise(energies)) < 0.12
    assert max(abs(a - b) for a, b in pairwise(tempos)) < 12.0


@given(st.integers(0, 10_000), st.floats(0.0, 1e30))
@settings(max_examples=30, deadline=None)
def test_any_finite_embedding_is_a_description(seed: int, scale: float) -> None:
    wild = torch.randn(1, 4, DIM, generator=torch.Generator().manual_seed(seed)) * scale
    found = SoundFontGenerator().describe(wild)[0]
    assert 30.0 < found.bpm < 250.0
    assert 0.0 <= found.energy <= 1.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_embeddings_that_are_no_numbers_are_refused(vocabulary: SoundFontVocabulary, bad: float) -> None:
    embeddings = vocabulary.embed(["jazz"], length=3)
    embeddings[0, 1, 2] = bad
    with pytest.raises(ValueError, match="finite"):
        vocabulary.weights(embeddings)


def test_embeddings_of_another_size_are_refused(vocabulary: SoundFontVocabulary) -> None:
    with pytest.raises(ValueError, match=r"\[N, tokens, 32\]"):
        vocabulary.nearest(torch.zeros(1, 2, 7))


def test_no_length_is_refused(vocabulary: SoundFontVocabulary) -> None:
    with pytest.raises(ValueError, match="length"):
        vocabulary.embed(["jazz"], length=0)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("mlancholic violn", ("melancholic", "violin")),
        ("metal without guitars or drums, 92bpm", ("metal", "no guitar", "no drums", "92 bpm")),
        ("Hip-Hop in Bb min", ("hip hop", "b flat minor")),
        ("epic, not sad, f# dorian", ("epic", "f sharp minor", "dorian")),
        ("drumless jazz without a saxophone", ("no drums", "jazz", "no saxophone")),
        ("no piano, flute", ("no piano", "flute")),
        ("very slow D♭ major", ("very slow", "c sharp major")),
        ("120 beats per minute", ("120 bpm",)),
    ],
)
def test_prompts_are_read_as_people_mean_them(prompt: str, expected: tuple[str, ...]) -> None:
    assert tokens(prompt) == expected


def test_unknown_words_count_a_little_and_always_the_same() -> None:
    plain, once, again = (describe(said(tokens(p))) for p in ("jazz", "jazz xqzvw", "jazz xqzvw"))
    assert once == again
    assert once != plain
    assert once.genre == plain.genre
    assert abs(once.bpm / plain.bpm - 1.0) < 0.05


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_visible_text_is_read(text: str) -> None:
    prompt = f"{text} ."
    assert 30.0 < describe(said(tokens(prompt))).bpm < 250.0


@given(st.text(st.characters(categories=["Cc", "Zs", "Zl", "Zp"]), max_size=50))
@settings(max_examples=50, deadline=None)
def test_text_without_anything_visible_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="prompt: expected words that describe music, got none"):
        tokens(text)
