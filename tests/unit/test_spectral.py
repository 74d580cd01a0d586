"""The embedded encoder hears music, and only what is in it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models_store.audio import Audio
from models_store.encoders.spectral import LIMIT, SHORTEST_SECONDS, SpectralEncoder
from models_store.encoders.spectral_scale import CENTRES, SPREADS
from models_store.encoders.spectral_views import fast_size
from tests.unit.small_music import piece, pieces, sine, white_noise

ENCODER = SpectralEncoder()


def _likeness(one: Tensor, other: Tensor) -> float:
    return float(torch.cosine_similarity(one.flatten(), other.flatten(), dim=0))


def test_an_embedding_has_eight_layers_of_64_small_numbers() -> None:
    heard = ENCODER.encode(pieces(3))
    assert heard.shape == (3, ENCODER.layers, ENCODER.dim) == (3, 8, 64)
    assert heard.dtype == torch.float32
    assert heard.abs().max() <= LIMIT


def test_there_is_a_scale_for_every_feature() -> None:
    assert torch.tensor(CENTRES).shape == torch.tensor(SPREADS).shape == (8, 64)
    assert bool((torch.tensor(SPREADS) > 0).all())


def test_an_embedding_does_not_depend_on_the_batch() -> None:
    music = pieces(7)
    together = ENCODER.encode(music)
    alone = torch.cat([ENCODER.encode(music[i : i + 1]) for i in range(7)])
    reversed_order = ENCODER.encode(Audio(music.samples.flip(0), music.sample_rate)).flip(0)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(together, reversed_order, atol=1e-5, rtol=0)


def test_the_same_music_for_four_and_for_twelve_seconds_sounds_alike() -> None:
    long = pieces(4, seconds=12.0)
    short, long_heard = ENCODER.encode(long.crop(4.0)), ENCODER.encode(long)
    for index in range(4):
        others = [_likeness(short[index], long_heard[other]) for other in range(4) if other != index]
        assert _likeness(short[index], long_heard[index]) > max(0.75, *others)


def test_the_sample_rate_hardly_matters() -> None:
    music = pieces(3, rate=44_100)
    heard = ENCODER.encode(music)
    halved = ENCODER.encode(music.resample(22_050))
    for index in range(3):
        assert _likeness(heard[index], halved[index]) > 0.97


def test_an_odd_sample_rate_is_heard_too() -> None:
    at_32, at_48 = (ENCODER.encode(pieces(1, rate=rate, drums=False)) for rate in (32_000, 48_000))
    assert _likeness(at_32, at_48) > 0.9


def test_unlike_pieces_have_unlike_embeddings() -> None:
    heard = ENCODER.encode(Audio(torch.stack([piece(1), piece(2, beat=0.3, drums=False), white_noise()]), 22_050))
    likeness = torch.cosine_similarity(heard.flatten(1)[:, None], heard.flatten(1)[None], dim=-1)
    assert likeness[~torch.eye(3, dtype=torch.bool)].max() < 0.8


def test_pieces_of_the_soundfont_point_in_all_directions() -> None:
    from models_store.generators.soundfont.generator import SoundFontGenerator

    generator = SoundFontGenerator()
    generator.prepare()
    prompts = ["calm ambient pad", "fast techno", "classical with violin", "metal", "bossa nova with guitar", "march"]
    heard = ENCODER.encode(generator.generate(prompts, seconds=4, seeds=range(6))).flatten(1)
    likeness = torch.cosine_similarity(heard[:, None], heard[None], dim=-1)[~torch.eye(6, dtype=torch.bool)]
    assert abs(likeness.mean()) < 0.3
    assert likeness.max() < 0.8


@pytest.mark.parametrize(("layer", "change"), [(0, "timbre"), (3, "key"), (5, "tempo")])
def test_each_layer_hears_its_subject(layer: int, change: str) -> None:
    clear = {"timbre": (sine(220), sine(220) + sine(4000)), "key": (sine(261.6), sine(370.0))}
    if change == "tempo":
        slow, fast = piece(1, beat=0.75, seconds=6.0), piece(1, beat=0.3, seconds=6.0)
    else:
        slow, fast = clear[change]
    heard = ENCODER.encode(Audio(torch.stack([slow, fast]), 22_050))
    assert _likeness(heard[0, layer], heard[1, layer]) < 0.9


def test_the_tempogram_peaks_at_the_tempo() -> None:
    from models_store.encoders.spectral_layers import FASTEST_BPM, SLOWEST_BPM, TEMPI, rhythm
    from models_store.encoders.spectral_views import look

    clicks = torch.zeros(1, 1, 8 * 22_050)
    for beat in range(16):  # 120 bpm
        clicks[..., beat * 11_025 : beat * 11_025 + 400] = torch.hann_window(400) * sine(800, seconds=400 / 22_050)
    tempogram = rhythm(look(clicks, 22_050))[0, : 3 * TEMPI].unflatten(0, (3, TEMPI))[1]
    bpm = torch.logspace(torch.log10(torch.tensor(SLOWEST_BPM)), torch.log10(torch.tensor(FASTEST_BPM)), TEMPI)
    at_beat = tempogram[(bpm - 120).abs().argmin()]
    between = tempogram[(bpm - 160).abs().argmin()]
    assert at_beat > 0.3
    assert between < 0.3 * at_beat


def test_loudness_alone_hardly_changes_what_is_heard() -> None:
    music = pieces(2)
    softer = Audio(music.samples * 0.25, music.sample_rate)
    heard, heard_softer = ENCODER.encode(music), ENCODER.encode(softer)
    assert _likeness(heard, heard_softer) > 0.95
    assert (heard[:, 7] - heard_softer[:, 7]).abs().max() > 0.3, "the loudness layer hears it"


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), 1e30, 1e-30])
def test_silent_or_broken_sound_has_a_finite_embedding(value: float) -> None:
    assert bool(torch.isfinite(ENCODER.encode(Audio(torch.full((2, 2, 22_050), value), 22_050))).all())


def test_a_broken_piece_does_not_change_its_neighbour() -> None:
    good = piece(3)
    bad = good.clone()
    bad[:, 100] = float("nan")
    heard = ENCODER.encode(Audio(torch.stack([good, bad]), 22_050))
    torch.testing.assert_close(heard[0], ENCODER.encode(Audio(good[None], 22_050))[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(0, 2, 22_050), (1, 0, 22_050), (1, 2, 0), (1, 2, 2_204)])
def test_empty_or_too_short_sound_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"SpectralEncoder: expected at least"):
        ENCODER.encode(Audio(torch.zeros(shape), 22_050))


@pytest.mark.parametrize("seconds", [SHORTEST_SECONDS, 0.25, 0.79, 0.81, 1.6])
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_short_sounds_at_any_rate_are_heard(seconds: float, rate: int) -> None:
    heard = ENCODER.encode(Audio(sine(440, seconds=seconds, rate=rate)[None], rate))
    assert bool(torch.isfinite(heard).all())


def test_mono_is_heard_as_two_equal_channels() -> None:
    mono = piece(5).mean(dim=0, keepdim=True)[None]
    both = mono.expand(-1, 2, -1)
    torch.testing.assert_close(
        ENCODER.encode(Audio(mono, 22_050)), ENCODER.encode(Audio(both, 22_050)), atol=1e-4, rtol=0
    )


@given(st.floats(min_value=100, max_value=20_000))
@settings(max_examples=50, deadline=None)
def test_a_fast_size_is_near_even_and_has_small_factors(samples: float) -> None:
    size = fast_size(samples)
    assert size % 2 == 0
    assert abs(size - samples) < 0.04 * samples
    for prime in (2, 3, 5):
        while size % prime == 0:
            size //= prime
    assert size == 1
