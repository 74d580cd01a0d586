"""CLAP with random weights, in a folder as laion publishes it: model, preprocessor_config.json and a tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizer

from models_store import seeding

Size = Literal["tiny", "music-architecture"]

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def config(size: Size = "tiny") -> ClapConfig:
    """tiny: both towers narrow and shallow. music-architecture: laion/larger_clap_music."""
    if size == "tiny":
        text: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
        text |= {"intermediate_size": 64, "max_position_embeddings": 40, "initializer_factor": 10.0}
        audio: dict[str, Any] = {"hidden_size": 64, "patch_embeds_hidden_size": 16, "depths": [1, 1, 2]}
        audio |= {"num_attention_heads": [2, 2, 4], "initializer_factor": 10.0}
        return ClapConfig(projection_dim=32, text_config=text, audio_config=audio)
    return ClapConfig(
        audio_config={"hidden_size": 1024, "patch_embeds_hidden_size": 128, "depths": [2, 2, 12, 2]},
    )


def model(size: Size = "tiny", *, seed: int = 0) -> ClapModel:
    """The model itself: what `write` puts into a folder. Its input norm is about that of music in decibels."""
    with seeding.seeded(seed):
        made = ClapModel(config(size)).eval()
    norm = made.audio_model.audio_encoder.batch_norm
    norm.running_mean.fill_(-30.0)
    norm.running_var.fill_(400.0)
    return made


def write(folder: Path, *, size: Size = "tiny", seed: int = 0) -> Path:
    """Write a random CLAP without fusion; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model(size, seed=seed).save_pretrained(folder)
    extractor = ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad", frequency_min=50)
    extractor.save_pretrained(folder)
    pieces = (*_SPECIAL, *_LETTERS, "Ġ")
    tokenizer = RobertaTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, merges=[])
    tokenizer.save_pretrained(folder)
    return folder
