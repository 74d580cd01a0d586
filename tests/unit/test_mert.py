"""MERT's checkpoint in HuBERT: every hidden state, averaged over time, of a batch as of each piece alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import HubertModel, Wav2Vec2FeatureExtractor

from models_store import devices
from models_store.audio import Audio
from models_store.encoders import intake
from models_store.encoders.mert import Mert, encoder, loading
from models_store.encoders.mert.hearing import Ear, _frames
from tests.random_models import mert as random_mert
from tests.unit.alive import Alive
from tests.unit.small_music import piece, pieces

RATE = 24_000
CLOSE = {"atol": 2e-5, "rtol": 0}
HUBERT = random_mert.hubert()


@pytest.fixture(scope="module", params=[True, False], ids=["95M's norms", "330M's norms"])
def group(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def folder(group: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_mert.write(tmp_path_factory.mktemp("mert") / "weights", group=group)


@pytest.fixture(scope="module")
def mert(folder: Path) -> Iterator[Mert]:
    encoder = Mert(model=str(folder))
    encoder.prepare()
    yield encoder
    encoder.release()


def _plainly(model: HubertModel, folder: Path, sound: Tensor) -> Tensor:
    """[layers, dim] of mono [time] at 24 kHz, as transformers hears one piece, without a batch.

    The last state of a model with norms first is the normed one, as in the transformers that MERT was made for.
    """
    extract = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    values = extract(sound.numpy(), sampling_rate=RATE, return_tensors="pt").input_values
    with torch.inference_mode():
        heard = model(values, output_hidden_states=True)
    return torch.stack([state[0].mean(dim=0) for state in (*heard.hidden_states[:-1], heard.last_hidden_state)])


def _sounds(*lengths: int) -> list[Audio]:
    return [Audio(piece(seed, rate=RATE)[None, :, :length], RATE) for seed, length in enumerate(lengths, start=1)]


def test_a_batch_is_heard_as_transformers_hears_each_piece_alone(mert: Mert, folder: Path, group: bool) -> None:
    music = pieces(3, seconds=1.0, rate=RATE)
    model = random_mert.hubert(group=group)
    expected = torch.stack([_plainly(model, folder, one.mean(dim=0)) for one in music.samples])
    heard = mert.encode(music)
    assert heard.dtype == torch.float32
    assert heard.shape == (3, mert.layers, mert.dim) == (3, 3, 32)
    torch.testing.assert_close(heard, expected, **CLOSE)
    assert (heard[0] - heard[1]).abs().max() > 0.01, "unlike pieces are heard unlike"


def test_pieces_of_unequal_lengths_are_heard_together_as_alone(mert: Mert, folder: Path, group: bool) -> None:
    unequal = _sounds(9_999, 24_000, 400, 3_000, 719, 24_000)
    model = random_mert.hubert(group=group)
    expected = torch.stack([_plainly(model, folder, one.samples[0].mean(dim=0)) for one in unequal])
    torch.testing.assert_close(mert.encode_many(unequal), expected, **CLOSE)


def test_a_louder_neighbour_does_not_change_what_is_heard(mert: Mert) -> None:
    short, long = _sounds(6_000, 24_000)
    loud = Audio(long.samples * 7, RATE)
    heard = [mert.encode_many([short, neighbour])[0] for neighbour in (long, loud)]
    torch.testing.assert_close(*heard, **CLOSE)


def test_batches_of_several_pieces_and_rates_keep_their_order(mert: Mert) -> None:
    mixed = [pieces(2, seconds=0.5, rate=RATE), pieces(3, seconds=1.0, rate=16_000)]
    torch.testing.assert_close(mert.encode_many(mixed), torch.cat([mert.encode(batch) for batch in mixed]), **CLOSE)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 44_101])
def test_other_rates_are_resampled(mert: Mert, rate: int) -> None:
    calm = Audio(piece(1, rate=48_000, drums=False, seconds=1.0)[None], 48_000)  # little above 4 kHz
    from torchaudio.functional import resample

    same = Audio(resample(calm.samples, 48_000, rate if rate != 44_101 else 44_100), rate)
    assert torch.cosine_similarity(mert.encode(calm), mert.encode(same), dim=-1).min() > 0.99


def test_a_ratio_of_rates_that_no_resampler_can_hold_is_rounded() -> None:
    assert intake._ratio(44_100, 24_000) == (147, 80)
    assert intake._ratio(11_025, 24_000) == (147, 320)
    for rate in (44_101, 22_051, 7_919, 96_001, 1_009):
        up, down = intake._ratio(rate, 24_000)
        assert abs(up / down * 24_000 / rate - 1) < 0.002
        assert up * down <= 10 * intake.LARGEST_RATIO


def test_loudness_counts_only_where_the_folder_says_so(tmp_path: Path) -> None:
    music = pieces(1, seconds=0.5, rate=RATE)
    softer = Audio(music.samples * 0.1, RATE)
    apart = {}
    for normalise in (True, False):
        listener = Mert(model=str(random_mert.write(tmp_path / str(normalise), normalise=normalise, group=False)))
        listener.prepare()
        apart[normalise] = (listener.encode(music) - listener.encode(softer)).abs().max()
    assert apart[True] < 1e-3 < apart[False]


def test_a_long_piece_is_the_mean_of_its_windows_weighted_by_length(
    mert: Mert, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = pieces(2, seconds=1.1, rate=RATE)
    monkeypatch.setattr(encoder, "WINDOW_SECONDS", 0.5)
    heard = mert.encode_many([music, music.crop(0.4)])
    ear = mert._prepared()
    sound = mert._sound(ear, music)
    parts = sound.tensor_split(3, dim=1)
    expected = sum(ear.hear(part, [part.shape[1]] * 2) * part.shape[1] for part in parts) / sound.shape[1]
    assert max(part.shape[1] for part in parts) <= 12_000
    torch.testing.assert_close(heard[:2], expected, **CLOSE)
    torch.testing.assert_close(heard[2:], mert.encode(music.crop(0.4)), **CLOSE)


@given(st.integers(min_value=1, max_value=5_000), st.integers(min_value=1, max_value=700))
@settings(deadline=None)
def test_windows_cover_a_piece_in_order_and_are_as_few_and_as_equal_as_they_can(time: int, longest: int) -> None:
    piece = torch.arange(time)
    windows = encoder._windows(piece, longest)
    lengths = [len(window) for window in windows]
    assert torch.equal(torch.cat(windows), piece)
    assert len(windows) == -(-time // longest)
    assert max(lengths) <= longest
    assert max(lengths) - min(lengths) <= 1


@given(st.integers(min_value=400, max_value=2_000_000))
@settings(deadline=None)
def test_frames_are_counted_as_transformers_counts_them(samples: int) -> None:
    config = random_mert.architecture("95M-architecture", group=True)
    expected = HUBERT._get_feat_extract_output_lengths(torch.tensor(samples))
    assert _frames(samples, config["conv_kernel"], config["conv_stride"]) == int(expected)


def test_as_many_are_heard_at_once_as_memory_allows(mert: Mert, monkeypatch: pytest.MonkeyPatch) -> None:
    music = pieces(5, seconds=0.3, rate=RATE)
    expected = mert.encode(music)
    ear = mert._prepared()
    each = ear.bytes_per_sample * 7_200
    sizes = []
    hear = ear.hear
    monkeypatch.setattr(ear, "hear", lambda sound, lengths: sizes.append(len(sound)) or hear(sound, lengths))
    monkeypatch.setattr(devices, "free_memory", lambda _: int(2.5 * each / encoder.MEMORY_SHARE))
    torch.testing.assert_close(mert.encode(music), expected, **CLOSE)
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("number_type", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", ["95M-architecture", "330M-architecture"])
def test_the_estimate_of_memory_is_what_is_alive_at_the_peak_and_not_much_more(
    size: random_mert.Size, number_type: torch.dtype
) -> None:
    fields = {"model_type": "mert_model", **random_mert.architecture(size, group=size.startswith("95M"))}
    with torch.device("meta"):
        model = loading._built(loading._config(Path("config.json"), fields), Path()).eval()
    ear = Ear(loading.Loaded(model, RATE, True), device=torch.device("meta"), number_type=number_type)
    with torch.inference_mode(), Alive() as alive:
        ear.hear(torch.empty(3, 5 * RATE, device="meta"), [5 * RATE, 3 * RATE, RATE])
    assert alive.peak < ear.bytes_per_sample * 3 * 5 * RATE < 3 * alive.peak


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), -float("inf"), 1e30, 1e-30])
def test_silent_or_broken_sound_has_a_finite_embedding(mert: Mert, value: float) -> None:
    assert bool(torch.isfinite(mert.encode(Audio(torch.full((2, 2, 4_000), value), RATE))).all())


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_a_broken_piece_does_not_change_its_neighbour(mert: Mert, rate: int) -> None:
    good = piece(3, rate=rate, seconds=0.5)
    bad = good.clone()
    bad[:, 100] = float("nan")
    heard = mert.encode(Audio(torch.stack([good, bad]), rate))
    torch.testing.assert_close(heard[:1], mert.encode(Audio(good[None], rate)), **CLOSE)
    assert (heard[1] - heard[0]).abs().max() < 0.5, "one bad sample is silent, and no more"


@pytest.mark.parametrize("shape", [(0, 2, 24_000), (1, 0, 24_000), (1, 2, 0), (1, 2, 399)])
def test_empty_or_too_short_sound_is_refused(mert: Mert, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Mert: expected at least"):
        mert.encode(Audio(torch.zeros(shape), RATE))


def test_nothing_at_all_is_refused(mert: Mert) -> None:
    with pytest.raises(ValueError, match="at least one piece"):
        mert.encode_many([])


def test_one_frame_is_enough(mert: Mert) -> None:
    assert mert.encode(Audio(piece(1, rate=RATE)[None, :, :400], RATE)).shape == (1, 3, 32)


def test_nothing_is_drawn_from_the_global_random_state(folder: Path) -> None:
    before = torch.get_rng_state()
    listener = Mert(model=str(folder))
    listener.prepare()
    listener.encode(pieces(1, seconds=0.2, rate=RATE))
    assert torch.equal(before, torch.get_rng_state())


def test_the_size_of_a_published_model_is_known_before_it_is_loaded() -> None:
    small, large = Mert(), Mert(model="m-a-p/MERT-v1-330M")
    assert (small.layers, small.dim, small.sample_rate) == (13, 768, 24_000)
    assert (large.layers, large.dim, large.sample_rate) == (25, 1024, 24_000)


def test_the_size_of_a_folder_is_known_once_it_is_loaded(mert: Mert) -> None:
    assert (mert.layers, mert.dim, mert.sample_rate) == (3, 32, RATE)
    assert mert._prepared().shortest == 400


@pytest.mark.parametrize(("size", "layers", "dim"), [("95M-architecture", 13, 768), ("330M-architecture", 25, 1024)])
def test_the_published_architectures_have_these_weights(size: Any, layers: int, dim: int) -> None:
    fields = {"model_type": "mert_model", **random_mert.architecture(size, group=size.startswith("95M"))}
    with torch.device("meta"):
        model = loading._built(loading._config(Path("config.json"), fields), Path())
    weights = sum(weight.numel() for weight in model.parameters())
    assert weights / 1e6 == pytest.approx(94.4 if layers == 13 else 315.4, abs=0.1)
    assert (model.config.num_hidden_layers + 1, model.config.hidden_size) == (layers, dim)


def test_a_released_encoder_can_be_prepared_again(folder: Path) -> None:
    listener = Mert(model=str(folder))
    listener.prepare()
    first = listener.encode(pieces(1, seconds=0.2, rate=RATE))
    listener.release()
    with pytest.raises(RuntimeError, match="prepare"):
        listener.encode(pieces(1, seconds=0.2, rate=RATE))
    listener.prepare()
    listener.prepare()
    assert torch.equal(first, listener.encode(pieces(1, seconds=0.2, rate=RATE)))


def test_bfloat16_hears_nearly_the_same(folder: Path, mert: Mert, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU computes in, on the CPU; without oneDNN, whose grouped convolution of bfloat16 is far off (0.6)."""
    monkeypatch.setattr(devices, "number_type", lambda _: torch.bfloat16)
    coarse = Mert(model=str(folder))
    coarse.prepare()
    music = [pieces(3, seconds=0.7, rate=RATE), *_sounds(5_000)]
    with torch.backends.mkldnn.flags(enabled=False):
        fine, heard = mert.encode_many(music), coarse.encode_many(music)
    assert heard.dtype == torch.float32
    assert torch.cosine_similarity(fine, heard, dim=-1).min() > 0.999
