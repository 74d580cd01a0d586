"""CLAP as an encoder: a second opinion on a song, by a model that was trained to put sounds beside their descriptions.

One embedding for a piece, in the space of texts as well (Wu et al. 2023, arXiv:2211.06687), through transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad
from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

from models_store import devices, folders, instruments, seeding, weights
from models_store.audio import Audio
from models_store.encoders import intake
from models_store.encoders.base import AudioEncoder

DEFAULT_MODEL = "laion/larger_clap_music"
PROJECTION = 512
"""Of the published models, known before they are loaded."""
SAMPLE_RATE = 48_000
TOKENIZER_FILES = ("tokenizer.json", "vocab.json")
MEL_FLOOR = 1e-10
"""Power below which nothing is heard, as in transformers' feature extractor."""
MOST_AT_ONCE = {"cuda": 256, "cpu": 8}
"""Windows of one batch; more of them make nothing faster."""
MEMORY_SHARE = 0.5
BYTES_PER_BIN = 24
"""Of a spectrum: complex, its two squares, their sum, and a copy."""
WIDTHS_HELD = 24
"""About how many tensors as wide as the first stage are alive at once: a perceptron of four widths, queries, keys,
values, scores, and their copies in windows."""

_CONSTANTS = ("position_ids", "token_type_ids", "relative_position_index", "num_batches_tracked")


class Clap(AudioEncoder):
    """What CLAP's audio tower makes of a piece: [N, 1, 512], each of unit length.

    A piece shorter than the model's 10 s is repeated as often as it fits and padded with silence, as the model was
    trained. A longer one is heard in windows of 10 s (the last overlaps the one before), and the mean of their
    embeddings is brought to unit length again. Models with feature fusion, which hear a random part of a long piece,
    are refused.
    """

    name = "clap"
    layers = 1

    def __init__(self, *, model: str | None = None) -> None:
        """model: a name on the hub or a folder; None: laion/larger_clap_music."""
        self._model = model or DEFAULT_MODEL
        self.dim = PROJECTION
        self.sample_rate = SAMPLE_RATE
        self._ear: _Ear | None = None

    def prepare(self, device: torch.device | str = "cpu") -> None:
        """Load the weights to `device`. Raises ValueError (MissingWeightsError when they are not here)."""
        device = torch.device(device)
        if self._ear is not None and self._ear.device == device:
            return
        entry = instruments.find("encoder", self.name)
        self._ear = _Ear(weights.locate(self._model, entry.weights if entry else ()), device)
        self.dim, self.sample_rate = self._ear.dim, self._ear.sample_rate

    def release(self) -> None:
        self._ear = None
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def encode(self, audio: Audio) -> Tensor:
        """Embeddings float32 [N, 1, dim], on the device that was prepared.

        Raises ValueError for no piece, no channel, or less than one Fourier window (21 ms); RuntimeError before
        `prepare`.
        """
        ear = self._prepared()
        intake.check("Clap", audio, shortest_seconds=ear.shortest / ear.sample_rate)
        sound = intake.mono(audio, sample_rate=ear.sample_rate, device=ear.device)
        windows = _windows(sound, ear.longest)  # [N, windows, time]
        alone = windows.flatten(0, 1)  # [N * windows, time]
        heard = torch.cat(devices.in_parts(lambda part: ear.hear(alone[part]), len(alone), at_once=ear.at_once()))
        return normalize(heard.unflatten(0, windows.shape[:2]).mean(dim=1, keepdim=True), dim=-1)  # [N, 1, dim]

    @torch.inference_mode()
    def describe(self, texts: Sequence[str]) -> Tensor:
        """Where descriptions lie among the songs: float32 [M, dim] of unit length; the cosine to `encode` is the fit.

        Raises ValueError for no text, a blank or too long one, or a folder without a tokenizer.
        """
        return self._prepared().read(texts)

    def _prepared(self) -> _Ear:
        if self._ear is None:
            raise RuntimeError("Clap: expected to be prepared: call prepare(device) before encode or describe")
        return self._ear


