"""Riffusion with random weights, in a folder as it is published: a Stable Diffusion pipeline of diffusers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from models_store import seeding

Size = Literal["tiny", "small", "full-architecture"]

START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = 77
WORDS = ("jazz", "piano", "slow", "drums", "church", "bells", "guitar", "solo", "techno", "flute", "happy", "sad")
"""What the tokenizer knows as one token each; everything else is spelt."""

_OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
"""Of the autoencoder's attention: now, and when Riffusion was published."""


def unet(size: Size = "tiny") -> dict[str, Any]:
    """What is not as UNet2DConditionModel has it by default. full-architecture: Stable Diffusion 1.5."""
    if size == "full-architecture":
        return {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
    return {
        "sample_size": 32 if size == "tiny" else 64,
        "block_out_channels": (8, 16, 16, 16) if size == "tiny" else (16, 32, 32, 32),
        "layers_per_block": 1,
        "cross_attention_dim": 32,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
    }


def autoencoder(size: Size = "tiny") -> dict[str, Any]:
    """What is not as AutoencoderKL has it by default; pictures of 512 x 512.

    Their latents are of 64 x 64, or of 32 x 32 where it is tiny: attention over them is most of the tests' time.
    """
    full = size == "full-architecture"
    channels = {"tiny": (4, 8, 8, 8, 8), "small": (8, 16, 16, 16)}.get(size, (128, 256, 512, 512))
    return {
        "sample_size": 512,
        "block_out_channels": channels,
        "layers_per_block": 2 if full else 1,
        "norm_num_groups": 32 if full else 4,
        "down_block_types": ("DownEncoderBlock2D",) * len(channels),
        "up_block_types": ("UpDecoderBlock2D",) * len(channels),
    }


def text_encoder(size: Size, vocabulary: Mapping[str, int]) -> CLIPTextConfig:
    """full-architecture: the text side of CLIP ViT-L/14, with the small vocabulary's rows only."""
    tiny: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
    }
    full: dict[str, Any] = {
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
    }
    return CLIPTextConfig(
        vocab_size=len(vocabulary),
        max_position_embeddings=TOKENS,
        hidden_act="quick_gelu",
        bos_token_id=vocabulary[START],
        eos_token_id=vocabulary[END],
        pad_token_id=vocabulary[END],
        **(full if size == "full-architecture" else tiny),
    )


def write(folder: Path, *, size: Size = "tiny", pickled: bool = False, seed: int = 0) -> Path:
    """Write a random Riffusion; the folder. pickled: .bin files with the names of 2022, as the published one has."""
    vocabulary = _write_tokenizer(folder / "tokenizer")
    with seeding.seeded(seed):
        models: dict[str, nn.Module] = {
            "unet": UNet2DConditionModel(**unet(size)),
            "vae": AutoencoderKL(**autoencoder(size)),
            "text_encoder": CLIPTextModel(text_encoder(size, vocabulary)),
        }
        for model in models.values():
            _roughen(model)
        _darken(models["vae"])
    for name, model in models.items():
        model.eval().save_pretrained(folder / name)  # type: ignore[operator]
        if pickled:
            _as_published(folder / name, name, model.state_dict())
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    scheduler.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def copy_of(folder: Path, where: Path) -> Path:
    """The same in another folder, to be spoilt."""
    return Path(shutil.copytree(folder, where))


def _roughen(model: nn.Module) -> None:
    """Norms and biases that are not one and zero, which would hide a mistake."""
    for name, weight in model.named_parameters():
        if "norm" in name or name.endswith("bias"):
            weight.data += 0.1 * torch.randn_like(weight)


def _darken(vae: nn.Module) -> None:
    """Pictures with black and white in them, as those of music have: random weights alone paint them grey."""
    last = vae.decoder.conv_out
    last.weight.data *= 3.0
    last.bias.data += 0.3


def _as_published(folder: Path, name: str, weights: dict[str, Tensor]) -> None:
    for file in folder.glob("*.safetensors"):
        file.unlink()
    if name == "text_encoder":
        weights = {f"text_model.{key}": weight for key, weight in weights.items()}
        weights["text_model.embeddings.position_ids"] = torch.arange(TOKENS)[None]
        torch.save(weights, folder / "pytorch_model.bin")
        return
    if name == "vae":
        for new, old in _OLD_NAMES.items():
            weights = {key.replace(f"attentions.0.{new}.", f"attentions.0.{old}."): one for key, one in weights.items()}
    torch.save(weights, folder / "diffusion_pytorch_model.bin")


def _write_tokenizer(folder: Path) -> dict[str, int]:
    """CLIP's tokenizer with merges for WORDS only: vocab.json, merges.txt and two files of settings; its vocabulary."""
    letters = list(bytes_to_unicode().values())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        spelt = [*word[:-1], f"{word[-1]}</w>"]
        while len(spelt) > 1:
            merges.append((spelt[0], spelt[1]))
            spelt = [spelt[0] + spelt[1], *spelt[2:]]
    merges = list(dict.fromkeys(merges))
    pieces += [first + second for first, second in merges]
    vocabulary = {piece: number for number, piece in enumerate([*dict.fromkeys(pieces), START, END])}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{first} {second}" for first, second in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    (folder / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")
    settings = special | {"model_max_length": TOKENS, "tokenizer_class": CLIPTokenizer.__name__, "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return vocabulary
