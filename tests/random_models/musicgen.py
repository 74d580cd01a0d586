"""MusicGen with random weights, in a folder as facebook publishes it: model, generation_config.json and a tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    EncodecConfig,
    GenerationConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
    T5Tokenizer,
)

from models_store import seeding
from models_store.generators.soundfont.vocabulary import LEXICON

Size = Literal["tiny", "small-architecture"]
Model = MusicgenForConditionalGeneration | MusicgenMelodyForConditionalGeneration

WINDOW = 1500
"""Frames of the longest piece that the published models were trained on: 30 s."""

_LETTERS = "▁abcdefghijklmnopqrstuvwxyz0123456789,.'-"
_ROWS_WITHOUT_A_TOKEN = 7  # T5's matrix has 32,128 rows for 32,100 tokens


def tokenizer() -> T5Tokenizer:
    """T5's, over the words of our prompts; what it does not know is spelt. "</s>" is appended."""
    words = sorted({word for values in LEXICON.values() for value in values for word in value.lower().split()})
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(f"▁{word}", -1.0) for word in ("music", "with", "and", "in", *words)]
    pieces += [(letter, -9.0) for letter in _LETTERS]
    return T5Tokenizer(vocab=list(dict(pieces).items()), extra_ids=2)


def model(size: Size = "tiny", *, stereo: bool = False, melody: bool = False, seed: int = 0) -> Model:
    """The model itself, as transformers makes it: what `write` puts into a folder."""
    text, codec, decoder = _settings(size)
    decoder |= {"num_codebooks": 8, "audio_channels": 2} if stereo else {"num_codebooks": 4, "audio_channels": 1}
    with seeding.seeded(seed):
        parts: dict[str, Any] = {"text_encoder": T5Config(**text), "audio_encoder": EncodecConfig(**codec)}
        made: Any
        if melody:
            parts |= {"chroma_length": 8} if size == "tiny" else {}
            config = MusicgenMelodyConfig(**parts, decoder=MusicgenMelodyDecoderConfig(**decoder))
            made = MusicgenMelodyForConditionalGeneration(config)
        else:
            made = MusicgenForConditionalGeneration(MusicgenConfig(**parts, decoder=MusicgenDecoderConfig(**decoder)))
        for name, buffer in made.audio_encoder.named_buffers():
            if name.endswith("codebook.embed"):  # made as zeros, which would sound as silence
                buffer.copy_(torch.randn_like(buffer))
    made.generation_config = _generation(decoder["vocab_size"])
    whole: Model = made.eval()
    return whole


def write(
    folder: Path,
    *,
    size: Size = "tiny",
    stereo: bool = False,
    melody: bool = False,
    seed: int = 0,
    window: int = WINDOW,
) -> Path:
    """Write a random MusicGen; the folder. window: frames that the model decodes at once."""
    folder.mkdir(parents=True, exist_ok=True)
    made = model(size, stereo=stereo, melody=melody, seed=seed)
    made.generation_config.max_length = window
    made.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def _generation(codes: int) -> GenerationConfig:
    return GenerationConfig(
        bos_token_id=codes,
        pad_token_id=codes,
        decoder_start_token_id=codes,
        do_sample=True,
        guidance_scale=3.0,
        max_length=WINDOW,
    )


def _settings(size: Size) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Of the text encoder, the codec and the decoder."""
    if size == "small-architecture":
        text = {"vocab_size": 32128, "d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12}
        codec = {"num_filters": 64, "hidden_size": 128, "codebook_size": 2048, "target_bandwidths": [2.2]}
        decoder = {"vocab_size": 2048, "hidden_size": 1024, "ffn_dim": 4096, "num_hidden_layers": 24}
        decoder |= {"num_attention_heads": 16}
    else:
        rows = len(tokenizer()) + _ROWS_WITHOUT_A_TOKEN
        text = {"vocab_size": rows, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
        codec = {"num_filters": 4, "hidden_size": 16, "codebook_size": 64, "target_bandwidths": [1.2]}
        decoder = {"vocab_size": 64, "hidden_size": 48, "ffn_dim": 96, "num_hidden_layers": 2}
        decoder |= {"num_attention_heads": 4, "max_position_embeddings": 256}
    common: dict[str, Any] = {"sampling_rate": 32_000, "upsampling_ratios": [8, 5, 4, 4], "use_causal_conv": False}
    common |= {"use_conv_shortcut": False, "audio_channels": 1}
    # Wider than usual, so that the codes of a random model depend on what it hears and reads.
    drawn: dict[str, Any] = {"initializer_factor": 0.02 if size == "small-architecture" else 0.15}
    padding: dict[str, Any] = {"pad_token_id": decoder["vocab_size"], "bos_token_id": decoder["vocab_size"]}
    return text, codec | common, decoder | padding | drawn
