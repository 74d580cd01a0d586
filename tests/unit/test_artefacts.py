"""Faults are heard, and clean music has none."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models_store import artefacts
from models_store.audio import Audio
from tests.unit.small_music import piece, pieces, sine, white_noise

RATE = 22_050
CLEAN = 0.05
"""What counts as nothing: each measure is 0 on most music, and nearly on all."""


def _measure(*samples: Tensor, rate: int = RATE) -> Tensor:
    return artefacts.measure(Audio(torch.stack(samples), rate))


def _fault(name: str, measures: Tensor) -> list[float]:
    return [float(value) for value in measures[:, artefacts.NAMES.index(name)]]


@lru_cache
def _soundfont() -> Audio:
    from models_store.generators.soundfont.generator import SoundFontGenerator

    generator = SoundFontGenerator()
    generator.prepare()
    prompts = ["jazz with piano", "calm ambient", "techno", "metal", "classical with violin", "funk"]
    return generator.generate(prompts, seconds=4.0, seeds=range(len(prompts)))


def _clipped(sound: Tensor, gain: float) -> Tensor:
    return (sound / sound.abs().max() * gain).clamp(-1, 1) * 0.7


def _shifted(sound: Tensor, offset: float) -> Tensor:
    return sound + offset


def _noisy(sound: Tensor, level: float) -> Tensor:
    noise = torch.randn(sound.shape, generator=torch.Generator().manual_seed(5))
    return sound + noise * level * sound.square().mean().sqrt()


def _clicking(sound: Tensor, count: float) -> Tensor:
    clicked = sound.clone()
    places = torch.linspace(0.07, 0.93, int(count)) * sound.shape[-1]
    clicked[:, places.long()] += 1.5 * sound.abs().max()
    return clicked


def _torn(sound: Tensor, count: float) -> Tensor:
    torn = sound.clone()
    for place in (torch.linspace(0.07, 0.9, int(count)) * sound.shape[-1]).long().tolist():
        torn[:, place : place + RATE // 50] = 0
    return torn


def _gapped(sound: Tensor, share: float) -> Tensor:
    gapped = sound.clone()
    gapped[:, : int(share * sound.shape[-1])] = 0
    return gapped


FAULTS: list[tuple[str, Callable[[Tensor, float], Tensor], tuple[float, ...]]] = [
    ("clipping", _clipped, (1.0, 2.0, 4.0, 8.0)),
    ("dc_offset", _shifted, (0.0, 0.02, 0.05, 0.2)),
    ("harshness", _noisy, (0.0, 0.3, 1.0, 3.0)),
    ("discontinuity", _clicking, (0, 3, 10, 25)),
    ("silence", _gapped, (0.0, 0.6, 0.8, 1.0)),
]


@pytest.mark.parametrize(("name", "add", "amounts"), FAULTS)
def test_a_fault_rises_with_its_amount(
    name: str, add: Callable[[Tensor, float], Tensor], amounts: tuple[float, ...]
) -> None:
    for music in (piece(0, drums=False), piece(1), piece(2, beat=0.4)):
        found = _fault(name, _measure(*(add(music, amount) for amount in amounts)))
        assert found[0] < CLEAN
        assert found == sorted(found), f"{name} does not rise: {found}"
        assert found[-1] > found[0] + 0.4


@pytest.mark.parametrize(("name", "add", "amounts"), FAULTS)
def test_a_fault_rises_on_music_of_the_soundfont(
    name: str, add: Callable[[Tensor, float], Tensor], amounts: tuple[float, ...]
) -> None:
    sound = _soundfont()
    for music in sound.samples[:3]:
        found = _fault(name, _measure(*(add(music, amount) for amount in amounts), rate=sound.sample_rate))
        assert found == sorted(found), f"{name} does not rise: {found}"
        assert found[-1] > found[0] + 0.3


def test_dropouts_are_discontinuities() -> None:
    for music in (piece(0, drums=False), piece(1)):
        found = _fault("discontinuity", _measure(*(_torn(music, count) for count in (0, 3, 10, 25))))
        assert found == sorted(found)
        assert found[1] > 0.1
        assert found[-1] > 0.6


def test_jumps_between_two_places_of_a_piece_are_discontinuities() -> None:
    tone = sine(220)
    jumped = torch.cat([tone[:, : 2 * RATE], tone[:, 2 * RATE + 25 :]], dim=1)
    assert _fault("discontinuity", _measure(jumped))[0] > 0.05


def test_clean_music_has_no_faults() -> None:
    assert artefacts.measure(pieces(6)).max() < CLEAN
    assert artefacts.measure(pieces(3, drums=False, rate=44_100)).max() < CLEAN


def test_the_soundfont_plays_clean() -> None:
    assert artefacts.total(artefacts.measure(_soundfont())).mean() < 0.15


@pytest.mark.parametrize("hertz", [30, 41.2, 55, 98, 261.6, 1_000, 4_000])
def test_a_steady_tone_has_no_faults(hertz: float) -> None:
    assert _measure(sine(hertz), sine(hertz, level=0.02)).max() < CLEAN


def test_drums_are_no_discontinuities() -> None:
    measures = artefacts.measure(pieces(5, rate=44_100))
    assert max(_fault("discontinuity", measures)) < CLEAN


def test_a_quiet_piece_is_not_silent() -> None:
    assert _fault("silence", _measure(piece(0) * 0.05))[0] == 0  # effective value -46 dBFS


def test_rests_are_no_silence() -> None:
    music = piece(0)
    music[:, RATE : 2 * RATE] *= 1e-4
    assert _fault("silence", _measure(music))[0] == 0


@pytest.mark.parametrize("level", [0.3, 0.01])
@pytest.mark.parametrize("rate", [22_050, 44_100])
def test_white_noise_is_harsh(level: float, rate: int) -> None:
    assert _fault("harshness", _measure(white_noise(level=level, rate=rate), rate=rate))[0] > 0.9


def test_cymbals_are_not_harsh() -> None:
    strokes = white_noise(seconds=4.0)
    time = torch.arange(strokes.shape[-1]) / RATE % 0.25
    assert _fault("harshness", _measure(strokes * torch.exp(-time / 0.03)))[0] < CLEAN


def test_silence_scores_the_worst() -> None:
    total = artefacts.total(_measure(torch.zeros(2, 4 * RATE), white_noise(), piece(0)))
    assert total[0] == 1.0
    assert total[0] >= total[1] > total[2]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", [slice(None), slice(7, 8)])
def test_broken_sound_has_every_fault(value: float, where: slice) -> None:
    broken = piece(0)
    broken[1, where] = value
    measures = _measure(broken, piece(1))
    assert bool((measures[0] == 1).all())
    assert measures[1].max() < CLEAN
    assert artefacts.total(measures)[0] == 1.0


def test_samples_beyond_full_scale_are_clipped() -> None:
    assert _fault("clipping", _measure(piece(1) / piece(1).abs().max() * 3))[0] > 0.5


def test_a_measure_does_not_depend_on_the_batch() -> None:
    music = pieces(5)
    alone = torch.cat([artefacts.measure(music[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(artefacts.measure(music), alone, atol=1e-5, rtol=0)


def test_faults_do_not_depend_on_the_level() -> None:
    music = torch.stack([_clipped(_noisy(piece(1), 0.5), 3.0), _clicking(piece(0, drums=False), 4)])
    loud, soft = (artefacts.measure(Audio(music * gain, RATE)) for gain in (1.0, 0.1))
    torch.testing.assert_close(loud, soft, atol=0.02, rtol=0)


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.integers(0, 4), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_a_worse_fault_never_improves_the_total(measures: list[float], index: int, worse: float) -> None:
    before = torch.tensor([measures])
    after = before.clone()
    after[0, index] = max(measures[index], worse)
    assert 0 <= artefacts.total(before)[0] <= artefacts.total(after)[0] + 1e-6
    assert artefacts.total(before)[0] >= before.max() - 1e-6


def test_no_fault_is_none_and_no_number_is_the_worst() -> None:
    assert artefacts.total(torch.zeros(1, 5))[0] == 0
    assert artefacts.total(torch.tensor([[0, 0, float("nan"), 0, 0]]))[0] == 1


@given(st.integers(1, 3_000), st.sampled_from([8_000, 44_100]))
@settings(max_examples=25, deadline=None)
def test_the_shortest_sounds_are_measured(length: int, rate: int) -> None:
    measures = artefacts.measure(Audio(white_noise(seconds=1)[None, :, :length], rate))
    assert bool(((measures >= 0) & (measures <= 1)).all())


@pytest.mark.parametrize("shape", [(0, 2, 100), (1, 0, 100), (1, 2, 0)])
def test_nothing_to_measure_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one piece"):
        artefacts.measure(Audio(torch.zeros(shape), RATE))


def test_a_table_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[N, 5\]"):
        artefacts.total(torch.zeros(2, 4))
