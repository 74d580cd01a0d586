"""The five diffusion families with random weights, in folders as diffusers publishes them.

Every part is of the true class and everything that fixes rates and lengths is true; only widths and depths are tiny.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AceStepTransformer1DModel,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderSAME,
    FlowMatchEulerDiscreteScheduler,
    StableAudio3DiTModel,
    StableAudioDiTModel,
    StableAudioProjectionModel,
    UNet2DConditionModel,
)
from diffusers.pipelines.ace_step import AceStepConditionEncoder
from diffusers.pipelines.stable_audio_3.modeling_stable_audio_3 import StableAudio3DurationEmbedder
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Qwen3Config,
    Qwen3Model,
    T5EncoderModel,
    T5GemmaConfig,
    T5GemmaEncoderModel,
    T5GemmaModuleConfig,
)

from models_store import seeding
from tests.random_models import diffusion_parts, musicgen
from tests.random_models.diffusion_parts import (
    BANDS,
    CLAP_WIDTH,
    GEMMA_TOKENS,
    GEMMA_WIDTH,
    LANGUAGE_WIDTH,
    QWEN_WIDTH,
    T5_TOKENS,
    T5_WIDTH,
)

_WHERE_TEXT_IS_HEARD = ("attn2.", "cross_attn.", "condition_embedder.", "to_cond_embed.")
"""Parts of the networks that random weights would leave too quiet: every prompt would sound alike."""

Parts = dict[str, Any]

COSINE = {
    "_class_name": "CosineDPMSolverMultistepScheduler",
    "sigma_min": 0.3,
    "sigma_max": 500,
    "sigma_data": 1.0,
    "sigma_schedule": "exponential",
    "num_train_timesteps": 1000,
    "solver_order": 2,
    "prediction_type": "v_prediction",
    "rho": 7.0,
    "solver_type": "midpoint",
    "lower_order_final": True,
    "euler_at_final": False,
    "final_sigmas_type": "zero",
}
"""Stable Audio Open's scheduler_config.json: its class needs torchsde, so that it is written without it."""


def write(folder: Path, family: str, *, seed: int = 0, **parameters: Any) -> Path:
    """Write a random pipeline of this family; the folder.

    parameters: `turbo` (ace-step: guidance distilled into the weights, True), `distilled` (stable-audio-3, True).
    """
    with seeding.seeded(seed):
        parts = _MAKERS[family](**parameters)
        for part in parts.values():
            if isinstance(part, nn.Module):
                _roughen(part.eval())
    index: dict[str, Any] = {"_class_name": PIPELINES[family]}
    for name, part in parts.items():
        index[name] = _saved(folder / name, part)
    if family in ("musicldm", "audioldm2"):
        index["feature_extractor"] = ["transformers", "ClapFeatureExtractor"]
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def copy_of(folder: Path, where: Path) -> Path:
    """The same in another folder, to be spoilt."""
    return Path(shutil.copytree(folder, where))


def _saved(folder: Path, part: Any) -> list[str]:
    if isinstance(part, Mapping):
        folder.mkdir(parents=True)
        (folder / "scheduler_config.json").write_text(json.dumps(part), encoding="utf-8")
        return ["diffusers", str(part["_class_name"])]
    part.save_pretrained(folder)
    kind = type(part)
    return [kind.__module__.split(".")[0], kind.__name__]


def _roughen(model: nn.Module) -> None:
    """Nothing stays one or zero, which would hide a mistake: not norms, not biases, not gates that start closed."""
    for name, weight in model.named_parameters():
        constant = bool((weight == weight.flatten()[0]).all())
        if constant and weight.ndim == 2:
            weight.data += weight.shape[1] ** -0.5 * torch.randn_like(weight)
        elif constant or "norm" in name or name.endswith("bias"):
            weight.data += 0.1 * torch.randn_like(weight)
        if any(place in name for place in _WHERE_TEXT_IS_HEARD):
            weight.data *= 3.0


