"""MusicGen's codes are drawn as transformers draws them, with a number of its own for each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from models_store import seeding
from models_store.generators.musicgen.decoding import Condition, Decoder, Sampling
from models_store.generators.musicgen.sampling import choose, uniforms
from tests.unit.small_decoder import PROMPTS, VARIANTS, build, condition, generate


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {variant: build(variant) for variant in VARIANTS}


def test_the_first_codes_of_many_seeds_are_distributed_as_the_guided_logits_say() -> None:
    model = build(vocabulary=32)
    told, count = condition(model, PROMPTS[:1]), 6000
    many = Condition(told.states.expand(count, -1, -1), told.mask.expand(count, -1))
    sampling = Sampling(guidance=2.5, temperature=1.6, top_k=12)
    codes = Decoder(model.decoder).decode(many, frames=1, seeds=range(count), sampling=sampling)

    with torch.no_grad():
        states = torch.cat([told.states, torch.zeros_like(told.states)])
        mask = torch.cat([told.mask, torch.zeros_like(told.mask)]).long()
        start = torch.full((8, 1), 32)
        logits = model.decoder(start, encoder_hidden_states=states, encoder_attention_mask=mask).logits[:, -1]
    sure, unsure = logits[0], logits[4]  # the first codebook with and without the text
    guided = (unsure + 2.5 * (sure - unsure)) / 1.6
    likely = guided.topk(12)
    expected = count * likely.values.double().softmax(-1)
    seen = torch.bincount(codes[:, 0, 0], minlength=32)
    assert int(seen[likely.indices].sum()) == count
    assert stats.chisquare(seen[likely.indices].numpy(), expected.numpy()).pvalue > 0.001


def test_several_codes_together_are_distributed_as_those_of_transformers() -> None:
    model = build(vocabulary=4)
    count = 4000
    with seeding.seeded(11):
        theirs = generate(
            model, PROMPTS[:1].repeat(count, 1), frames=3, do_sample=True, guidance_scale=2.0, top_k=3, temperature=2.0
        )
    told = condition(model, PROMPTS[:1])
    many = Condition(told.states.expand(count, -1, -1), told.mask.expand(count, -1))
    sampling = Sampling(guidance=2.0, temperature=2.0, top_k=3)
    ours = Decoder(model.decoder).decode(many, frames=3, seeds=range(count), sampling=sampling)
    # Codes that see one another: of one frame, of one codebook, and across both.
    for codebooks, frames in (((0, 0, 0), (0, 1, 2)), ((0, 1, 2), (0, 0, 0)), ((1, 3, 2), (2, 0, 1))):
        place = torch.tensor([16, 4, 1])
        tables = []
        for codes in (ours, theirs):
            words = torch.stack([codes[:, k, f] for k, f in zip(codebooks, frames, strict=True)], dim=1)
            tables.append(torch.bincount((words * place).sum(1), minlength=64))
        table = torch.stack(tables)
        assert stats.chi2_contingency(table[:, table.sum(0) > 0].numpy()).pvalue > 0.001
        assert int((table.sum(0) > 0).sum()) > 8


def test_another_seed_makes_another_piece_and_the_same_seed_the_same(models: dict[str, Any]) -> None:
    model = models["plain"]
    decoder, told = Decoder(model.decoder), condition(model, PROMPTS[:1].repeat(4, 1))
    codes = decoder.decode(told, frames=24, seeds=[7, 8, 7, 2**62])
    assert torch.equal(codes[0], codes[2])
    for one, other in ((0, 1), (0, 3), (1, 3)):
        assert float((codes[one] != codes[other]).float().mean()) > 0.5


def test_a_number_chooses_the_first_token_whose_cumulated_probability_exceeds_it() -> None:
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3]).log().expand(6, 4)
    numbers = torch.tensor([0.0, 0.0999, 0.1001, 0.4999, 0.6999, 1.0 - 2.0**-24])
    everything = Sampling(top_k=0)
    assert choose(logits, numbers, everything).tolist() == [0, 0, 1, 1, 2, 3]
    # Of the two likeliest, 4/7 and 3/7.
    two = Sampling(top_k=2)
    assert choose(logits, torch.tensor([0.0, 0.57, 0.572, 0.9, 0.3, 1.0 - 2.0**-24]), two).tolist() == [
        1,
        1,
        3,
        3,
        1,
        3,
    ]


def test_no_number_leaves_the_likeliest_tokens() -> None:
    logits = 4.0 * torch.randn(3000, 200, generator=seeding.generator(1))
    numbers = torch.rand(3000, generator=seeding.generator(2))
    numbers[:1000], numbers[1000:2000] = 0.0, 1.0 - 2.0**-24
    chosen = choose(logits, numbers, Sampling(top_k=5, temperature=0.7))
    likeliest = logits.topk(5).indices
    assert bool((likeliest == chosen[:, None]).any(1).all())


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(top_k=3), Sampling(top_k=0), Sampling(greedy=True)])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38, -3e38])
@pytest.mark.parametrize("all_of_them", [False, True])
def test_whatever_the_logits_what_is_chosen_is_a_token(sampling: Sampling, value: float, all_of_them: bool) -> None:
    logits = torch.randn(2, 4, 300, generator=seeding.generator(1))
    logits[..., slice(None) if all_of_them else slice(7, 9)] = value
    for number in (0.0, 0.5, 1.0 - 2.0**-24):
        tokens = choose(logits, torch.full((2, 4), number), sampling)
        assert tokens.dtype == torch.int64
        assert bool(((tokens >= 0) & (tokens < 300)).all())


def test_a_condition_that_is_not_finite_gives_codes_all_the_same(models: dict[str, Any]) -> None:
    model = models["plain"]
    told = condition(model, PROMPTS)
    told.states[1] = math.nan
    codes = Decoder(model.decoder).decode(told, frames=6, seeds=[1, 2, 3])
    assert bool(((codes >= 0) & (codes < 64)).all())
    good = Decoder(model.decoder).decode(condition(model, PROMPTS), frames=6, seeds=[1, 2, 3])
    assert torch.equal(codes[[0, 2]], good[[0, 2]])


def test_the_coldest_temperature_chooses_the_likeliest() -> None:
    logits = 4.0 * torch.randn(500, 300, generator=seeding.generator(1))
    numbers = torch.rand(500, generator=seeding.generator(2))
    sure = logits.topk(2).values.diff().abs().squeeze(-1) > 0.05
    chosen = choose(logits, numbers, Sampling(temperature=1e-3))
    assert int(sure.sum()) > 400
    assert torch.equal(chosen[sure], logits.argmax(-1)[sure])


@pytest.mark.parametrize("seed", [np.int64(9), np.uint8(9), np.uint64(9)])
def test_a_seed_of_numpys_is_a_seed(seed: Any) -> None:
    assert torch.equal(uniforms([seed], frames=7, codebooks=4), uniforms([9], frames=7, codebooks=4))
    with seeding.seeded(seed):
        drawn = np.random.random(), torch.rand(3)
    with seeding.seeded(9):
        assert (drawn[0], drawn[1].tolist()) == (np.random.random(), torch.rand(3).tolist())


@pytest.mark.parametrize("seed", ["9", 9.0, None, True, np.float64(9)])
def test_what_is_no_whole_number_is_no_seed(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed: expected a whole number, got"):
        seeding.generator(seed)


def test_the_numbers_of_a_seed_depend_on_it_alone_and_go_on_where_a_shorter_piece_ends() -> None:
    many = uniforms([4, 9, 4], frames=30, codebooks=4)
    assert many.shape == (3, 4, 30)
    assert torch.equal(many[0], many[2])
    assert torch.equal(many[1], uniforms([9], frames=30, codebooks=4)[0])
    assert torch.equal(many[:, :, :7], uniforms([4, 9, 4], frames=7, codebooks=4))
    assert len(many[:2].unique()) > 235
