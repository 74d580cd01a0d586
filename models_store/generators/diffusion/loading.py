"""The parts of a pipeline's folder, one by one and each by its own class, without running code that comes with it.

`DiffusionPipeline.from_pretrained` is not used: it imports what model_index.json names, fills missing weights with
random numbers, and loads parts that nobody needs here. Weights are read as safetensors, or as pickles of tensors and
nothing else (torch's weights_only, which transformers and diffusers ask for).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models_store import folders
from models_store.generators.diffusion import sampling
from models_store.generators.diffusion.families import Family

_TOKENIZER_FILES = ({"tokenizer.json"}, {"vocab.json", "merges.txt"}, {"spiece.model"}, {"tokenizer.model"})
_NOT_WEIGHTS = ("position_ids", "token_type_ids", "relative_position_index", "attn_mask", "inv_freq")
"""What older versions of transformers saved with the weights, and compute now."""

_DECODERS = ("vae", "vocoder")
"""What they lose to fewer bits is heard as noise."""

_FREQUENCIES = ("inv_freq", "freqs")


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
            f"{folder}: expected {family.needed}, with a model_index.json of a {family.pipeline}; "
            f"got {folders.listed(there)}"
        )
    index = folders.settings(folder, "model_index.json")
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
    """The parts by name on the CPU, what decodes sound in float32, the other models in `number_type`.

    Raises ValueError, with the folder, as all here.
    """
    return {
        one.name: _read(folder / one.name, one, torch.float32 if one.name in _DECODERS else number_type)
        for one in parts
    }


def read_scheduler(folder: Path, expected: Collection[str], number_type: torch.dtype) -> sampling.Scheduler:
    where = folder / "scheduler"
    found = folders.settings(where, "scheduler_config.json")
    with folders.told(where, "a scheduler"):
        return sampling.scheduler(found, tuple(expected), number_type)


def _read(where: Path, one: Part, number_type: torch.dtype) -> Any:
    kind, read_as = one.kind, torch.float32 if one.exact else number_type
    if not issubclass(kind, nn.Module):
        return _tokenizer(where, kind)
    found = folders.settings(where)
    options: dict[str, Any] = {"local_files_only": True, "output_loading_info": True}
    options["use_safetensors"] = any(where.glob("*.safetensors"))
    if kind.__module__.startswith("diffusers."):
        _expect(where, "_class_name", kind.__name__, found)
        # The other way of low_cpu_mem_usage needs accelerate.
        options |= {"low_cpu_mem_usage": False, "torch_dtype": read_as}
    else:
        _expect(where, "model_type", kind.config_class.model_type, found)
        options["dtype"] = read_as
    with folders.told(where, folders.ARCHITECTURE), folders.quiet():
        model, loaded = kind.from_pretrained(where, **options)
    folders.check_loaded(where, loaded, computed=_NOT_WEIGHTS)
    folders.refuse(where, {"not finite": folders.not_finite(dict(model.named_parameters()))})
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
        raise ValueError(f"{where}: expected a tokenizer.json, got {folders.listed(sorted(there))}")
    with folders.told(where, f"a {kind.__name__}"):
        return kind.from_pretrained(where, local_files_only=True)


def _expect(where: Path, key: str, value: str, found: Mapping[str, Any]) -> None:
    if found.get(key) != value:
        raise ValueError(f"{where / 'config.json'}: expected {key} {value!r}, got {found.get(key)!r}")