def _musicldm() -> Parts:
    unet = UNet2DConditionModel(
        sample_size=[256, BANDS // 4],  # columns and bands of the latents
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(8, 16),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=CLAP_WIDTH,
        class_embeddings_concat=True,
    )
    return {
        "vae": diffusion_parts.spectrograms(),
        "text_encoder": diffusion_parts.clap(),
        "tokenizer": diffusion_parts.roberta(),
        "unet": unet,
        "scheduler": diffusion_parts.ddim(),
        "vocoder": diffusion_parts.vocoder(),
    }


def _audioldm2() -> Parts:
    words = musicgen.tokenizer()
    words.model_max_length = T5_TOKENS
    unet = AudioLDM2UNet2DConditionModel(
        sample_size=256,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(
            [None, LANGUAGE_WIDTH, T5_WIDTH],
            [None, LANGUAGE_WIDTH, T5_WIDTH],
        ),
    )
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    shape = GPT2Config(n_embd=LANGUAGE_WIDTH, n_head=2, n_layer=2, vocab_size=40, n_positions=200, **ends)
    language = GPT2LMHeadModel(shape)
    language.config.max_new_tokens = 8
    return {
        "vae": diffusion_parts.spectrograms(),
        "text_encoder": diffusion_parts.clap(),
        "text_encoder_2": T5EncoderModel(diffusion_parts.t5(len(words))),
        "projection_model": AudioLDM2ProjectionModel(CLAP_WIDTH, T5_WIDTH, LANGUAGE_WIDTH),
        "language_model": language,
        "tokenizer": diffusion_parts.roberta(),
        "tokenizer_2": words,
        "unet": unet,
        "scheduler": diffusion_parts.ddim(),
        "vocoder": diffusion_parts.vocoder(),
    }


def _stable_audio() -> Parts:
    words = musicgen.tokenizer()
    words.model_max_length = T5_TOKENS
    transformer = StableAudioDiTModel(
        sample_size=1024,  # 47.6 s
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        num_key_value_attention_heads=2,
        cross_attention_dim=T5_WIDTH,
        cross_attention_input_dim=T5_WIDTH,
        time_proj_dim=16,
        global_states_input_dim=2 * T5_WIDTH,
    )
    return {
        "vae": diffusion_parts.oobleck((2, 4, 4, 8, 8), 44_100),
        "text_encoder": T5EncoderModel(diffusion_parts.t5(len(words))),
        "projection_model": StableAudioProjectionModel(T5_WIDTH, T5_WIDTH, 0, 512),
        "tokenizer": words,
        "transformer": transformer,
        "scheduler": COSINE,
    }


def _stable_audio_3(*, distilled: bool = True) -> Parts:
    words = diffusion_parts.gemma_tokenizer()
    module = T5GemmaModuleConfig(
        vocab_size=len(words),
        hidden_size=GEMMA_WIDTH,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        query_pre_attn_scalar=8,
        max_position_embeddings=GEMMA_TOKENS,
        sliding_window=64,
    )
    config = T5GemmaConfig(encoder=module, decoder=T5GemmaModuleConfig(**module.to_dict()), is_encoder_decoder=False)
    vae = AutoencoderSAME(
        patch_size=256,
        encoder_channels=8,
        encoder_c_mults=(2,),
        encoder_strides=(16,),
        encoder_transformer_depths=(1,),
        latent_dim=6,
        dim_heads=8,
        sampling_rate=44_100,
    )
    transformer = StableAudio3DiTModel(
        io_channels=6,
        embed_dim=32,
        depth=2,
        num_heads=4,
        cond_token_dim=GEMMA_WIDTH,
        global_cond_dim=GEMMA_WIDTH,
        local_add_cond_dim=7,
        timestep_features_dim=16,
        ff_mult=2,
        num_memory_tokens=3,
    )
    return {
        "vae": vae,
        "text_encoder": T5GemmaEncoderModel(config),
        "tokenizer": words,
        "duration_embedder": StableAudio3DurationEmbedder(output_dim=GEMMA_WIDTH, fourier_dim=16),
        "transformer": transformer,
        "scheduler": FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0, stochastic_sampling=distilled),
    }


def _ace_step(*, turbo: bool = True) -> Parts:
    words = diffusion_parts.qwen_tokenizer()
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "head_dim": 8}
    shape |= {"num_key_value_heads": 2}
    transformer = AceStepTransformer1DModel(
        **shape,
        num_hidden_layers=2,
        in_channels=12,
        audio_acoustic_hidden_dim=4,
        sliding_window=16,
        is_turbo=turbo,
    )
    condition = AceStepConditionEncoder(
        **shape,
        text_hidden_dim=QWEN_WIDTH,
        timbre_hidden_dim=4,
        num_lyric_encoder_hidden_layers=1,
        num_timbre_encoder_hidden_layers=1,
        sliding_window=16,
    )
    condition.silence_latent.copy_(torch.randn_like(condition.silence_latent))
    return {
        "vae": diffusion_parts.oobleck((2, 4, 4, 6, 10), 48_000),
        "text_encoder": Qwen3Model(Qwen3Config(vocab_size=len(words), num_hidden_layers=2, **shape)),
        "tokenizer": words,
        "transformer": transformer,
        "condition_encoder": condition,
        "scheduler": FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    }


PIPELINES = {
    "musicldm": "MusicLDMPipeline",
    "audioldm2": "AudioLDM2Pipeline",
    "stable-audio": "StableAudioPipeline",
    "stable-audio-3": "StableAudio3Pipeline",
    "ace-step": "AceStepPipeline",
}

_MAKERS: dict[str, Callable[..., Parts]] = {
    "musicldm": _musicldm,
    "audioldm2": _audioldm2,
    "stable-audio": _stable_audio,
    "stable-audio-3": _stable_audio_3,
    "ace-step": _ace_step,
}
