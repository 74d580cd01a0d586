"""Seeds are stable, and no global random state is left changed."""

from __future__ import annotations

import random
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models_store import seeding

PART = st.one_of(st.integers(), st.text(), st.binary())


def _global_draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_a_seed_is_the_same_in_every_process() -> None:
    code = "from models_store import seeding; print(seeding.derive(7, 'jazz', b'x'))"
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(elsewhere) == seeding.derive(7, "jazz", b"x") == 4_982_646_621_330_280_746


@given(st.lists(PART, min_size=1, max_size=5))
def test_a_seed_fits_every_generator(parts: list[int | str | bytes]) -> None:
    seed = seeding.derive(*parts)
    assert 0 <= seed < 2**63
    seeding.generator(seed)
    np.random.default_rng(seed)


@given(st.lists(PART, min_size=1, max_size=4), st.lists(PART, min_size=1, max_size=4))
def test_other_parts_give_another_seed(one: list[int | str | bytes], other: list[int | str | bytes]) -> None:
    assert (seeding.derive(*one) == seeding.derive(*other)) == (one == other)


def test_where_a_part_ends_and_its_type_count() -> None:
    seeds = {
        seeding.derive(*parts)
        for parts in [("a", "bc"), ("ab", "c"), ("abc",), (1,), ("1",), (b"1",), (1, ""), ("", 1)]
    }
    assert len(seeds) == 8


@pytest.mark.parametrize("parts", [(), (1.5,), (None,), (True,), (("a",),)])
def test_what_is_no_part_is_refused(parts: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match=r"seeding\.derive: expected"):
        seeding.derive(*parts)  # type: ignore[arg-type]


def test_a_generator_of_its_own_repeats_and_disturbs_nobody() -> None:
    before = torch.get_rng_state()
    first, again = (torch.rand(4, generator=seeding.generator(11)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.rand(4, generator=seeding.generator(12)))
    assert torch.equal(before, torch.get_rng_state())


def test_inside_the_global_states_repeat_and_outside_they_go_on() -> None:
    _global_draws()
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    with seeding.seeded(2**62 + 5):
        first = _global_draws()
    with seeding.seeded(2**62 + 5):
        assert _global_draws() == first
    with seeding.seeded(5):
        assert _global_draws() != first
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])


def test_an_error_inside_restores_the_states_too() -> None:
    before = random.getstate()

    def draw_and_fail() -> None:
        with seeding.seeded(1):
            raise RuntimeError(f"inside, after {random.random()}")

    with pytest.raises(RuntimeError, match="inside"):
        draw_and_fail()
    assert random.getstate() == before


def test_blocks_may_be_nested() -> None:
    with seeding.seeded(1):
        first, second = _global_draws(), _global_draws()
    with seeding.seeded(1):
        assert _global_draws() == first
        with seeding.seeded(2):
            _global_draws()
        assert _global_draws() == second


def test_threads_do_not_draw_from_each_others_sequence() -> None:
    found: dict[int, list[tuple[float, float, float]]] = {}

    def draw(seed: int) -> None:
        with seeding.seeded(seed):
            found[seed] = [_global_draws() for _ in range(200)]

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        with seeding.seeded(seed):
            assert found[seed] == [_global_draws() for _ in range(200)]


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed: expected 0 <= seed"):
        seeding.generator(seed)
    with pytest.raises(ValueError, match="seed: expected 0 <= seed"), seeding.seeded(seed):
        pass
