"""What a device can do, measured, and what that allows: the floor under a piece of work that was counted first."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch


@dataclass(frozen=True)
class Part:
    """One kind of work of a step: bytes that have to be read or written, and operations."""

    name: str
    bytes: float
    operations: float


@dataclass(frozen=True)
class Machine:
    """What a device was measured to do: bytes and operations per second."""

    bandwidth: float
    rate: float

    def floor(self, parts: Sequence[Part]) -> float:
        """Seconds below which these parts cannot be done one after the other, as they depend on one another."""
        return sum(max(part.bytes / self.bandwidth, part.operations / self.rate) for part in parts)


def measure(device: torch.device, dtype: torch.dtype) -> Machine:
    """Bandwidth by a large copy and a large matrix times a vector, the better; the rate by a large product."""
    on_gpu = device.type == "cuda"
    side, wide = (32_768, 8192) if on_gpu else (8192, 2048)
    matrix = torch.ones(side, side, device=device, dtype=dtype)
    other, vector = torch.empty_like(matrix), torch.ones(side, device=device, dtype=dtype)
    taken = matrix.numel() * matrix.element_size()
    copied = 2 * taken / min(timed(lambda: other.copy_(matrix), device) for _ in range(5))
    read = taken / min(timed(lambda: matrix @ vector, device) for _ in range(5))
    factor = matrix[:wide, :wide].contiguous()
    product = 2 * wide**3 / min(timed(lambda: factor @ factor, device) for _ in range(5))
    return Machine(bandwidth=max(copied, read), rate=product)


def timed(work: Callable[[], Any], device: torch.device) -> float:
    """Seconds until it is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


@contextmanager
def watched(device: torch.device) -> Iterator[list[int]]:
    """The most bytes that are taken inside above those before: of the device, or of this process (every 2 ms)."""
    peak = [0]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield peak
        peak[0] = torch.cuda.max_memory_allocated(device) - before
        return
    process, over = psutil.Process(), threading.Event()
    _give_back()
    before = process.memory_info().rss

    def watch() -> None:
        while not over.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def _give_back() -> None:
    """What was freed goes back to the system, where the C library is one that can: else it would hide the next peak."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
