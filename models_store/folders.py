"""Folders of weights that somebody else trained: whatever is wrong with one is a ValueError that says which and what.

Importing this imports neither transformers nor diffusers.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models_store import devices

ARCHITECTURE = "the weights of the architecture in config.json, all of them and no others"

_ASKED_FOR = re.compile(r"GLOBAL (\S+)")
"""The class or function in torch's refusal to load it."""
_CUT_SHORT = re.compile(r"EOFError|central directory|not fully covered|Invalid argument|Unable to load weights")
"""What torch, safetensors and diffusers say of the beginning of a file."""

_NAMED_AT_MOST = 8
_TOLD_AT_MOST = 300


@contextmanager
def told(where: Path, expected: str) -> Iterator[None]:
    """Inside the block, whatever a broken folder makes others raise is a ValueError that says where."""
    try:
        yield
    except Exception as error:
        # A file that is cut short, or settings of which nothing can be built: whatever comes first to miss something
        # raises whatever it likes; the tokenizers raise Exception itself.
        if devices.is_out_of_memory(error):
            raise
        raise ValueError(f"{where}: expected {expected}, got {reason(error)}") from error


def reason(error: BaseException) -> str:
    """In short. torch's refusal of a pickle advises to allow code: only what the pickle asked for is repeated."""
    cause: BaseException | None = error
    while cause is not None:
        if found := _ASKED_FOR.search(str(cause)):
            return f"a pickle that asks for {found.group(1)}"
        if isinstance(cause, pickle.UnpicklingError):
            return "a pickle that torch.save did not write"
        cause = cause.__cause__ or cause.__context__
    text = " ".join(str(error).split()) or type(error).__name__
    if _CUT_SHORT.search(f"{type(error).__name__} {text}"):
        return f"a file that may have been cut short ({text[:_TOLD_AT_MOST]})"
    return text if len(text) <= _TOLD_AT_MOST else f"{text[:_TOLD_AT_MOST]}..."


def settings(where: Path, file: str = "config.json") -> dict[str, Any]:
    """A JSON object from a file of a folder."""
    path = where / file
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: expected a JSON file, cannot read it: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, got a {type(content).__name__}")
    return content


def check_loaded(where: Path, loaded: Mapping[str, Iterable[Any]], *, computed: tuple[str, ...] = ()) -> None:
    """Raises ValueError unless the weights were exactly those of the settings.

    loaded: what `from_pretrained(..., output_loading_info=True)` tells. computed: endings of names that older versions
    saved with the weights, and that nobody misses.
    """
    refuse(
        where,
        {
            what: sorted(name for name in map(_name, loaded[key]) if not name.endswith(computed or ("\0",)))
            for what, key in (
                ("missing", "missing_keys"),
                ("left over", "unexpected_keys"),
                ("of another shape", "mismatched_keys"),
            )
        },
    )


def refuse(where: Path, wrong: Mapping[str, Iterable[str]]) -> None:
    """Raise ValueError that lists names by what is wrong with them, if there are any."""
    found = {what: list(names) for what, names in wrong.items()}
    said = [f"{what}: {listed(names)}" for what, names in found.items() if names]
    if said:
        raise ValueError(f"{where}: expected {ARCHITECTURE}, got {'; '.join(said)}")


def not_finite(weights: Mapping[str, Tensor]) -> list[str]:
    """Names of weights that are NaN or infinite. Their sums tell, at a tenth of the time of looking at each number."""
    suspect = [name for name, weight in weights.items() if not bool(torch.isfinite(weight.detach().sum()))]
    return [name for name in suspect if not bool(torch.isfinite(weights[name]).all())]


def listed(names: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return (", ".join(names[:_NAMED_AT_MOST]) + more) or "nothing"


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of transformers: a worker's log is no terminal. No tables of what is refused anyhow."""
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


def _name(key: Any) -> str:
    """Of a mismatched key transformers tells the shapes too."""
    return str(key[0] if isinstance(key, tuple) else key)
