"""MusicGen's decoder with random weights, and what transformers' `generate` makes of it: what its tests share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
)

from models_store import seeding
from models_store.generators.musicgen.decoding import Condition

PROMPTS = torch.tensor([[3, 4, 5, 6, 7, 1], [8, 9, 1, 0, 0, 0], [11, 1, 0, 0, 0, 0]])
"""Tokens of three prompts, 0 is padding."""

CHROMA = 5
VARIANTS = ("plain", "stereo", "melody")


def build(variant: str = "plain", *, vocabulary: int = 64, positions: int = 256) -> Any:
    """A small random MusicGen whose codes depend on its text and its past."""
    text = T5Config(vocab_size=40, d_model=24, d_kv=8, d_ff=32, num_layers=1, num_heads=2).to_dict()
    codec = EncodecConfig(codebook_size=vocabulary, num_filters=2, hidden_size=8, codebook_dim=8).to_dict()
    sizes: dict[str, Any] = {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"vocab_size": vocabulary, "pad_token_id": vocabulary, "bos_token_id": vocabulary}
    sizes |= {"max_position_embeddings": positions}
    sizes |= {"num_codebooks": 8, "audio_channels": 2} if variant == "stereo" else {"num_codebooks": 4}
    with seeding.seeded(5):
        model: Any
        if variant == "melody":
            decoder = MusicgenMelodyDecoderConfig(**sizes)
            whole = MusicgenMelodyConfig(
                text_encoder=text, audio_encoder=codec, decoder=decoder.to_dict(), chroma_length=CHROMA
            )
            model = MusicgenMelodyForConditionalGeneration(whole)
        else:
            decoder = MusicgenDecoderConfig(**sizes)
            model = MusicgenForConditionalGeneration(
                MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder.to_dict())
            )
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and name.startswith(("decoder", "enc_to_dec", "audio_enc_to_dec")):
                torch.nn.init.normal_(weight, std=0.3)
    for name in ("decoder_start_token_id", "pad_token_id", "bos_token_id"):
        setattr(model.generation_config, name, vocabulary)
    return model.eval()


def generate(model: Any, prompts: Tensor, *, frames: int, **settings: Any) -> Tensor:
    """The codes that transformers' own `generate` would give to the codec: int64 [N, codebooks, frames]."""
    heard: list[Tensor] = []

    def decode(codes: Tensor, **_: Any) -> Any:
        heard.append(codes[0])
        return SimpleNamespace(audio_values=torch.zeros(1, 1, 1))

    codec, model.audio_encoder.decode = model.audio_encoder.decode, decode
    config = model.decoder.config
    try:
        steps = frames + config.num_codebooks // config.audio_channels - 1
        mask = (prompts != 0).long()
        model.generate(input_ids=prompts, attention_mask=mask, max_new_tokens=steps, **settings)
    finally:
        model.audio_encoder.decode = codec
    if config.audio_channels == 2:
        left, right = heard
        return torch.stack([left, right], dim=2).flatten(1, 2)  # [N, codebooks, frames]
    return heard[0]


def condition(model: Any, prompts: Tensor) -> Condition:
    """What the decoder is told of these prompts; for the melody variant with the chroma of silence in front."""
    mask = prompts != 0
    with torch.no_grad():
        states = model.enc_to_dec_proj(model.text_encoder(prompts, attention_mask=mask.long()).last_hidden_state)
        states = states * mask[..., None]
        if not hasattr(model, "audio_enc_to_dec_proj"):
            return Condition(states=states, mask=mask)
        silence = torch.zeros(len(prompts), CHROMA, model.config.num_chroma)
        silence[:, :, 0] = 1.0
        chroma = model.audio_enc_to_dec_proj(silence)  # [N, chroma, hidden]
    return Condition(
        states=torch.cat([chroma, states], dim=1),
        mask=torch.cat([torch.ones(chroma.shape[:2], dtype=torch.bool), mask], dim=1),
        null=torch.cat([chroma, torch.zeros_like(states)], dim=1),
    )


def take(whole: Condition, items: slice) -> Condition:
    return Condition(whole.states[items], whole.mask[items], None if whole.null is None else whole.null[items])
