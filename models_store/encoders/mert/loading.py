"""MERT's checkpoint read into transformers' HuBERT, without running any code that comes with it.

MERT's own class (modeling_MERT.py on the hub, Li et al. 2023, arXiv:2306.00107) is HuBERT with three options: CQT
features beside the convolutions, DeepNorm, and `attention_relax`. The published models (95M, 330M) have the first two
off, and the third is used by DeepNorm layers only, so what is computed is HuBERT's. A model with one of the two on is
refused. The weights have HuBERT's names, but for the weight norm of the positional convolution, whose two parts are
named as torch named them before it had parametrizations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.utils import parametrize
from transformers import HubertConfig, HubertModel

from models_store import folders

SAMPLE_RATE = 24_000
WEIGHTS_FILES = ("model.safetensors", "pytorch_model.bin")

ARCHITECTURE = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "layer_norm_eps",
    "feat_proj_layer_norm",
    "feat_extract_norm",
    "feat_extract_activation",
    "conv_dim",
    "conv_stride",
    "conv_kernel",
    "conv_bias",
    "num_conv_pos_embeddings",
    "num_conv_pos_embedding_groups",
    "do_stable_layer_norm",
)
"""The fields of config.json that say what is computed; MERT's defaults are HuBERT's. The others are about training."""

MUST_BE = {"feature_extractor_cqt": False, "deepnorm": False, "conv_pos_batch_norm": False, "adapter_attn_dim": None}
"""Fields that would make it another architecture, and what they are in the models that are known."""

_POSITIONS = "encoder.pos_conv_embed.conv"
RENAMED = {
    f"{_POSITIONS}.weight_g": f"{_POSITIONS}.parametrizations.weight.original0",
    f"{_POSITIONS}.weight_v": f"{_POSITIONS}.parametrizations.weight.original1",
}
"""MERT's name -> transformers' name; every other weight has the same name in both."""

PRETRAINING_ONLY = ("masked_spec_embed", "final_proj.", "label_embs_concat", "encoder_cqt_model.", "encoder_mel_model.")
"""Beginnings of the names of what only pretraining used: the mask's embedding and the heads."""


@dataclass(frozen=True)
class Loaded:
    """model: HuBERT in float32 on the CPU, without weight norm (it is multiplied out once, not at every call).

    sample_rate: Hz, of the sound it was trained on. normalise: whether a piece is brought to zero mean and unit
    variance first.
    """

    model: HubertModel
    sample_rate: int
    normalise: bool


def read(folder: Path) -> Loaded:
    """The model in a folder with config.json, preprocessor_config.json and the weights.

    Raises ValueError, with the file, for one that is missing, cut short, of another architecture, that asks to run
    code, or whose weights are not exactly those of the architecture.
    """
    settings = folders.settings(folder)
    config = _config(folder / "config.json", settings)
    listening = folder / "preprocessor_config.json"
    hearing = folders.settings(folder, listening.name) if listening.is_file() else {}
    sample_rate = hearing.get("sampling_rate", settings.get("sample_rate", SAMPLE_RATE))
    if not isinstance(sample_rate, int) or sample_rate <= 0:
        raise ValueError(f"{listening}: expected a sampling_rate in Hz, got {sample_rate!r}")
    path = next((folder / name for name in WEIGHTS_FILES if (folder / name).is_file()), None)
    if path is None:
        raise ValueError(f"{folder}: expected {' or '.join(WEIGHTS_FILES)}, there is neither")
    with torch.device("meta"):  # no memory, no random numbers: every weight comes from the file
        model = _built(config, folder)
    weights = _renamed(_weights(path))
    _check(weights, model.state_dict(), path)
    model.load_state_dict({name: weight.float() for name, weight in weights.items()}, assign=True)
    parametrize.remove_parametrizations(model.encoder.pos_conv_embed.conv, "weight")
    return Loaded(
        model=model.eval().requires_grad_(False),
        sample_rate=sample_rate,
        normalise=bool(hearing.get("do_normalize", True)),  # Wav2Vec2FeatureExtractor's default
    )


def _config(path: Path, settings: Mapping[str, Any]) -> HubertConfig:
    kind = settings.get("model_type")
    if kind != "mert_model":
        raise ValueError(f"{path}: expected model_type 'mert_model', got {kind!r}")
    for name, expected in MUST_BE.items():
        if settings.get(name, expected) != expected:
            raise ValueError(
                f"{path}: expected {name} {expected}, as in m-a-p/MERT-v1-95M and 330M, got {settings[name]!r}"
            )
    wanted = {name: settings[name] for name in ARCHITECTURE if name in settings}
    # No masking: without it the model has no embedding for what is masked.
    wanted |= {"mask_time_prob": 0.0, "mask_feature_prob": 0.0, "attn_implementation": "sdpa"}
    with folders.told(path, "the settings of a HuBERT model"):
        return HubertConfig(**wanted)


def _built(config: HubertConfig, folder: Path) -> HubertModel:
    with folders.told(folder / "config.json", "the settings of a HuBERT model"):
        return HubertModel(config)


def _weights(path: Path) -> dict[str, Tensor]:
    """Name -> weight of a file. Raises ValueError for one that is cut short, not of weights, or asks to run code."""
    with folders.told(path, "a whole file of weights and nothing else"):
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: expected weights by name, got a {type(content).__name__}")
    for name, weight in content.items():
        if not isinstance(weight, Tensor) or not weight.is_floating_point():
            raise ValueError(f"{path}: expected a tensor of floats for {name}, got {getattr(weight, 'dtype', weight)}")
    return dict(content)


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        RENAMED.get(name, name): weight for name, weight in weights.items() if not name.startswith(PRETRAINING_ONLY)
    }


def _check(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Raises ValueError that lists what is missing, left over, of another shape, or not finite."""
    back = {new: old for old, new in RENAMED.items()}
    both = weights.keys() & expected.keys()
    shapes = [
        f"{back.get(name, name)} (expected {tuple(expected[name].shape)}, got {tuple(weights[name].shape)})"
        for name in sorted(both)
        if weights[name].shape != expected[name].shape
    ]
    folders.refuse(
        path,
        {
            "missing": [back.get(name, name) for name in sorted(expected.keys() - weights.keys())],
            "left over": sorted(weights.keys() - expected.keys()),
            "of another shape": shapes,
            "not finite": folders.not_finite({name: weights[name] for name in sorted(both)}),
        },
    )
