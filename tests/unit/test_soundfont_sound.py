"""What the embedded generator sounds like: measured on its audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models_store.audio import Audio
from models_store.encoders.spectral import SpectralEncoder
from models_store.generators.soundfont import sampler, sf2
from models_store.generators.soundfont.generator import SoundFontGenerator
from models_store.generators.soundfont.vocabulary import DIM

TEN_GENRES = ("jazz", "rock", "techno", "ambient", "classical", "hip hop", "reggae", "salsa", "metal", "country")


@pytest.fixture(scope="module")
def generator() -> SoundFontGenerator:
    made = SoundFontGenerator()
    made.prepare()
    return made


def centroid(audio: Audio) -> NDArray[np.float64]:
    """Spectral centroid in Hz, [N]."""
    power = torch.fft.rfft(audio.mono().samples[:, 0]).abs().double()
    hertz = torch.fft.rfftfreq(audio.samples.shape[-1], 1.0 / audio.sample_rate).double()
    return np.asarray((power * hertz).sum(-1) / power.sum(-1))


def tempo(samples: NDArray[np.float32], rate: int) -> float:
    """Beats per minute in [50, 200): the strongest period of the onset curve, its harmonics helping."""
    hop = rate // 100
    frames = np.lib.stride_tricks.sliding_window_view(samples, 4 * hop)[::hop]
    spectrum = np.log1p(50.0 * np.abs(np.fft.rfft(frames * np.hanning(4 * hop), axis=1)))
    onsets = np.maximum(np.diff(spectrum, axis=0), 0.0).sum(axis=1)
    onsets -= onsets.mean()
    same = np.correlate(onsets, onsets, mode="full")[len(onsets) - 1 :]
    candidates = np.arange(50.0, 200.0, 0.5)
    lags = 6000.0 / candidates
    scores = sum(np.interp(k * lags, np.arange(len(same)), same) for k in (1, 2, 4)) * np.sqrt(candidates)
    return float(candidates[int(np.argmax(scores))])


def test_genres_are_told_apart_by_ear(generator: SoundFontGenerator) -> None:
    """A linear classifier on the encoder's embeddings, seeds 0 to 6 to learn from, 7 to 9 to be asked about."""
    encoder = SpectralEncoder()
    seeds = list(range(10))
    heard = []
    for genre in TEN_GENRES:
        audio = generator.generate([f"{genre} music"] * len(seeds), seconds=3.0, seeds=seeds)
        heard.append(encoder.encode(audio).flatten(1))
    known = np.stack([h[:7].numpy() for h in heard]).reshape(70, -1)
    asked = np.stack([h[7:].numpy() for h in heard]).reshape(30, -1)
    judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=300))
    judge.fit(known, np.repeat(TEN_GENRES, 7))
    assert judge.score(asked, np.repeat(TEN_GENRES, 3)) >= 0.8


def test_tempo_words_change_the_measured_tempo(generator: SoundFontGenerator) -> None:
    prompts = [f"disco {bpm} bpm" for bpm in (92, 120, 150)]
    audio = generator.generate(prompts, seconds=10.0, seeds=[3, 3, 3])
    for bpm, samples in zip((92, 120, 150), audio.mono().samples[:, 0].numpy(), strict=True):
        measured = tempo(samples, audio.sample_rate)
        # The ear may count twice or half as fast.
        assert min(abs(measured * factor / bpm - 1.0) for factor in (0.5, 1.0, 2.0)) < 0.04


def test_brightness_words_change_the_spectral_centroid(generator: SoundFontGenerator) -> None:
    seeds = list(range(6))
    dark, plain, bright = (
        centroid(generator.generate([f"{word} pop music"] * 6, seconds=4.0, seeds=seeds))
        for word in ("dark", "", "bright")
    )
    assert dark.mean() < 0.85 * plain.mean()
    assert bright.mean() > 1.15 * plain.mean()


