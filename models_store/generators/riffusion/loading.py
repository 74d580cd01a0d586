"""The parts of a Stable Diffusion folder, one by one, without running code that comes with it.

The pipeline itself is not built: it would bring a safety checker for photographs. Weights are read as safetensors, or
as pickles of tensors and nothing else (torch's weights_only, which transformers and diffusers ask for).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from models_store import folders

Model = Any
"""A module of transformers or diffusers; their types hide what is called of them (config, to, decode, ...)."""

TOKENIZER_FILES = ({"vocab.json", "merges.txt"}, {"tokenizer.json"})
SAFETENSORS = tuple(
    f"{name}.safetensors{more}" for name in ("model", "diffusion_pytorch_model") for more in ("", ".index.json")
)
PREDICTED = ("epsilon", "sample", "v_prediction")


def tokenizer(folder: Path) -> Model:
    """CLIP's tokenizer. Raises ValueError, with the folder, when its files are missing or broken; as all here."""
    where = folder / "tokenizer"
    there = {path.name for path in where.iterdir()} if where.is_dir() else set()
    # Without them transformers makes one that knows no word, and says nothing.
    if not any(needed <= there for needed in TOKENIZER_FILES):
        raise ValueError(
            f"{where}: expected vocab.json and merges.txt, or tokenizer.json; got {folders.listed(sorted(there))}"
        )
    with folders.told(where, "a CLIP tokenizer"):
        return CLIPTokenizer.from_pretrained(where, local_files_only=True)


def text_encoder(folder: Path) -> Model:
    """The text side of CLIP, in float32 on the CPU."""
    where = folder / "text_encoder"
    settings = folders.settings(where)
    kind = settings.get("model_type", "clip_text_model")
    if kind != "clip_text_model":
        raise ValueError(f"{where / 'config.json'}: expected model_type 'clip_text_model', got {kind!r}")
    return _weights(where, CLIPTextModel, dtype=torch.float32, attn_implementation="sdpa")


def unet(folder: Path) -> Model:
    """What takes the noise out of a picture, in float32 on the CPU."""
    made = _diffusers_part(folder / "unet", UNet2DConditionModel)
    asked = {"class_embed_type", "addition_embed_type", "encoder_hid_dim_type", "time_cond_proj_dim"}
    more = sorted(name for name in asked if made.config.get(name) is not None)
    if more:
        raise ValueError(f"{folder / 'unet'}: expected a UNet that hears text alone, got one with {', '.join(more)}")
    return made


def autoencoder(folder: Path) -> Model:
    """What turns latents into pictures, in float32 on the CPU."""
    return _diffusers_part(folder / "vae", AutoencoderKL)


def noise_schedule(folder: Path) -> dict[str, Any]:
    """The settings of the folder's scheduler, as DPMSolverMultistepScheduler reads them."""
    where = folder / "scheduler"
    settings = folders.settings(where, "scheduler_config.json")
    if "beta_schedule" not in settings:
        raise ValueError(
            f"{where}: expected the scheduler of a Stable Diffusion, with a beta_schedule, "
            f"got {settings.get('_class_name', 'another')}"
        )
    predicted = settings.get("prediction_type", PREDICTED[0])
    if predicted not in PREDICTED:
        raise ValueError(f"{where}: expected prediction_type {' or '.join(PREDICTED)}, got {predicted!r}")
    with folders.told(where, "the settings of a scheduler"):
        solver(settings).set_timesteps(2)
    return settings


def solver(settings: Mapping[str, Any]) -> Model:
    """DPM-Solver++ of second order (Lu et al. 2022, arXiv:2211.01095): an ODE, so that no noise is drawn on the way."""
    return DPMSolverMultistepScheduler.from_config(dict(settings), algorithm_type="dpmsolver++", solver_order=2)


def check_fit(*, words: Model, text: Model, unet: Model, vae: Model) -> None:
    """Raises ValueError when the parts are not of one model."""
    latents, heard, rows = vae.config.latent_channels, unet.config.cross_attention_dim, text.config.vocab_size
    if (unet.config.in_channels, unet.config.out_channels) != (latents, latents):
        raise ValueError(
            f"unet: expected to take and give the autoencoder's {latents} latent channels, "
            f"got {unet.config.in_channels} and {unet.config.out_channels}"
        )
    if heard != text.config.hidden_size:
        raise ValueError(f"unet: expected to hear text of {text.config.hidden_size} numbers a token, got {heard}")
    if len(words) > rows:
        raise ValueError(f"tokenizer: expected at most {rows} tokens, as the text encoder has, got {len(words)}")


def _diffusers_part(where: Path, kind: Any) -> Any:
    name = folders.settings(where).get("_class_name")
    if name != kind.__name__:
        raise ValueError(f"{where / 'config.json'}: expected _class_name {kind.__name__!r}, got {name!r}")
    return _weights(where, kind, low_cpu_mem_usage=False)  # the other way needs accelerate


def _weights(where: Path, kind: Any, **options: Any) -> Model:
    """The model of a folder. Raises ValueError when its weights are not exactly those of its settings."""
    told = {"local_files_only": True, "output_loading_info": True, "use_safetensors": _has_safetensors(where)}
    with folders.told(where, folders.ARCHITECTURE), folders.quiet():
        model, found = kind.from_pretrained(where, **told, **options)
    folders.check_loaded(where, found)
    folders.refuse(where, {"not finite": folders.not_finite(dict(model.named_parameters()))})
    return model.eval().requires_grad_(False)


def _has_safetensors(where: Path) -> bool:
    return any((where / name).is_file() for name in SAFETENSORS)
