"""The coordinates that vector searches move in."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from evolution.search.subspace import FullSpace, PrincipalSubspace
from tests.unit.small_words import DIM, LENGTH, embedded

POOL = embedded(300, seed=3)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_full_space_is_every_number_of_a_genome() -> None:
    space = FullSpace(POOL)
    assert space.length == LENGTH * DIM
    assert torch.equal(space.decode(space.encode(POOL)), POOL)
    assert torch.allclose(space.spread, POOL.flatten(1).std(dim=0, correction=0))


def test_the_covariance_is_the_pools() -> None:
    rows = POOL.flatten(1)
    assert torch.allclose(FullSpace(POOL).covariance(), torch.cov(rows.T, correction=0), atol=1e-6)
    space = PrincipalSubspace(POOL, directions=7)
    assert torch.allclose(space.covariance(), torch.cov(space.encode(POOL).T, correction=0), atol=1e-4)


def test_the_pool_has_a_mean_of_zero_and_a_spread_of_one_in_every_direction_and_none_follows_another() -> None:
    coordinates = PrincipalSubspace(POOL, directions=10).encode(POOL)
    assert coordinates.mean(dim=0).abs().max() < 1e-5
    assert torch.allclose(coordinates.T @ coordinates / len(POOL), torch.eye(10), atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_coordinates_come_back_from_their_genomes(seed: int, directions: int) -> None:
    space = PrincipalSubspace(POOL, directions=directions)
    coordinates = drawn(5, directions, seed=seed)
    assert torch.allclose(space.encode(space.decode(coordinates)), coordinates, atol=1e-4)


def test_more_directions_lose_less_of_the_pool_and_all_of_them_nothing() -> None:
    rows = POOL.flatten(1)
    possible = int(torch.linalg.matrix_rank(rows - rows.mean(dim=0)))
    lost = []
    for directions in (1, 5, 20, possible):
        space = PrincipalSubspace(POOL, directions=directions)
        lost.append(float((space.decode(space.encode(POOL)) - POOL).square().mean()))
    assert lost == sorted(lost, reverse=True)
    assert lost[-1] < 1e-9 < lost[-2]


def test_no_other_directions_keep_more_of_the_pool() -> None:
    rows = (POOL.flatten(1) - POOL.flatten(1).mean(dim=0)).double()
    kept = PrincipalSubspace(POOL, directions=5)._vectors
    other = torch.linalg.qr(drawn(rows.shape[1], 5).double())[0].T
    assert (rows @ kept.T).square().sum() > (rows @ other.T).square().sum()
    best = torch.linalg.svdvals(rows)[:5].square().sum()
    assert torch.allclose((rows @ kept.T).square().sum(), best, rtol=1e-6)


def test_fewer_prompts_than_numbers_give_the_same_directions_as_the_other_way_round() -> None:
    few = POOL[:20]  # 20 prompts of 48 numbers
    repeated = few.repeat(4, 1, 1)  # 80 prompts with the same covariance
    one, other = (PrincipalSubspace(pool, directions=6) for pool in (few, repeated))
    assert torch.allclose(one._vectors, other._vectors, atol=1e-6)
    assert torch.allclose(one._deviations, other._deviations, atol=1e-6)


def test_the_signs_are_settled_so_that_the_same_pool_in_another_order_gives_the_same_coordinates() -> None:
    one = PrincipalSubspace(POOL, directions=8)
    other = PrincipalSubspace(POOL.flip(0), directions=8)
    assert torch.allclose(one.encode(POOL), other.encode(POOL), atol=1e-3)
    largest = one._vectors.gather(1, one._vectors.abs().argmax(dim=1, keepdim=True))
    assert (largest > 0).all()


def test_a_genome_does_not_depend_on_its_batch() -> None:
    space = PrincipalSubspace(POOL, directions=12)
    coordinates = drawn(33, 12)
    together = space.decode(coordinates)
    assert all(
        torch.equal(space.decode(row[None])[0], genome) for row, genome in zip(coordinates, together, strict=True)
    )


def test_the_digest_tells_pools_and_sizes_apart() -> None:
    digests = {
        FullSpace(POOL).digest,
        PrincipalSubspace(POOL, directions=4).digest,
        PrincipalSubspace(POOL, directions=5).digest,
        PrincipalSubspace(POOL[:-1], directions=4).digest,
    }
    assert len(digests) == 4
    assert PrincipalSubspace(POOL.clone(), directions=4).digest == PrincipalSubspace(POOL, directions=4).digest


def test_more_directions_than_the_pool_has_are_refused_with_their_number() -> None:
    with pytest.raises(ValueError, match=r"expected at most 4, .* the pool's 5 prompts of 6 x 8 numbers .* got 64"):
        PrincipalSubspace(POOL[:5], directions=64)
    with pytest.raises(ValueError, match="expected at most 0, "):
        PrincipalSubspace(POOL[:1].repeat(3, 1, 1), directions=1)
    with pytest.raises(ValueError, match="expected at least 1 direction, got 0"):
        PrincipalSubspace(POOL, directions=0)


@pytest.mark.parametrize(
    ("pool", "message"),
    [(torch.zeros(0, 6, 8), "at least one prompt"), (torch.zeros(6, 8), "shape"), (POOL[:3] / 0, "finite")],
)
def test_a_pool_that_is_none_is_refused(pool: Tensor, message: str) -> None:
    for space in (FullSpace, lambda given: PrincipalSubspace(given, directions=1)):
        with pytest.raises(ValueError, match=message):
            space(pool)
