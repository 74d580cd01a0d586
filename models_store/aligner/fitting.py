"""Tensors from a file, looked at before they become parameters: nothing is missing, left over or of another shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

_LISTED = 8
"""Names in a message; a file of something else would list hundreds."""


def fitted(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The given tensors as the parameters and buffers that are expected: same names, shapes and types of number.

    expected: may be on the meta device, so that a file that claims to be huge is refused before it is made room for.
    Floating-point numbers of another precision are converted; a tensor of the right kind is not copied.
    Raises ValueError that lists every name that is missing, unexpected, of another shape or kind, or not finite.
    """
    faults = _names("missing", expected.keys() - given.keys()) + _names("unexpected", given.keys() - expected.keys())
    for name in sorted(expected.keys() & given.keys()):
        fault = _fault(expected[name], given[name])
        if fault:
            faults.append(f"{name}: {fault}")
    if faults:
        raise ValueError("; ".join([*faults[:_LISTED], *_rest(len(faults) - _LISTED)]))
    return {name: given[name].to(like.dtype).contiguous() for name, like in expected.items()}


def _fault(expected: Tensor, given: Tensor) -> str:
    """What is wrong with a tensor; empty if nothing is."""
    if given.layout is not torch.strided or given.is_nested or given.is_quantized or given.device.type == "meta":
        return "expected plain numbers, got a tensor of another layout"
    if given.shape != expected.shape:
        return f"expected shape {list(expected.shape)}, got {list(given.shape)}"
    if given.untyped_storage().nbytes() < given.numel() * given.element_size():
        return f"expected {given.numel()} numbers, the file holds fewer"
    if given.is_floating_point() != expected.is_floating_point() or given.is_complex():
        return f"expected numbers like {expected.dtype}, got {given.dtype}"
    if given.is_floating_point() and not bool(given.isfinite().all()):
        return f"expected finite numbers, got {int((~given.isfinite()).sum())} others"
    return ""


def _names(fault: str, names: Iterable[str]) -> list[str]:
    ordered = sorted(names)
    if not ordered:
        return []
    return [f"{fault}: " + ", ".join([*ordered[:_LISTED], *_rest(len(ordered) - _LISTED)])]


def _rest(count: int) -> list[str]:
    return [f"and {count} more"] if count > 0 else []
