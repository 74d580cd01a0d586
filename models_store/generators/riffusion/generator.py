"""`riffusion`: a prompt becomes a picture of sound, the picture becomes sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from models_store import devices, instruments, weights
from models_store.audio import Audio
from models_store.generators import checking
from models_store.generators.base import Genomes, MusicGenerator
from models_store.generators.riffusion import loading, spectrogram
from models_store.generators.riffusion.conditioning import Listening
from models_store.generators.riffusion.loading import Model
from models_store.generators.riffusion.painting import Painter
from models_store.generators.riffusion.spectrogram import SAMPLE_RATE, Spectrograms, columns
from models_store.generators.text_tokens import EncodedPrompts, TextTokens, Tokens
from models_store.instruments import EVERY_KIND, GenomeKind

DEFAULT_MODEL = "riffusion/riffusion-model-v1"
DEFAULT_STEPS = 50
DEFAULT_GUIDANCE = 7.0

LONGEST_SECONDS = 20.0
"""Four of the pictures that the model learned from, side by side. It never saw a wider one than a single, and nothing
tells it to keep a piece together over more; attention over a picture costs the square of its width, here 16 times."""

NARROWEST = 512
"""Columns, 5.1 s: the pictures that the model learned from. A shorter piece is the beginning of one."""

_WIDTHS = 64
"""Widths are multiples of this, so that every level of the network halves without a rest, as in training."""

_SOUND_AT_ONCE = {"cuda": 16, "cpu": 1}
"""Pieces that are played together: on a CPU one fills the caches, and more of them take longer each."""

_SOUND_BYTES = 16
"""Of Griffin-Lim, for each sample of its overlapping windows: counted on its tensors."""


@dataclass(frozen=True)
class _Loaded:
    listening: Listening
    painter: Painter
    spectrograms: Spectrograms
    device: torch.device


class Riffusion(MusicGenerator):
    """Stable Diffusion 1.5, tuned on pictures of sound (Forsgren and Martiros 2022): mono, 44.1 kHz, up to 20 s.

    text: prompts of at most 75 tokens (77 with start and end).
    token_embeddings: float [N, 1 to 77, 768], input embeddings of CLIP's text model, the start token first. Shorter
        ones are padded with the padding's embedding, and nothing is masked, as the pipeline does it.
    embeddings: float [N, 1 to 77, 768], what the text model makes of them. Missing positions, and those that are zero
        from there to the end, are as those of an empty prompt: they say nothing.

    The picture is painted by DPM-Solver++ (deterministic) with the noise schedule of the model's folder; the only
    random numbers are the noise it starts from, drawn from the item's seed.
    """

    name: ClassVar[str] = "riffusion"
    genome_kinds: ClassVar[frozenset[GenomeKind]] = EVERY_KIND
    licence: ClassVar[str] = "CreativeML OpenRAIL-M"  # of the default model

    def __init__(
        self,
        *,
        model: str | None = None,
        input_type: str = "text",
        inference_steps: int = DEFAULT_STEPS,
        guidance: float = DEFAULT_GUIDANCE,
    ) -> None:
        """model: a name on the hub, or a folder in diffusers' format; None: riffusion/riffusion-model-v1.

        input_type: what a tensor of genomes is. inference_steps: steps of the solver, 1 to 500; each asks the network
        once. guidance: how far to lead away from the empty prompt, 1 to 100; 1: not at all, at half the work.
        Raises ValueError for others.
        """
        if input_type not in self.genome_kinds:
            raise ValueError(f"{self.name}: expected input_type {' or '.join(sorted(EVERY_KIND))}, got {input_type!r}")
        if isinstance(inference_steps, bool) or not isinstance(inference_steps, int) or not 1 <= inference_steps <= 500:
            raise ValueError(f"{self.name}: expected inference_steps from 1 to 500, got {inference_steps!r}")
        if not 1.0 <= guidance <= 100.0:
            raise ValueError(f"{self.name}: expected guidance from 1 to 100, got {guidance}")
        self.sample_rate, self.longest_seconds = SAMPLE_RATE, LONGEST_SECONDS
        self._model = model or DEFAULT_MODEL
        self._input_type, self._steps, self._guidance = input_type, inference_steps, guidance
        self._loaded: _Loaded | None = None

    def prepare(self, device: torch.device | str = "cpu") -> None:
        """Load the weights to `device`. Raises ValueError (MissingWeightsError when they are not here)."""
        device = torch.device(device)
        if self._loaded is not None and self._loaded.device == device:
            return
        folder = _folder(self._model)
        words, text = loading.tokenizer(folder), loading.text_encoder(folder)
        unet, vae, schedule = loading.unet(folder), loading.autoencoder(folder), loading.noise_schedule(folder)
        try:
            loading.check_fit(words=words, text=text, unet=unet, vae=vae)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from error
        for part in (text, unet, vae):
            _move(part, device)
        listening = Listening(self.name, words, text)
        painter = Painter(unet, vae, schedule, nothing=listening.nothing)
        self._loaded = _Loaded(listening, painter, Spectrograms(device), device)

    def release(self) -> None:
        self._loaded = None
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def generate(self, genomes: Genomes, *, seconds: float, seeds: Sequence[int]) -> Audio:
        """Audio [N, 1, round(seconds * 44100)] on the device that was prepared; see MusicGenerator.

        Raises RuntimeError before `prepare`.
        """
        checking.check_length(self.name, seconds, self.longest_seconds, sample_rate=SAMPLE_RATE)
        loaded = self._prepared()
        self._check(genomes, loaded.listening)
        checking.check_seeds(self.name, seeds, len(genomes))
        samples = max(1, round(seconds * SAMPLE_RATE))
        if not len(genomes):
            return Audio(torch.zeros(0, 1, samples, device=loaded.device), SAMPLE_RATE)
        heard = self._heard(genomes, loaded.listening)
        noise = loaded.painter.noise(seeds, width=_width(samples))
        pictures = loaded.painter.paint(heard, noise, steps=self._steps, guidance=self._guidance)

        def play(part: slice) -> Tensor:
            return loaded.spectrograms.sound(pictures[part], samples=samples)

        sound = torch.cat(devices.in_parts(play, len(pictures), at_once=_played_at_once(samples, loaded.device)))
        return Audio(sound[:, None], SAMPLE_RATE)

    def _prepared(self) -> _Loaded:
        if self._loaded is None:
            raise RuntimeError(f"{self.name}: expected to be prepared: call prepare(device) before generate")
        return self._loaded

    def _check(self, genomes: Genomes, listening: Listening) -> None:
        """Raises ValueError for genomes of another kind, shape or with numbers that are not finite."""
        if not isinstance(genomes, Tensor):
            checking.check_prompts(self.name, genomes)
        elif self._input_type == "text":
            raise ValueError(
                f"{self.name}: expected prompts, got a tensor of shape {tuple(genomes.shape)}; "
                "what tensors mean is told by input_type: token_embeddings or embeddings"
            )
        else:
            checking.check_embeddings(self.name, genomes, dim=listening.dim, most_tokens=listening.tokens)

    def _heard(self, genomes: Genomes, listening: Listening) -> Tensor:
        """[N, 77, dim]. Raises ValueError for a prompt of too many tokens."""
        if not isinstance(genomes, Tensor):
            return listening.prompts(genomes)
        if self._input_type == "token_embeddings":
            return listening.token_embeddings(genomes)
        return listening.embeddings(genomes)


class ClipTokens(TextTokens):
    """CLIP's tokens; no genome is longer than what CLIP reads. most_tokens: 77."""

    def __init__(self, tokenizer: Model, embeddings: Tensor, *, most_tokens: int) -> None:
        super().__init__(tokenizer, embeddings, pad_id=int(tokenizer.pad_token_id))
        self.most_tokens = most_tokens

    def padded(self, prompts: Sequence[str], *, length: int) -> Tokens:
        """As TextTokens has it, with nothing masked: Stable Diffusion hears the padding too."""
        if length > self.most_tokens:
            raise ValueError(f"length: expected at most {self.most_tokens} tokens, got {length}")
        ids = super().padded(prompts, length=length).ids
        return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))


