"""MERT with random weights, in a folder as m-a-p publishes it: config.json, preprocessor_config.json, a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import HubertConfig, HubertModel

from models_store import seeding

Size = Literal["tiny", "small", "95M-architecture", "330M-architecture"]

_TRAINING: dict[str, Any] = {
    "architectures": ["MERTModel"],
    "auto_map": {"AutoConfig": "configuration_MERT.MERTConfig", "AutoModel": "modeling_MERT.MERTModel"},
    "activation_dropout": 0.0,
    "apply_spec_augment": True,
    "attention_relax": -1.0,
    "deepnorm": False,
    "feature_extractor_cqt": False,
    "feature_extractor_cqt_bins": 336,
    "hidden_dropout": 0.1,
    "layerdrop": 0.05,
    "mask_time_prob": 0.05,
    "model_type": "mert_model",
    "sample_rate": 24_000,
    "vocab_size": 32,
}
"""What stands in MERT's config.json beside the architecture."""

_SIZES: dict[Size, tuple[int, int, int, int, int, int]] = {
    "tiny": (32, 2, 4, 64, 16, 16),
    "small": (256, 6, 4, 1024, 128, 128),
    "95M-architecture": (768, 12, 12, 3072, 512, 128),
    "330M-architecture": (1024, 24, 16, 4096, 512, 128),
}
"""Width, layers, heads, width between, channels of the convolutions, reach of the positional convolution."""


def architecture(size: Size, *, group: bool) -> dict[str, Any]:
    """The fields that say what is computed. group: the convolutions' norm is that of 95M, else that of 330M."""
    hidden, layers, heads, between, channels, reach = _SIZES[size]
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": between,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-05,
        "feat_proj_layer_norm": True,
        "feat_extract_norm": "group" if group else "layer",
        "feat_extract_activation": "gelu",
        "conv_dim": [channels] * 7,
        "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_bias": not group,
        "num_conv_pos_embeddings": reach,
        "num_conv_pos_embedding_groups": reach // 8 if reach > 16 else 4,
        "do_stable_layer_norm": not group,
    }


def hubert(size: Size = "tiny", *, group: bool = True, seed: int = 0) -> HubertModel:
    """The model itself, as transformers makes it: what `write` puts into a folder."""
    with seeding.seeded(seed):
        model = HubertModel(HubertConfig(**architecture(size, group=group)))
        for name, weight in model.named_parameters():
            if "norm" in name or name.endswith("bias"):  # ones and zeros would hide a mistake
                weight.data += 0.1 * torch.randn_like(weight)
    return model.eval()


def write(folder: Path, *, size: Size = "tiny", group: bool = True, normalise: bool = True, seed: int = 0) -> Path:
    """Write a random MERT under MERT's own names; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = _TRAINING | architecture(size, group=group) | {"attention_relax": -1.0 if group else 32.0}
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    hearing = {
        "do_normalize": normalise,
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "sampling_rate": 24_000,
        "return_attention_mask": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(hearing), encoding="utf-8")
    torch.save(state(hubert(size, group=group, seed=seed)), folder / "pytorch_model.bin")
    return folder


def state(model: HubertModel) -> dict[str, torch.Tensor]:
    """The weights under the names of MERT's checkpoints."""
    new_names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    weights = {}
    for name, weight in model.state_dict().items():
        for new, old in new_names.items():
            name = name.replace(new, old)
        weights[name] = weight.clone()
    return weights
