"""The parts of a pipeline's folder, one by one and each by its own class, without running code that comes with it.

`DiffusionPipeline.from_pretrained` is not used: it imports what model_index.json names, fills missing weights with
random numbers, and loads parts that nobody needs here. Weights are read as safetensors, or as pickles of tensors and
nothing else (torch's weights_only, which transformers and diffusers ask for).
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import nn

from models_store.generators.diffusion import sampling
from models_store.generators.diffusion.families import Family

T = TypeVar("T")

_TOKENIZER_FILES = ({"tokenizer.json"}, {"vocab.json", "merges.txt"}, {"spiece.model"}, {"tokenizer.model"})
_NAMED_AT_MOST = 8
_NOT_WEIGHTS = ("position_ids", "token_type_ids", "relative_position_index", "attn_mask", "inv_freq")
"""What older versions of transformers saved with the weights, and compute now."""

_FREQUENCIES = ("inv_freq", "freqs")

_WHAT_LOADING_RAISES = (
    *(OSError, ValueError, TypeError, LookupError, RuntimeError, AttributeError, EOFError, ZeroDivisionError),
    *(NotImplementedError, ImportError, pickle.UnpicklingError, SafetensorError, zipfile.BadZipFile),
)
"""By a file that is cut short, or settings of which nothing can be built: whatever comes first to miss something."""


@dataclass(frozen=True)
class Part:
    """A component of a pipeline.

    kind: the class that reads it. names: what model_index.json may call that class; it is never imported from there.
    exact: its frequencies stay in float32 whatever the weights are rounded to: in bfloat16, positions beyond 256 would
    fall together.
    """

    name: str
    kind: Any
    names: tuple[str, ...]
    exact: bool = False


def part(name: str, kind: Any, *also: str, exact: bool = False) -> Part:
    """A component that is called as its class, or as one of `also`."""
    return Part(name, kind, (kind.__name__, *also), exact)


def tokenizer(name: str, kind: Any) -> Part:
    """Tokenizers have had a slow and a fast class, and one for both."""
    return part(name, kind, f"{kind.__name__}Fast", "PreTrainedTokenizerFast", "TokenizersBackend", "AutoTokenizer")


def check_index(folder: Path, family: Family, parts: Iterable[Part]) -> None:
    """Raises ValueError unless model_index.json is of this family's pipeline and has these parts."""
    if not (folder / "model_index.json").is_file():
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        raise ValueError(
            f"{folder}: expected {family.needed}, with a model_index.json of a {family.pipeline}; got {_listed(there)}"
        )
    index = settings(folder, "model_index.json")
    if index.get("_class_name") != family.pipeline:
        raise ValueError(
            f"{folder}: expected the pipeline {family.pipeline} for {family.name}, got {index.get('_class_name')!r}"
        )
    for one in parts:
        entry = index.get(one.name)
        called = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
        if called not in one.names:
            raise ValueError(f"{folder}: expected {one.name} to be a {one.kind.__name__}, got {called!r}")


def read(folder: Path, parts: Iterable[Part], number_type: torch.dtype) -> dict[str, Any]:
    """The parts by name, models in `number_type` on the CPU. Raises ValueError, with the folder, as all here."""
    return {one.name: _read(folder / one.name, one, number_type) for one in parts}


def read_scheduler(folder: Path, expected: Collection[str], number_type: torch.dtype) -> sampling.Scheduler:
    where = folder / "scheduler"
    found = settings(where, "scheduler_config.json")
    return told(where, "a scheduler", lambda: sampling.scheduler(found, tuple(expected), number_type))


def settings(where: Path, file: str = "config.json") -> dict[str, Any]:
    """A JSON object from a file."""
    try:
        content = json.loads((where / file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{where / file}: expected a JSON file, cannot read it: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{where / file}: expected a JSON object, got a {type(content).__name__}")
    return content


def told(where: Path, expected: str, load: Callable[[], T]) -> T:
    """What `load` gives; whatever goes wrong in it as a ValueError that says where."""
    try:
        return load()
    except _WHAT_LOADING_RAISES as error:
        lines = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
        said = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
        raise ValueError(f"{where}: expected {expected}, cannot read it: {said}") from error


def _read(where: Path, one: Part, number_type: torch.dtype) -> Any:
    kind, read_as = one.kind, torch.float32 if one.exact else number_type
    if not issubclass(kind, nn.Module):
        return _tokenizer(where, kind)
    found = settings(where)
    options: dict[str, Any] = {"local_files_only": True, "output_loading_info": True}
    options["use_safetensors"] = any(where.glob("*.safetensors"))
    if kind.__module__.startswith("diffusers."):
        _expect(where, "_class_name", kind.__name__, found)
        # The other way of low_cpu_mem_usage needs accelerate.
        options |= {"low_cpu_mem_usage": False, "torch_dtype": read_as}
    else:
        _expect(where, "model_type", kind.config_class.model_type, found)
        options["dtype"] = read_as
    model, loaded = told(
        where, "the weights of the model in its config.json", lambda: kind.from_pretrained(where, **options)
    )
    _check_complete(where, loaded)
    _check_finite(where, model)
    if one.exact:
        _round(model, number_type)
    return model.eval().requires_grad_(False)


def _round(model: nn.Module, number_type: torch.dtype) -> None:
    """To `number_type`, but for the frequencies."""
    frequencies = {name: kept.clone() for name, kept in model.named_buffers() if name.endswith(_FREQUENCIES)}
    nn.Module.to(model, number_type)
    for name, buffer in model.named_buffers():
        if name in frequencies:
            buffer.data = frequencies[name]


def _tokenizer(where: Path, kind: Any) -> Any:
    there = {path.name for path in where.iterdir()} if where.is_dir() else set()
    # Without them transformers makes one that knows no word, and says nothing.
    if not any(files <= there for files in _TOKENIZER_FILES):
        raise ValueError(f"{where}: expected a tokenizer.json, got {_listed(sorted(there))}")
    return told(where, f"a {kind.__name__}", lambda: kind.from_pretrained(where, local_files_only=True))


def _expect(where: Path, key: str, value: str, found: Mapping[str, Any]) -> None:
    if found.get(key) != value:
        raise ValueError(f"{where / 'config.json'}: expected {key} {value!r}, got {found.get(key)!r}")


def _check_complete(where: Path, loaded: Mapping[str, Any]) -> None:
    """The weights are exactly those of the settings."""
    kinds = {"missing": "missing_keys", "left over": "unexpected_keys", "of another shape": "mismatched_keys"}
    wrong = {
        kind: sorted(name for name in map(str, loaded[key]) if not name.endswith(_NOT_WEIGHTS))
        for kind, key in kinds.items()
    }
    said = "; ".join(f"{kind}: {_listed(names)}" for kind, names in wrong.items() if names)
    if said:
        raise ValueError(f"{where}: expected the weights of the model in its config.json. {said}")


def _check_finite(where: Path, model: nn.Module) -> None:
    broken = [key for key, weight in model.named_parameters() if not bool(torch.isfinite(weight).all())]
    if broken:
        raise ValueError(f"{where}: expected finite weights, got NaN or infinity in {_listed(broken)}")


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return (", ".join(names[:_NAMED_AT_MOST]) + more) or "nothing"
