"""MusicGen's weights out of a folder, as facebook publishes them, and nothing else: no file in it can run code.

Whatever is wrong with a folder is a ValueError that says which, what was expected and what came.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    MusicgenForConditionalGeneration,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
    T5EncoderModel,
)

from models_store import folders, seeding
from models_store.generators.text_tokens import TextTokens

CLASSES: Mapping[str, Any] = {
    "musicgen": MusicgenForConditionalGeneration,
    "musicgen_melody": MusicgenMelodyForConditionalGeneration,
}
"""model_type of config.json -> transformers' class."""

TEXT = "text_encoder."
"""What the names of the text encoder's weights begin with."""

EMBEDDINGS = ("shared.weight", "encoder.embed_tokens.weight")
"""T5's names for the embeddings of its tokens; one matrix has both."""

_WEIGHTS_FILES = ("model.safetensors", "pytorch_model.bin")
_TOKENIZER_FILES = ("tokenizer.json", "spiece.model")

_LEARNT = re.compile(r"\.(weight|bias)(_\w+)?$|\.original[01]$")
"""How the names of trained weights end. The published files also hold what is computed (`embed_positions.weights`)."""

_RENAMED = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
"""The two parts of a weight norm, as torch named them before it had parametrizations."""


def read(folder: Path) -> Any:
    """The whole model, in float32 on the CPU: MusicgenForConditionalGeneration or its melody variant.

    Raises ValueError for files that are missing, cut short, of another architecture, that ask to run code, or whose
    weights are not exactly those of the architecture.
    """
    kind = settings(folder)["model_type"]
    with folders.told(folder, f"the weights of a {kind} model"), folders.quiet(), seeding.seeded(0):
        # Seeded because transformers draws random weights before it reads the files.
        model, found = CLASSES[kind].from_pretrained(
            folder,
            local_files_only=True,
            weights_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are listed, and refused below
        )
        # transformers hides what is left over of the decoder: T5's encoder ignores every name with that word.
        named = {_renamed(name) for path in _files(folder, ("",)) for name in _names(path)}
    known = model.state_dict()
    wrong = {
        "missing": sorted(found["missing_keys"]),
        "left over": sorted(name for name in named - known.keys() if _LEARNT.search(name)),
        "of another shape": sorted(str(one[0] if isinstance(one, tuple) else one) for one in found["mismatched_keys"]),
        "not finite": folders.not_finite(known),
    }
    folders.refuse(folder, wrong)
    return model.eval().requires_grad_(False)


def settings(folder: Path) -> dict[str, Any]:
    """What stands in config.json, of a MusicGen with a T5 and an EnCodec. Raises ValueError for any other."""
    path, content = folder / "config.json", folders.settings(folder)
    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in CLASSES:
        raise ValueError(f"{path}: expected model_type {' or '.join(CLASSES)}, got {kind!r}")
    for part, expected in {"text_encoder": "t5", "audio_encoder": "encodec"}.items():
        inner = content.get(part)
        named = inner.get("model_type") if isinstance(inner, dict) else inner
        if named != expected:
            raise ValueError(f"{path}: expected {part}.model_type {expected!r}, got {named!r}")
    return content


def vocabulary(folder: Path) -> TextTokens:
    """The tokenizer and its embeddings: only that much is read. Raises as `read`."""
    padding = _text_config(folder).pad_token_id
    found = _weights(folder, tuple(TEXT + name for name in EMBEDDINGS))
    embeddings = next((found[TEXT + name] for name in EMBEDDINGS if TEXT + name in found), None)
    if embeddings is None:
        raise ValueError(f"{folder}: expected the weights of a MusicGen model, got none named {TEXT}{EMBEDDINGS[0]}")
    return tokens(folder, embeddings, pad_id=padding or 0)


def tokens(folder: Path, embeddings: Tensor, *, pad_id: int) -> TextTokens:
    """The folder's tokenizer with these embeddings, [vocabulary, dim]. Raises as `read`."""
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise ValueError(f"{folder}: expected a tokenizer ({' or '.join(_TOKENIZER_FILES)}), there is none")
    with folders.told(folder, "the tokenizer of a T5 model and its embeddings"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return TextTokens(tokenizer, embeddings, pad_id=pad_id)


def text_encoder(folder: Path) -> T5EncoderModel:
    """The text encoder alone, in float32 on the CPU: nothing else is read. Raises as `read`."""
    config = _text_config(folder)
    found = {name.removeprefix(TEXT): weight.float() for name, weight in _weights(folder, (TEXT,)).items()}
    found |= {name: found[EMBEDDINGS[0]] for name in EMBEDDINGS[1:] if EMBEDDINGS[0] in found}
    with folders.told(folder, "the weights of a T5 encoder"):
        with torch.device("meta"):  # no memory and no random numbers: every weight comes from the file
            model = T5EncoderModel(config)
        problems = model.load_state_dict(found, strict=False, assign=True)
        model.tie_weights()
    missing = [name for name in problems.missing_keys if name not in EMBEDDINGS[1:]]
    broken = folders.not_finite(found)
    folders.refuse(folder, {"missing": missing, "left over": problems.unexpected_keys, "not finite": broken})
    nn.Module.requires_grad_(model.eval(), False)
    return model


def _text_config(folder: Path) -> T5Config:
    inner = settings(folder)["text_encoder"]
    with folders.told(folder, "the settings of a T5 model"):
        return T5Config(**{name: value for name, value in inner.items() if name != "model_type"})


def _weights(folder: Path, beginnings: tuple[str, ...]) -> dict[str, Tensor]:
    """The weights whose names begin so; of safetensors nothing else is read, a pickle is mapped into memory."""
    with folders.told(folder, "the weights of a MusicGen model"):
        found: dict[str, Tensor] = {}
        for path in _files(folder, beginnings):
            if path.suffix == ".safetensors":
                with safe_open(path, framework="pt") as file:
                    found |= {name: file.get_tensor(name) for name in file.keys() if name.startswith(beginnings)}  # noqa: SIM118 - not a mapping
            else:
                found |= {name: weight for name, weight in _pickled(path).items() if name.startswith(beginnings)}
    wrong = [name for name, weight in found.items() if not isinstance(weight, Tensor) or not weight.is_floating_point()]
    if wrong:
        raise ValueError(f"{folder}: expected a tensor of floats for {wrong[0]}, got {type(found[wrong[0]]).__name__}")
    return found


def _files(folder: Path, beginnings: tuple[str, ...]) -> list[Path]:
    """Which of the folder's files hold weights of these names; as transformers, safetensors first."""
    for name in _WEIGHTS_FILES:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            where = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            names = sorted({str(file) for weight, file in where.items() if weight.startswith(beginnings)})
            if outside := [file for file in names if Path(file).name != file]:
                raise ValueError(f"{index}: expected names of files beside it, got {outside[0]!r}")
            return [folder / file for file in names]
    raise FileNotFoundError(f"neither {' nor '.join(_WEIGHTS_FILES)}")


def _names(path: Path) -> list[str]:
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    return list(_pickled(path))


def _pickled(path: Path) -> dict[str, Any]:
    """What torch.save wrote, mapped into memory; files from before torch 1.6 are not archives and are read whole."""
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    if not isinstance(content, Mapping):
        raise TypeError(f"{path.name}, which holds a {type(content).__name__}, not weights by name")
    return dict(content)


def _renamed(name: str) -> str:
    before, _, last = name.rpartition(".")
    return f"{before}.{_RENAMED.get(last, last)}" if before else name
