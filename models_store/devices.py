"""Where models run: which device, in which numbers, and how many pieces at once."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
import torch

logger = logging.getLogger(__name__)

T = TypeVar("T")

_SIGNS_OF_NO_MEMORY = ("out of memory", "ALLOC_FAILED", "can't allocate memory", "not enough memory")
"""In messages of the driver, cuBLAS and cuDNN, of the CPU's allocator on Linux and Windows, and of mps."""

_RAN_OUT = {"event": "out_of_memory"}
"""What lines of the log are counted by."""

_GROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container may take (cgroup v2)."""


class OutOfMemoryError(RuntimeError):
    """Not even one piece fits into the device's memory."""


def choose(wanted: str | None = None) -> torch.device:
    """The device of this name ("cpu", "cuda", "cuda:1", "mps"); None: a GPU where there is one, else the CPU.

    Raises ValueError for a device that this machine has not.
    """
    if wanted is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ValueError(f"device: expected cpu, cuda, cuda:N or mps, got {wanted!r}") from error
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device.type, False):
        raise ValueError(f"device: expected one of this machine, got {wanted!r}, which it has not")
    return device


def number_type(device: torch.device) -> torch.dtype:
    """What models compute in: bfloat16 on a GPU that has it, else float32."""
    has_it = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_it else torch.float32


@contextmanager
def whole_float32() -> Iterator[None]:
    """Inside the block, a GPU's convolutions in float32 keep its 24 bits: cuDNN would take 11 of them (TF32)."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def free_memory(device: torch.device) -> int:
    """Bytes that could be taken now; on a GPU what torch keeps in reserve counts as free."""
    if device.type != "cuda":
        return min(int(psutil.virtual_memory().available), _left_to_the_group())
    free, _ = torch.cuda.mem_get_info(device)
    reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + reserved)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch has an error of its own for it on a GPU, and messages elsewhere."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS_OF_NO_MEMORY)


def is_lost(error: BaseException) -> bool:
    """Whether a GPU failed so that this process cannot use it any more: whatever it is asked then fails, too."""
    return isinstance(error, RuntimeError) and "CUDA error" in str(error) and not is_out_of_memory(error)


def in_parts(work: Callable[[slice], T], count: int, *, at_once: int) -> list[T]:
    """What `work` gives for consecutive slices of `count` pieces, at most `at_once` in each.

    When memory runs out, the size is halved for all that is left and the slice tried again.
    Raises OutOfMemoryError when one piece alone does not fit.
    """
    size, start, done = max(1, at_once), 0, []
    while start < count:
        part = slice(start, min(start + size, count))
        try:
            done.append(work(part))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if part.stop - part.start == 1:
                logger.warning("memory ran out with one piece alone", extra=_RAN_OUT)
                raise OutOfMemoryError(
                    f"one piece alone does not fit into the memory of the device: {error}"
                ) from error
            size = (part.stop - part.start) // 2
        else:
            start = part.stop
            continue
        # Outside of the handler: there the error still holds the frames that hold the memory.
        at_once = part.stop - part.start
        logger.warning("memory ran out with %d pieces at once; going on with %d", at_once, size, extra=_RAN_OUT)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
    return done


def _left_to_the_group() -> int:
    """Bytes that the container of this process may still take; without one, as many as there are numbers."""
    try:
        most = (_GROUP / "memory.max").read_text().strip()
        return max(0, int(most) - int((_GROUP / "memory.current").read_text())) if most != "max" else sys.maxsize
    except (OSError, ValueError):
        return sys.maxsize
