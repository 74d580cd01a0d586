"""Sound as a picture and back: the same pitch, length and shape, whatever the picture holds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchaudio.transforms import InverseMelScale, MelScale

from models_store.generators.riffusion import spectrogram
from models_store.generators.riffusion.spectrogram import (
    BANDS,
    HOP,
    PEAK,
    SAMPLE_RATE,
    TRANSFORM,
    Spectrograms,
    columns,
)
from tests.unit.small_music import piece, sine, white_noise

SECONDS = 1.0
SAMPLES = round(SECONDS * SAMPLE_RATE)


@pytest.fixture(scope="module")
def spectrograms() -> Spectrograms:
    return Spectrograms()


@pytest.fixture(scope="module")
def music() -> Tensor:
    """[2, time]: two pieces of tones and drums."""
    return torch.stack([piece(seed, seconds=SECONDS, rate=SAMPLE_RATE).mean(dim=0) for seed in (1, 2)])


def likeness(first: Tensor, second: Tensor) -> float:
    """Correlation of two pictures."""
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


def loudest_hertz(sound: Tensor) -> float:
    """Of [time]: where its spectrum is highest."""
    return float(torch.fft.rfft(sound).abs().argmax()) * SAMPLE_RATE / len(sound)


def test_music_comes_back_from_its_picture_with_the_same_picture(spectrograms: Spectrograms, music: Tensor) -> None:
    pictures = spectrograms.pictures(music)
    again = spectrograms.pictures(spectrograms.sound(pictures, samples=SAMPLES))
    noise = spectrograms.pictures(white_noise(seconds=SECONDS, rate=SAMPLE_RATE))

    for picture, played in zip(pictures, again, strict=True):
        assert likeness(picture, played) > 0.97
        assert abs(likeness(picture, noise[0])) < 0.5
    assert likeness(pictures[0], again[1]) < 0.9


@pytest.mark.parametrize("hertz", [55.0, 440.0, 1760.0, 7040.0])
def test_a_tone_keeps_its_pitch(spectrograms: Spectrograms, hertz: float) -> None:
    picture = spectrograms.pictures(sine(hertz, seconds=SECONDS, rate=SAMPLE_RATE))
    played = spectrograms.sound(picture, samples=SAMPLES)[0]
    # A band is as wide as two of these; what is between two bands is not in the picture.
    band = 1127.0 * torch.log1p(torch.tensor([0.0, 10_000.0]) / 700.0).diff() / (BANDS + 1)
    width = float(band) * (700.0 + hertz) / 1127.0
    assert abs(loudest_hertz(played) - hertz) < max(width, 1.0)


def test_low_stands_below_high_and_loud_is_dark(spectrograms: Spectrograms) -> None:
    tones = torch.cat([sine(hertz, seconds=SECONDS, rate=SAMPLE_RATE) for hertz in (200.0, 5000.0)])
    low, high = spectrograms.pictures(tones)
    assert int(low.mean(dim=1).argmax()) > int(high.mean(dim=1).argmax())
    assert float(low.max()) == 1.0
    assert float(low[0].max()) < 0.3


def test_a_dark_line_in_a_white_picture_is_a_tone_where_it_stands(spectrograms: Spectrograms) -> None:
    picture = torch.zeros(1, BANDS, columns(SAMPLES))
    picture[:, BANDS - 1 - 255] = 1.0
    centre = 700.0 * ((1 + 10_000 / 700) ** (256 / (BANDS + 1)) - 1)  # the middle of band 255 on HTK's scale
    assert loudest_hertz(spectrograms.sound(picture, samples=SAMPLES)[0]) == pytest.approx(centre, rel=0.01)


def test_silence_stays_silent_and_a_faint_picture_faint(spectrograms: Spectrograms) -> None:
    pictures = torch.zeros(2, BANDS, columns(SAMPLES))
    pictures[1, 100:200] = 0.1
    played = spectrograms.sound(pictures, samples=SAMPLES)
    assert torch.equal(played[0], torch.zeros(SAMPLES))
    assert 0 < float(played[1].abs().max()) < 0.03 * PEAK


def test_every_piece_that_is_heard_has_its_peak_below_full_scale(spectrograms: Spectrograms, music: Tensor) -> None:
    pictures = spectrograms.pictures(music) * torch.tensor([1.0, 0.8])[:, None, None]
    peaks = spectrograms.sound(pictures, samples=SAMPLES).abs().amax(dim=1)
    assert peaks.tolist() == pytest.approx([PEAK, PEAK], rel=1e-4)


@pytest.mark.parametrize("samples", [1, HOP - 1, HOP, TRANSFORM // 4, TRANSFORM // 2, TRANSFORM, SAMPLES])
def test_a_piece_has_the_length_that_was_asked_for(spectrograms: Spectrograms, music: Tensor, samples: int) -> None:
    played = spectrograms.sound(spectrograms.pictures(music), samples=samples)
    assert played.shape == (2, samples)
    assert torch.isfinite(played).all()


def test_what_lies_beyond_black_and_white_is_cut_and_nan_is_white(spectrograms: Spectrograms, music: Tensor) -> None:
    pictures = spectrograms.pictures(music).round()
    beyond = torch.where(pictures > 0, 7.0, -3.0)
    beyond[0, :100][pictures[0, :100] == 0] = torch.nan
    expected = spectrograms.sound(pictures, samples=SAMPLES)
    torch.testing.assert_close(spectrograms.sound(beyond, samples=SAMPLES), expected)


def test_a_piece_sounds_in_a_batch_as_alone(spectrograms: Spectrograms, music: Tensor) -> None:
    pictures = spectrograms.pictures(music)
    together = spectrograms.sound(pictures, samples=SAMPLES)
    for picture, played in zip(pictures, together, strict=True):
        alone = spectrograms.sound(picture[None], samples=SAMPLES)[0]
        assert float((alone - played).norm() / alone.norm()) < 1e-2


def test_no_random_numbers_are_drawn(spectrograms: Spectrograms, music: Tensor) -> None:
    before = torch.get_rng_state()
    first = spectrograms.sound(spectrograms.pictures(music), samples=SAMPLES)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, spectrograms.sound(spectrograms.pictures(music), samples=SAMPLES))


def test_bands_are_unmixed_more_truly_than_by_least_squares(spectrograms: Spectrograms, music: Tensor) -> None:
    bins = torch.stft(music, TRANSFORM, HOP, 4410, torch.hann_window(4410), return_complex=True).abs()
    scale = {"n_mels": BANDS, "sample_rate": SAMPLE_RATE, "f_max": 10_000.0, "n_stft": TRANSFORM // 2 + 1}
    mel = MelScale(**scale)(bins)
    ours = spectrograms._unmixed(mel)
    theirs = InverseMelScale(**scale)(mel)[:, : ours.shape[1]]
    true = bins[:, : ours.shape[1]]

    def off(unmixed: Tensor) -> float:
        return float((unmixed - true).norm() / true.norm())

    assert float((spectrograms._bank.T @ ours - mel).norm() / mel.norm()) < 0.01
    assert off(ours) < off(theirs)
    assert likeness((ours + 1e-3).log(), (true + 1e-3).log()) > likeness((theirs + 1e-3).log(), (true + 1e-3).log())


@pytest.mark.parametrize("shape", [(1, BANDS - 1, 300), (1, BANDS, columns(SAMPLES) - 1), (BANDS, 300)])
def test_a_picture_of_another_size_is_refused(spectrograms: Spectrograms, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"expected pictures .N, 512, at least {columns(SAMPLES)}.*got"):
        spectrograms.sound(torch.zeros(shape), samples=SAMPLES)


def test_sound_that_is_too_short_for_a_picture_is_refused(spectrograms: Spectrograms) -> None:
    with pytest.raises(ValueError, match=r"time > 8820.*got"):
        spectrograms.pictures(torch.zeros(1, TRANSFORM // 2))


def test_the_scale_of_the_pictures_is_the_one_that_the_model_learned() -> None:
    assert (spectrogram.HOP, spectrogram.WINDOW, spectrogram.TRANSFORM) == (441, 4_410, 17_640)
    assert columns(round(5.11 * SAMPLE_RATE)) == 512
