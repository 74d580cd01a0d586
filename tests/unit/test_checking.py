"""What every neural generator refuses before it computes anything."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models_store import seeding
from models_store.generators import checking


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf, 30.001, "5", None, True])
def test_a_length_that_cannot_be_played_is_refused(seconds: object) -> None:
    with pytest.raises(ValueError, match=r"player: seconds: expected"):
        checking.check_length("player", seconds, 30.0)  # type: ignore[arg-type]


def test_the_longest_length_can_be_played() -> None:
    checking.check_length("player", 30, 30.0)
    checking.check_length("player", 1e-3, 30.0)


def test_what_rounds_to_no_sample_cannot_be_played() -> None:
    checking.check_length("player", 1e-9, 30.0)
    checking.check_length("player", 0.6e-4, 30.0, sample_rate=10_000)
    with pytest.raises(ValueError, match=r"player: seconds: expected at least one sample at 10000 Hz, got 5e-05"):
        checking.check_length("player", 0.5e-4, 30.0, sample_rate=10_000)


@pytest.mark.parametrize("seeds", [[1], [1, 2, 3], [1, -1], [1, 2**63], [1, 2.0], [1, True], [1, "2"]])
def test_seeds_that_no_generator_takes_are_refused(seeds: list[int]) -> None:
    with pytest.raises(ValueError, match=r"player: seeds.*expected"):
        checking.check_seeds("player", seeds, 2)


def test_every_whole_number_of_63_bits_is_a_seed() -> None:
    checking.check_seeds("player", [0, 2**63 - 1], 2)
    checking.check_seeds("player", list(np.array([0, 2**63 - 1])), 2)
    for seed in np.array([3, 2**63 - 1], dtype=np.uint64):
        checking.check_seeds("player", [seed], 1)
        seeding.generator(seed)


@pytest.mark.parametrize("prompts", ["calm piano", 3, [""], ["calm", " \n"], ["calm", None], ["calm \ud800"]])
def test_what_is_not_a_list_of_prompts_is_refused(prompts: object) -> None:
    with pytest.raises(ValueError, match=r"player: .*expected"):
        checking.check_prompts("player", prompts)  # type: ignore[arg-type]


def test_prompts_of_any_script_are_taken() -> None:
    checking.check_prompts("player", ["calm piano", "静かなピアノ", "🎹", "a\x00b"])


def test_too_many_tokens_are_refused_with_how_many_are_allowed() -> None:
    checking.check_tokens("player", [1, 512], 512)
    with pytest.raises(ValueError, match=r"genomes\[1\]: expected a prompt of at most 512 tokens, got 10000"):
        checking.check_tokens("player", [3, 10_000], 512)


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 7), (2, 0, 8), (2, 11, 8), (2, 3, 4, 8)])
def test_embeddings_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"player: expected embeddings"):
        checking.check_embeddings("player", torch.zeros(shape), dim=8, most_tokens=10)


def test_embeddings_have_to_be_floats() -> None:
    with pytest.raises(ValueError, match=r"floats, got torch\.int64"):
        checking.check_embeddings("player", torch.zeros(2, 3, 8, dtype=torch.int64), dim=8, most_tokens=10)


@pytest.mark.parametrize(
    ("embeddings", "said"),
    [
        (torch.ones(2, 3, 8).to_sparse(), "sparse"),
        (torch.zeros(2, 3, 8, device="meta"), "meta"),
        (torch.nested.nested_tensor([torch.ones(3, 8), torch.ones(2, 8)], layout=torch.jagged), "nested"),
    ],
    ids=["sparse", "meta", "nested"],
)
def test_embeddings_have_to_be_there_in_memory(embeddings: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=f"player: expected embeddings .*{said}"):
        checking.check_embeddings("player", embeddings, dim=8, most_tokens=10)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_numbers_that_are_not_finite_are_counted_and_shown(value: float) -> None:
    embeddings = torch.zeros(2, 3, 8, dtype=torch.float64)
    embeddings[1, 2, 5:7] = value
    with pytest.raises(ValueError, match=r"got 2 NaN or infinite .* of 48 numbers, the first at \[1, 2, 5\]"):
        checking.check_embeddings("player", embeddings, dim=8, most_tokens=10)


def test_a_long_bad_value_is_not_repeated_in_full() -> None:
    with pytest.raises(ValueError, match="expected a list") as refused:
        checking.check_prompts("player", "x" * 10_000)
    assert len(str(refused.value)) < 200
