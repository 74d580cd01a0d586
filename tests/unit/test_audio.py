"""Audio as a value: files, outlines and loudness."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models_store import audio
from models_store.audio import Audio
from tests.unit.small_music import piece, pieces, sine, white_noise

RATE = 22_050


def _written(folder: Path, sound: Audio, name: str = "piece.wav") -> Path:
    path = folder / name
    soundfile.write(path, sound.samples[0].T.numpy(), sound.sample_rate, subtype="FLOAT")
    return path


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    music = Audio(piece(1)[None], RATE)
    read = audio.read(_written(tmp_path, music))
    assert read.sample_rate == RATE
    assert torch.equal(read.samples, music.samples)


def test_no_more_than_max_seconds_is_read(tmp_path: Path) -> None:
    path = _written(tmp_path, Audio(piece(1)[None], RATE))
    assert audio.read(path, max_seconds=1.5).seconds == pytest.approx(1.5, abs=1 / RATE)
    assert audio.read(str(path), max_seconds=100).seconds == pytest.approx(4.0)


def test_an_open_file_is_read_too(tmp_path: Path) -> None:
    with _written(tmp_path, Audio(piece(1)[None], RATE)).open("rb") as file:
        assert audio.read(file).samples.shape == (1, 2, 4 * RATE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.wav: expected an audio file"):
        audio.read(tmp_path / "nowhere.wav")


@pytest.mark.parametrize("content", [b"", b"not audio at all", b"RIFF\x00\x00\x00\x00WAVE"])
def test_a_file_that_is_not_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.wav: expected"):
        audio.read(path)
    with pytest.raises(ValueError, match="expected"):
        audio.read(io.BytesIO(content))


def test_a_file_without_samples_or_with_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds none"):
        audio.read(_written(tmp_path, Audio(torch.zeros(1, 1, 0), RATE)))
    with pytest.raises(ValueError, match="finite"):
        audio.read(_written(tmp_path, Audio(torch.full((1, 1, 100), float("nan")), RATE)))


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_length_that_is_none_is_refused(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(ValueError, match="max_seconds"):
        audio.read(_written(tmp_path, Audio(piece(1)[None], RATE)), max_seconds=seconds)


@pytest.mark.parametrize("name", list(audio.ENCODINGS))
@pytest.mark.parametrize("rate", [32_000, 44_100])
def test_an_encoded_piece_keeps_its_length_and_sound(name: audio.Format, rate: int) -> None:
    music = Audio(piece(2, seconds=2.0, rate=rate)[None], rate)
    decoded = audio.read(io.BytesIO(audio.encode(music, format=name)))
    assert decoded.sample_rate == rate
    assert decoded.samples.shape == music.samples.shape
    error = (decoded.samples - music.samples).square().mean().sqrt() / music.samples.square().mean().sqrt()
    assert error < (0.01 if name in ("wav", "flac") else 0.4)


def test_a_track_is_much_smaller_than_its_samples() -> None:
    music = Audio(piece(2)[None], RATE)
    assert len(audio.encode(music)) < len(audio.encode(music, format="wav")) / 4


def test_what_is_beyond_full_scale_is_cut() -> None:
    decoded = audio.read(io.BytesIO(audio.encode(Audio(sine(200, level=3.0)[None], RATE), format="wav")))
    assert decoded.samples.abs().max() <= 1


@pytest.mark.parametrize(
    ("sound", "name", "reason"),
    [
        (pieces(2), "mp3", "one piece"),
        (Audio(torch.zeros(1, 2, 0), RATE), "mp3", "one piece"),
        (Audio(piece(1)[None], RATE), "aiff", "a format of mp3"),
        (Audio(torch.full((1, 1, 100), float("nan")), RATE), "mp3", "finite"),
        (Audio(torch.zeros(1, 9, 2_000), RATE), "mp3", "cannot hold 9 channels"),
    ],
)
def test_what_cannot_be_encoded_is_refused(sound: Audio, name: audio.Format, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        audio.encode(sound, format=name)


def test_peaks_are_the_outline_of_the_loudest_channel() -> None:
    samples = torch.zeros(1, 2, 1_000)
    samples[0, 0, 100] = 0.5
    samples[0, 1, 950] = -0.8
    samples[0, 1, 350] = 7.0
    outline = audio.peaks(Audio(samples, RATE), 10)[0]
    torch.testing.assert_close(outline, torch.tensor([0, 0.5, 0, 1.0, 0, 0, 0, 0, 0, 0.8]))


@given(length=st.integers(1, 500), bins=st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_there_are_as_many_peaks_as_asked_for(length: int, bins: int) -> None:
    outline = audio.peaks(Audio(white_noise(seconds=1.0)[None, :, :length], RATE), bins)
    assert outline.shape == (1, bins)
    assert bool(((outline >= 0) & (outline <= 1)).all())


def test_no_bins_or_no_samples_have_no_peaks() -> None:
    with pytest.raises(ValueError, match="at least one bin"):
        audio.peaks(pieces(1), 0)
    with pytest.raises(ValueError, match="at least one bin"):
        audio.peaks(Audio(torch.zeros(1, 1, 0), RATE), 10)


def test_a_full_scale_sine_at_1_khz_has_minus_3_lufs() -> None:
    sound = Audio(sine(997, level=1.0, rate=48_000)[None], 48_000)
    assert audio.loudness(sound)[0] == pytest.approx(-3.01, abs=0.1)  # BS.1770-4, annex 1


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), 1e-8])
def test_silent_or_broken_sound_has_the_least_loudness(value: float) -> None:
    assert audio.loudness(Audio(torch.full((1, 2, RATE), value), RATE))[0] == audio.SILENT_LUFS


def test_a_tenth_of_a_second_has_a_loudness() -> None:
    whole, part = (audio.loudness(Audio(sine(997, seconds=s)[None], RATE))[0] for s in (1.0, 0.1))
    assert part == pytest.approx(float(whole), abs=0.5)


@given(gain=st.floats(0.02, 3.0), target=st.floats(-35, -16))
@settings(max_examples=10, deadline=None)
def test_every_level_is_brought_to_the_same_loudness(gain: float, target: float) -> None:
    music = Audio(sine(440, seconds=1.0)[None] * gain, RATE)
    assert audio.loudness(audio.normalise_loudness(music, target))[0] == pytest.approx(target, abs=0.05)


def test_the_peak_stays_below_the_ceiling_without_distortion() -> None:
    music = Audio(piece(1, seconds=2.0)[None], RATE)
    louder = audio.normalise_loudness(music, target_lufs=0.0, peak_ceiling=0.9)
    assert louder.samples.abs().max() == pytest.approx(0.9, abs=1e-4)
    gain = float(louder.samples.abs().max() / music.samples.abs().max())
    torch.testing.assert_close(louder.samples, music.samples * gain, atol=1e-4, rtol=1e-3)


def test_silence_stays_silent() -> None:
    silent = Audio(torch.zeros(1, 2, RATE), RATE)
    assert not audio.normalise_loudness(silent).samples.any()


def test_a_ceiling_above_full_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="peak_ceiling"):
        audio.normalise_loudness(pieces(1), peak_ceiling=1.5)


def test_samples_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[N, channels, time\]"):
        Audio(torch.zeros(2, 100), RATE)
    with pytest.raises(ValueError, match="positive rate"):
        Audio(torch.zeros(1, 2, 100), 0)


def test_a_batch_is_cut_mixed_resampled_and_joined() -> None:
    music = pieces(2)
    assert music.crop(1.0).seconds == 1.0
    assert music.mono().samples.shape == (2, 1, 4 * RATE)
    assert music.resample(11_025).samples.shape == (2, 2, 2 * RATE)
    assert len(audio.concatenate([music, music[:1]])) == 3
    with pytest.raises(ValueError, match="at least one batch"):
        audio.concatenate([])


def test_windows_cover_a_piece_from_end_to_end() -> None:
    piece = audio.Audio(torch.arange(10.0).reshape(1, 1, 10), 2)
    cut = audio.windows(piece, seconds=2.0)
    assert cut.samples[:, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [6, 7, 8, 9]]


def test_a_piece_shorter_than_a_window_is_one_window() -> None:
    cut = audio.windows(audio.Audio(torch.ones(1, 2, 3), 2), seconds=2.0)
    assert tuple(cut.samples.shape) == (1, 2, 3)


@pytest.mark.parametrize(("shape", "seconds"), [((2, 1, 8), 1.0), ((1, 1, 0), 1.0), ((1, 1, 8), 0.0)])
def test_windows_of_nothing_are_refused(shape: tuple[int, int, int], seconds: float) -> None:
    with pytest.raises(ValueError, match="windows"):
        audio.windows(audio.Audio(torch.ones(shape), 2), seconds=seconds)