def test_instrument_words_change_the_timbre(generator: SoundFontGenerator) -> None:
    """Seeds apart, the same instrument sounds more like itself than like another."""
    encoder = SpectralEncoder()
    names = ("piano", "violin", "trumpet", "music box")
    heard = torch.stack(
        [
            encoder.encode(
                generator.generate([f"solo {name}, no drums, no bass"] * 4, seconds=4.0, seeds=[1, 2, 3, 4])
            ).flatten(1)
            for name in names
        ]
    )  # [instruments, seeds, features]
    flat = heard.flatten(0, 1)
    heard = (heard - flat.mean(0)) / (flat.std(0) + 1e-6)
    means = heard[:, :2].mean(1)
    nearest = torch.cdist(heard[:, 2:].flatten(0, 1), means).argmin(dim=1)
    right = (nearest == torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])).float().mean()
    assert float(right) >= 0.75


def test_the_same_genome_seed_and_length_are_the_same_sound(generator: SoundFontGenerator) -> None:
    first = generator.generate(["soul"], seconds=3.0, seeds=[5]).samples
    assert torch.equal(first, SoundFontGenerator().generate(["soul"], seconds=3.0, seeds=[5]).samples)
    assert not torch.equal(first, generator.generate(["soul"], seconds=3.0, seeds=[6]).samples)


def test_a_piece_does_not_depend_on_its_batch_or_threads(generator: SoundFontGenerator) -> None:
    words = ["funk", "waltz with harp", "dark trap", "celtic", "swing"]
    together = generator.generate(words, seconds=3.0, seeds=range(5)).samples
    alone = SoundFontGenerator(threads=1)
    for index in reversed(range(5)):
        assert torch.equal(alone.generate([words[index]], seconds=3.0, seeds=[index]).samples[0], together[index])


def test_what_is_forgotten_is_played_the_same_again() -> None:
    font = sf2.read(sampler.default_font())
    small, large = (sampler.Sampler(font, sample_rate=32000, memory_mb=mb) for mb in (0.1, 100.0))
    for key, seconds in ((60, 0.2), (64, 2.0), (60, 1.0), (60, 0.2)):
        a, b = (s.note(0, 48, key, seconds=seconds) for s in (small, large))
        frames = int(seconds * 32000)
        assert np.array_equal(a[0][:, :frames], b[0][:, :frames])
        assert a[1] == b[1]


def test_pieces_are_equally_loud_and_do_not_clip(generator: SoundFontGenerator) -> None:
    words = ["metal", "ambient", "solo flute without drums", "techno", "calm classical", "quiet lo-fi for sleeping"]
    audio = generator.generate(words, seconds=12.0, seeds=range(6))
    assert audio.samples.shape == (6, 2, 12 * generator.sample_rate)
    assert audio.samples.dtype == torch.float32
    assert float(audio.samples.abs().max()) <= 0.96
    meter = pyloudnorm.Meter(audio.sample_rate)
    for samples in audio.samples.numpy():
        assert meter.integrated_loudness(samples.T) == pytest.approx(-16.0, abs=1.5)


def test_pieces_carry_no_offset(generator: SoundFontGenerator) -> None:
    audio = generator.generate(["jazz", "gospel", "pop", "house"], seconds=4.0, seeds=[0, 1, 2, 3])
    assert float(audio.samples.mean(-1).abs().max()) < 1e-3


def test_there_is_no_silence_in_the_middle(generator: SoundFontGenerator) -> None:
    words = ["ambient", "sparse piano", "trap", "solo shakuhachi, no drums, no bass, no chords"]
    audio = generator.generate(words, seconds=6.0, seeds=[1, 2, 3, 4])
    blocks = audio.mono().samples[:, 0, : 5 * 32000].reshape(4, 5, -1)
    assert float(blocks.square().mean(-1).sqrt().min()) > 1e-3


def test_both_channels_sound_and_differ(generator: SoundFontGenerator) -> None:
    left, right = generator.generate(["pop with piano and violin"], seconds=4.0, seeds=[2]).samples[0]
    assert 0.3 < float(left.norm() / right.norm()) < 3.0
    assert float((left - right).norm()) > 0.1 * float(left.norm())


