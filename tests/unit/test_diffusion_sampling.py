"""The diffusion family's own sampler, and its prompts as single vectors."""

from __future__ import annotations

import math

import pytest
import torch

from models_store import seeding
from models_store.generators.diffusion import sampling
from models_store.generators.diffusion.reading import Sentences


def test_prompts_as_one_vector_are_forgotten_from_the_oldest_on() -> None:
    space = Sentences(lambda prompts: torch.eye(3)[[int(prompt) for prompt in prompts]][:, None], most_remembered=2)
    assert space.nearest(torch.zeros(2, 1, 3)) == ["", ""]
    space.embed(["0", "1", "2", "1"], length=1)
    assert space.nearest(torch.eye(3)[:, None] + torch.tensor([0.0, 0.5, 0.0])) == ["1", "1", "2"]
    with pytest.raises(ValueError, match="length: expected 1"):
        space.embed(["0"], length=2)
    with pytest.raises(ValueError, match=r"expected \[N, 1, dim\], got shape \(2, 2, 3\)"):
        space.nearest(torch.zeros(2, 2, 3))
    with pytest.raises(ValueError, match="finite"):
        space.nearest(torch.full((1, 1, 3), math.nan))


def test_the_sampler_of_stable_audio_ends_with_the_spread_of_what_it_learned() -> None:
    spread, sampler = 0.5, sampling.CosineSde({})
    generators = [seeding.generator(seed) for seed in (1, 2)]
    sampler.set_timesteps(60)
    sample = sampling.drawn((20_000,), generators, "cpu") * sampler.init_noise_sigma
    for time in sampler.timesteps:
        sigma = math.tan(float(time) * math.pi / 2)
        asked = sampler.scale_model_input(sample)
        clean = sample * spread**2 / (spread**2 + sigma**2)  # the best guess for normal numbers of this spread
        velocity = (sample / (sigma**2 + 1) - clean) * math.hypot(sigma, 1.0) / sigma
        assert abs(float(asked.std()) - 1.0) < 0.55  # what the network sees is of its own size
        sample = sampler.step(velocity, time, sample, generators).prev_sample
    # It ends with the best guess at the lowest noise, 0.3, which is narrower by as much as it does not know.
    expected = spread**2 / math.hypot(spread, 0.3)
    assert sample.std(dim=1).tolist() == pytest.approx([expected, expected], rel=0.03)


def test_a_sampler_of_other_settings_is_refused() -> None:
    for settings, told in (
        ({"sigma_schedule": "karras"}, "expected sigma_schedule 'exponential', got 'karras'"),
        ({"sigma_min": 600}, "0 < sigma_min < sigma_max"),
    ):
        with pytest.raises(ValueError, match=told):
            sampling.CosineSde(settings)
