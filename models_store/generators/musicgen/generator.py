"""`musicgen`: text to music by a language model over the codes of a neural codec.

Copet et al. 2023, "Simple and Controllable Music Generation" (arXiv:2306.05284); the weights are facebook's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models_store import devices, instruments, weights
from models_store.audio import Audio
from models_store.generators import checking
from models_store.generators.base import Genomes, MusicGenerator
from models_store.generators.musicgen import loading, windows
from models_store.generators.musicgen.codec import Codec
from models_store.generators.musicgen.decoding import Decoder, Sampling
from models_store.generators.musicgen.text import Conditioner, Reading, TextEncoder
from models_store.generators.text_tokens import EncodedPrompts, TextTokens
from models_store.instruments import EVERY_KIND, GenomeKind

DEFAULT_MODEL = "facebook/musicgen-small"
DEFAULT_SAMPLE_RATE = 32_000
"""Hz, of all published models."""

WINDOW_SECONDS = 30.0
"""What the models were trained on, where a folder does not say."""

MEMORY_SHARE = 0.7
"""How much of the free memory one decode may take by its own estimate."""


class MusicGen(MusicGenerator):
    """Any facebook/musicgen-small, -medium, -large, -stereo-*, and -melody (by text alone, without a melody).

    model: a name on the hub or a folder; None: facebook/musicgen-small.
    input_type: what a tensor of genomes is: "token_embeddings" (T5's input embeddings) or "embeddings" (T5's output),
        float [N, tokens, 768]; prompts are played whatever it is, and with "text" nothing else is. Positions at the end
        that are exactly the padding token's embedding, or exactly zero, are not attended to; at least one is.
    guidance: classifier-free, 1 to 1000; 1 is none. temperature: 0.001 or more. top_k: 0 is all.
    greedy: the likeliest code always, so that seeds make no difference.

    Longer than 30 s is played in continued windows. Computes in bfloat16 on a GPU that has it, the text encoder and
    the codec in float32. Raises ValueError for parameters out of range.
    """

    name: ClassVar[str] = "musicgen"
    genome_kinds: ClassVar[frozenset[GenomeKind]] = EVERY_KIND
    licence: ClassVar[str] = "CC-BY-NC 4.0"  # of the published weights: not for commercial use
    longest_seconds = 300.0

    def __init__(
        self,
        *,
        model: str | None = None,
        input_type: str = "text",
        guidance: float = 3.0,
        temperature: float = 1.0,
        top_k: int = 250,
        greedy: bool = False,
    ) -> None:
        kinds: tuple[GenomeKind, ...] = ("text", "token_embeddings", "embeddings")
        found = next((kind for kind in kinds if kind == input_type), None)
        if found is None:
            raise ValueError(f"musicgen: input_type: expected {', '.join(kinds)}, got {input_type!r}")
        self._model = model or DEFAULT_MODEL
        self._tensors_are: GenomeKind = found
        self._sampling = Sampling(guidance=guidance, temperature=temperature, top_k=top_k, greedy=greedy)
        self.sample_rate = DEFAULT_SAMPLE_RATE
        self._player: _Player | None = None
        self._one_at_a_time = Lock()  # the decoder keeps its tensors from one call to the next

    def prepare(self, device: torch.device | str = "cpu") -> None:
        """Load the weights to `device`. Raises ValueError (MissingWeightsError when they are not here)."""
        device = torch.device(device)
        if self._player is not None and self._player.device == device:
            return
        folder = _folder(self._model)
        self.release()
        self._player = _Player(folder, device)
        self.sample_rate = self._player.codec.sample_rate

    def release(self) -> None:
        if self._player is not None:
            self._player.decoder.release()
        self._player = None
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    @torch.no_grad()
    def generate(self, genomes: Genomes, *, seconds: float, seeds: Sequence[int]) -> Audio:
        """Audio [N, 1 or 2, round(seconds * sample_rate)] on the device; see MusicGenerator.

        Raises RuntimeError before `prepare`.
        """
        if self._player is None:
            raise RuntimeError("musicgen: expected to be prepared: call prepare(device) before generate")
        checking.check_length(self.name, seconds, self.longest_seconds, sample_rate=self.sample_rate)
        reading = self._player.conditioner.read(genomes, tensors_are=self._tensors_are)
        checking.check_seeds(self.name, seeds, len(reading))
        samples = round(seconds * self.sample_rate)
        with self._one_at_a_time:
            return Audio(self._player.play(reading, samples, seeds, self._sampling), self.sample_rate)


class _Player:
    """One loaded model on one device."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        model: Any = loading.read(folder)
        config = model.config
        self.device = device
        tokens = loading.tokens(folder, model.text_encoder.shared.weight, pad_id=config.text_encoder.pad_token_id or 0)
        channels = int(config.decoder.audio_channels)
        _check_codes(folder, config, channels=channels)
        self.codec = Codec(model.audio_encoder, channels=channels, device=device)
        # The decoder keeps views of its weights: they have to be where they stay.
        self.decoder = Decoder(model.decoder.to(device, devices.number_type(device)))
        projection = getattr(model, "enc_to_dec_proj", nn.Identity()).to(device, torch.float32)
        self.conditioner = Conditioner(
            MusicGen.name,
            tokens,
            TextEncoder(model.text_encoder, device=device),
            projection,
            in_front=_silence(model, device),
        )
        self._window = _window(model, self.codec)

    def play(self, reading: Reading, samples: int, seeds: Sequence[int], sampling: Sampling) -> Tensor:
        """float32 [N, channels, samples]."""
        frames = self.codec.frames(samples)

        def decode(part: slice) -> Tensor:
            condition = self.conditioner.condition(reading, part)
            return windows.decode(
                self.decoder,
                condition,
                frames=frames,
                longest=self._window,
                seeds=seeds[part],
                sampling=sampling,
            )

        at_once = self._at_once(reading, frames)
        if reading.kind != "text" and at_once < len(reading):
            # What cannot be played is refused before minutes go into what comes before it.
            devices.in_parts(partial(self.conditioner.check, reading), len(reading), at_once=at_once)
        codes = devices.in_parts(decode, len(reading), at_once=at_once)
        if not codes:
            return torch.zeros(0, self.codec.channels, samples, device=self.device)
        if self.codec.bytes_wanted(len(reading), frames) > devices.free_memory(self.device):
            self.decoder.release()
        return self.codec.decode(torch.cat(codes), samples=samples)

    def _at_once(self, reading: Reading, frames: int) -> int:
        """How many pieces are decoded together: parts of one size, so that what the decoder keeps fits again."""
        each = self.decoder.bytes_per_item(frames=min(frames, self._window), tokens=self.conditioner.positions(reading))
        free = devices.free_memory(self.device) + self.decoder.held_bytes
        parts = -(-len(reading) // max(1, int(MEMORY_SHARE * free) // each))
        return -(-len(reading) // max(1, parts))


def vocabulary(model: str | None = None) -> TextTokens:
    """The tokens of a model and their embeddings, float32 [32128, 768]: read without the model.

    model: a name on the hub or a folder; None: facebook/musicgen-small. Raises ValueError as `MusicGen.prepare`.
    """
    return loading.vocabulary(_folder(model or DEFAULT_MODEL))


def encoded_prompts(model: str | None = None, device: torch.device | str = "cpu") -> EncodedPrompts:
    """What a model's text encoder makes of prompts, float32 [N, length, 768]: without its decoder and codec.

    model: as `vocabulary`; device: where the text encoder runs.
    """
    folder = _folder(model or DEFAULT_MODEL)
    encoder = TextEncoder(loading.text_encoder(folder), device=torch.device(device))
    return EncodedPrompts(loading.vocabulary(folder), encoder.encode_tokens)


def _folder(model: str) -> Path:
    entry = instruments.find("generator", MusicGen.name)
    return weights.locate(model, entry.weights if entry else ())


def _silence(model: Any, device: torch.device) -> Tensor | None:
    """What the melody variant hears in front of a text when there is no melody, [frames, hidden]; None for others.

    As in transformers: the first pitch class over and over, projected.
    """
    if model.config.model_type != "musicgen_melody":
        return None
    chroma = torch.zeros(model.config.chroma_length, model.config.num_chroma)
    chroma[:, 0] = 1.0
    projection = getattr(model, "audio_enc_to_dec_proj", nn.Identity())
    with torch.no_grad():
        heard: Tensor = projection(chroma).to(device)
    return heard


def _window(model: Any, codec: Codec) -> int:
    """Frames that the model decodes at once: what its generation_config.json says (`max_length`), at most 30 s.

    The steps that later codebooks are late by come on top, as they did in training (audiocraft).
    """
    said = getattr(model.generation_config, "max_length", None)
    longest = math.ceil(WINDOW_SECONDS * codec.sample_rate / codec.hop)
    return int(said) if isinstance(said, int) and 1 < said <= longest else longest


def _check_codes(folder: Path, config: Any, *, channels: int) -> None:
    """Raise ValueError unless the codec knows every code that the decoder can make."""
    wanted = (config.decoder.num_codebooks, config.decoder.vocab_size)
    known = (config.audio_encoder.num_quantizers * channels, config.audio_encoder.codebook_size)
    if wanted[0] % channels or wanted[0] > known[0] or wanted[1] > known[1]:
        raise ValueError(
            f"{folder}: expected a decoder of at most {known[0]} codebooks of {known[1]} codes, which its codec has, "
            f"got {wanted[0]} of {wanted[1]}"
        )