def test_embeddings_sound_like_their_text(generator: SoundFontGenerator) -> None:
    words = ["calm bossa nova with flute", "fast punk in e minor"]
    embedded = generator.vocabulary.embed(words, length=8)
    assert torch.equal(
        generator.generate(embedded, seconds=2.0, seeds=[1, 2]).samples,
        generator.generate(words, seconds=2.0, seeds=[1, 2]).samples,
    )


def test_embeddings_far_from_every_token_play(generator: SoundFontGenerator) -> None:
    wild = 10.0 * torch.randn(3, 6, DIM, generator=torch.Generator().manual_seed(1))
    audio = generator.generate(torch.cat([wild, torch.zeros(1, 6, DIM)]), seconds=2.0, seeds=[0, 1, 2, 3])
    assert bool(torch.isfinite(audio.samples).all())
    assert float(audio.samples.square().mean((1, 2)).sqrt().min()) > 0.02


@pytest.mark.parametrize(
    "prompt", ["😀🎵", "音楽 とても静か", "тихая музыка", "jazz\x00\x07\x1b piano", "!!!", "x" * 2000]
)
def test_strange_prompts_play(generator: SoundFontGenerator, prompt: str) -> None:
    audio = generator.generate([prompt], seconds=1.0, seeds=[0])
    assert float(audio.samples.square().mean().sqrt()) > 0.01


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t", "\x00\x01", "jazz " * 2000])
def test_prompts_without_words_or_end_are_refused(generator: SoundFontGenerator, prompt: str) -> None:
    with pytest.raises(ValueError, match=r"genomes\[1\]: prompt: expected"):
        generator.generate(["jazz", prompt], seconds=1.0, seeds=[0, 1])


@pytest.mark.parametrize("seconds", [0.0, -1.0, 601.0, float("nan"), float("inf")])
def test_impossible_lengths_are_refused(generator: SoundFontGenerator, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds: expected"):
        generator.generate(["jazz"], seconds=seconds, seeds=[0])


def test_seeds_must_be_one_per_genome_and_not_negative(generator: SoundFontGenerator) -> None:
    with pytest.raises(ValueError, match="seeds: expected one per genome"):
        generator.generate(["jazz"], seconds=1.0, seeds=[0, 1])
    with pytest.raises(ValueError, match="seeds: expected integers >= 0"):
        generator.generate(["jazz"], seconds=1.0, seeds=[-1])


def test_no_genomes_are_no_pieces(generator: SoundFontGenerator) -> None:
    assert generator.generate([], seconds=1.0, seeds=[]).samples.shape == (0, 2, generator.sample_rate)


def test_very_short_pieces_play(generator: SoundFontGenerator) -> None:
    assert generator.generate(["techno"], seconds=0.05, seeds=[0]).samples.shape == (1, 2, 1600)


def test_notes_sound_at_their_pitch() -> None:
    """A flute's, an organ's and a vibraphone's A above middle C: 440 Hz, or an octave of it, within 20 cents."""
    player = sampler.Sampler(sf2.read(sampler.default_font()), sample_rate=32000)
    for program in (73, 16, 11):
        wave, _ = player.note(0, program, 69, seconds=1.5)
        spectrum = np.abs(np.fft.rfft(wave[0, 3200:48000] * np.hanning(44800), 1 << 18))
        strongest = float(spectrum[: int(2000 * (1 << 18) / 32000)].argmax()) * 32000 / (1 << 18)
        octaves = np.log2(strongest / 440.0)
        assert abs(octaves - round(octaves)) < 0.2 / 12


def test_a_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.sf2"
    path.write_bytes(b"not a font at all")
    with pytest.raises(ValueError, match="expected a SoundFont 2 file"):
        SoundFontGenerator(soundfont_path=path).prepare()


def test_a_missing_font_is_named() -> None:
    with pytest.raises(ValueError, match=r"nowhere\.sf2"):
        SoundFontGenerator(soundfont_path="nowhere.sf2").prepare()


def test_an_absurd_sample_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="sample_rate"):
        SoundFontGenerator(sample_rate=0)