class _Ear:
    """One loaded model on one device."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        extractor = _extractor(folder)
        model = _loaded(folder)
        self.device = device
        self.dim = int(model.config.projection_dim)
        self.sample_rate = int(extractor.sampling_rate)
        self.shortest, self._hop = int(extractor.fft_window_size), int(extractor.hop_length)
        self.longest = int(extractor.max_length_s * extractor.sampling_rate)  # samples of a window
        self._folder = folder
        self._tokenizer: Any = None
        self._number_type = devices.number_type(device)
        bank = torch.from_numpy(extractor.mel_filters_slaney)
        self._mel_bank = bank.to(device, torch.float32)  # [bins, mels]
        self._window = torch.hann_window(self.shortest, device=device)
        self._model: Any = nn.Module.to(model, device, self._number_type)
        # Decibels down to -100 are too coarse in bfloat16: the norm that they go through first stays in float32.
        encoder: Any = self._model.audio_model.audio_encoder
        self._norm = encoder.batch_norm.float()
        encoder.batch_norm = nn.Identity()

    @property
    def bytes_per_window(self) -> int:
        """About what hearing takes for each window: its spectrum, and the first stage of the transformer."""
        config = self._model.config.audio_config
        patches = (config.spec_size // config.patch_stride[0]) * (config.spec_size // config.patch_stride[1])
        bins = self._mel_bank.shape[0] * (self.longest // self._hop + 1)
        stage = int(patches) * int(config.patch_embeds_hidden_size) * self._number_type.itemsize
        return BYTES_PER_BIN * bins + WIDTHS_HELD * stage

    def at_once(self) -> int:
        """How many windows are heard together."""
        fit = int(MEMORY_SHARE * devices.free_memory(self.device)) // self.bytes_per_window
        return max(1, min(fit, MOST_AT_ONCE.get(self.device.type, MOST_AT_ONCE["cpu"])))

    def hear(self, sound: Tensor) -> Tensor:
        """Embeddings of unit length, float32 [n, dim] of windows [n, time]."""
        mel = self.spectrogram(repeated(sound, self.longest))[:, None]  # [n, 1, frames, mels]
        normed = self._norm(mel.transpose(1, 3)).transpose(1, 3).to(self._number_type)
        heard = self._model.audio_projection(self._model.audio_model(input_features=normed).pooler_output)
        return normalize(heard.float(), dim=-1)

    def spectrogram(self, sound: Tensor) -> Tensor:
        """Mel spectrogram in decibels, float32 [n, frames, mels] of [n, time]: as transformers', but on the device."""
        spectrum = torch.stft(sound, self.shortest, self._hop, window=self._window, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()  # [n, bins, frames]
        mel = power.transpose(1, 2) @ self._mel_bank  # [n, frames, mels]
        return 10 * torch.log10(mel.clamp_min(MEL_FLOOR))

    def read(self, texts: Sequence[str]) -> Tensor:
        """Embeddings of unit length, float32 [M, dim]."""
        if isinstance(texts, str) or not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise ValueError(f"Clap: expected at least one text, and none blank, got {texts!r:.100}")
        if self._tokenizer is None:
            self._tokenizer = _tokenizer(self._folder)
        tokens = self._tokenizer(list(texts), padding=True, return_tensors="pt")
        config = self._model.config.text_config
        most = config.max_position_embeddings - config.pad_token_id - 1  # positions are counted from the pad's on
        if tokens["input_ids"].shape[1] > most:
            raise ValueError(f"Clap: expected texts of at most {most} tokens, got {tokens['input_ids'].shape[1]}")
        ids, mask = tokens["input_ids"].to(self.device), tokens["attention_mask"].to(self.device)
        read = self._model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output
        return normalize(read.float(), dim=-1)


def repeated(sound: Tensor, length: int) -> Tensor:
    """[n, length] of [n, time]: as many times over as fit wholly, then silence."""
    sound = sound.repeat(1, length // sound.shape[-1])
    return pad(sound, (0, length - sound.shape[-1]))


def _windows(sound: Tensor, length: int) -> Tensor:
    """[N, windows, time] of [N, time]: windows of `length`, the last at the very end; a shorter sound is one."""
    time = sound.shape[-1]
    if time <= length:
        return sound[:, None]
    starts = [*range(0, time - length, length), time - length]
    return torch.stack([sound[:, start : start + length] for start in starts], dim=1)


def _extractor(folder: Path) -> ClapFeatureExtractor:
    """How the sound is to be seen. Raises ValueError for what is not there or not of an unfused model."""
    with folders.told(folder, "CLAP's preprocessor_config.json"):
        extractor = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
    found = (extractor.truncation, extractor.padding, extractor.top_db)
    if found != ("rand_trunc", "repeatpad", None):
        raise ValueError(
            f"{folder / 'preprocessor_config.json'}: expected truncation rand_trunc, padding repeatpad and no top_db, "
            f"as of a CLAP without fusion, got {found}"
        )
    return extractor


def _loaded(folder: Path) -> ClapModel:
    """Both towers, in float32 on the CPU. Raises ValueError for a folder that is not exactly one CLAP."""
    path, settings = folder / "config.json", folders.settings(folder)
    sound = settings.get("audio_config")
    kind, fused = settings.get("model_type"), isinstance(sound, dict) and sound.get("enable_fusion", False)
    if kind != "clap" or fused:
        raise ValueError(f"{path}: expected model_type 'clap' without fusion, got {kind!r}, enable_fusion {fused}")
    with folders.told(folder, folders.ARCHITECTURE), folders.quiet(), seeding.seeded(0):
        # Seeded because what is missing is drawn at random, before it can be refused.
        loaded: Any = ClapModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    model, found = loaded
    folders.check_loaded(folder, found, computed=_CONSTANTS)
    folders.refuse(folder, {"not finite": folders.not_finite(dict(model.named_parameters()))})
    whole: ClapModel = model.eval().requires_grad_(False)
    return whole


def _tokenizer(folder: Path) -> Any:
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):  # transformers would make an empty one
        raise ValueError(f"{folder}: expected CLAP's tokenizer beside its weights ({' or '.join(TOKENIZER_FILES)})")
    with folders.told(folder, "CLAP's tokenizer beside its weights"):
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
