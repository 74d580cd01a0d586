"""Which device, in which numbers, and how many pieces at once."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models_store import devices

NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
]


def test_a_device_is_chosen_by_name_or_by_what_is_there() -> None:
    assert devices.choose("cpu") == torch.device("cpu")
    assert devices.choose().type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("cuda:77", "tpu", ""):
        with pytest.raises(ValueError, match=r"device: expected"):
            devices.choose(name)


def test_the_cpu_computes_in_float32() -> None:
    assert devices.number_type(torch.device("cpu")) == torch.float32


@given(st.integers(0, 40), st.integers(-1, 50), st.integers(1, 50))
def test_all_pieces_are_done_once_and_in_order_whatever_fits(count: int, at_once: int, fits: int) -> None:
    done: list[int] = []

    def work(part: slice) -> int:
        if part.stop - part.start > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        done.extend(range(part.start, part.stop))
        return part.stop - part.start

    sizes = devices.in_parts(work, count, at_once=at_once)
    assert done == list(range(count))
    assert all(size <= max(1, at_once) for size in sizes)


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: type(error).__name__)
def test_whatever_says_that_memory_ran_out_halves_the_part(error: Exception) -> None:
    asked: list[int] = []

    def work(part: slice) -> None:
        asked.append(part.stop - part.start)
        if asked[-1] > 2:
            raise error

    devices.in_parts(work, 8, at_once=8)
    assert asked == [8, 4, 2, 2, 2, 2]


def test_a_piece_that_does_not_fit_alone_is_told() -> None:
    def work(part: slice) -> None:
        raise torch.OutOfMemoryError(f"tried to allocate {part}")

    with pytest.raises(devices.OutOfMemoryError, match="one piece alone does not fit"):
        devices.in_parts(work, 3, at_once=2)


def test_another_error_is_what_it_is() -> None:
    def work(part: slice) -> None:
        raise RuntimeError("a shape is wrong")

    with pytest.raises(RuntimeError, match="a shape is wrong"):
        devices.in_parts(work, 3, at_once=2)


def test_memory_beyond_what_the_container_may_take_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu, machine = torch.device("cpu"), psutil.virtual_memory().total
    monkeypatch.setattr(devices, "_GROUP", tmp_path)
    assert 0 < devices.free_memory(cpu) <= machine  # no container
    (tmp_path / "memory.max").write_text("max\n")
    assert devices.free_memory(cpu) > 1000
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("4000\n")
    assert devices.free_memory(cpu) == 1000
    (tmp_path / "memory.current").write_text("6000\n")
    assert devices.free_memory(cpu) == 0


def test_a_gpu_that_failed_is_lost_and_one_that_is_full_is_not() -> None:
    assert devices.is_lost(RuntimeError("CUDA error: device-side assert triggered"))
    assert not any(devices.is_lost(error) for error in NO_MEMORY)
    assert not devices.is_lost(RuntimeError("a shape is wrong"))