def vocabulary(model: str | None = None) -> ClipTokens:
    """The tokens of the model's text encoder and their input embeddings. Loads the text side only."""
    folder = _folder(model or DEFAULT_MODEL)
    return _tokens(loading.tokenizer(folder), loading.text_encoder(folder))


def encoded_prompts(model: str | None = None, device: torch.device | str = "cpu") -> EncodedPrompts:
    """What the model's text encoder makes of prompts, padding included. Loads the text side only."""
    folder = _folder(model or DEFAULT_MODEL)
    words, text = loading.tokenizer(folder), loading.text_encoder(folder)
    _move(text, torch.device(device))

    @torch.no_grad()
    def encode(ids: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG001 - nothing is masked
        encoded: Tensor = text(ids.to(device)).last_hidden_state
        return encoded

    return EncodedPrompts(_tokens(words, text), encode)


def _tokens(words: Model, text: Model) -> ClipTokens:
    table = text.embeddings.token_embedding.weight.detach().to("cpu", torch.float32, copy=True)
    return ClipTokens(words, table, most_tokens=int(text.config.max_position_embeddings))


def _folder(model: str) -> Path:
    entry = instruments.find("generator", Riffusion.name)
    return weights.locate(model, entry.weights if entry else ())


def _move(part: Model, device: torch.device) -> None:
    """To the device, in its number type, and as its convolutions are fastest."""
    # Module's own: diffusers' warns, whatever the model, of modules that should stay in float32.
    torch.nn.Module.to(part, device=device, dtype=devices.number_type(device))
    if device.type == "cuda":
        part.to(memory_format=torch.channels_last)


def _width(samples: int) -> int:
    """Columns of the picture that is painted for so many samples."""
    return max(NARROWEST, -(-columns(samples) // _WIDTHS) * _WIDTHS)


def _played_at_once(samples: int, device: torch.device) -> int:
    """Pieces that are played together."""
    each = _SOUND_BYTES * columns(samples) * spectrogram.TRANSFORM
    most = _SOUND_AT_ONCE.get(device.type, 1)
    return max(1, min(most, int(devices.free_memory(device) / 2 / each)))
