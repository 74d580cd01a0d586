"""`musicldm`, `audioldm2`, `stable-audio`, `stable-audio-3`, `ace-step`: diffusers' text-to-music pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import diffusers
import torch
from torch import Tensor

from models_store import devices, folders, weights
from models_store.audio import Audio
from models_store.generators import checking
from models_store.generators.base import Genomes, MusicGenerator, PromptSpace
from models_store.generators.diffusion import families, loading
from models_store.generators.diffusion.families import Family
from models_store.generators.diffusion.playing import Player, Request
from models_store.generators.diffusion.reading import Reader
from models_store.generators.diffusion.spectrograms import AudioLdm2, MusicLdm
from models_store.generators.diffusion.waveforms import AceStep, StableAudio, StableAudio3
from models_store.generators.text_tokens import TextTokens

PLAYERS: dict[str, type[Player]] = {
    "musicldm": MusicLdm,
    "audioldm2": AudioLdm2,
    "stable-audio": StableAudio,
    "stable-audio-3": StableAudio3,
    "ace-step": AceStep,
}

MOST_STEPS = 1000
MOST_GUIDANCE = 100.0


class DiffusionGenerator(MusicGenerator):
    """One of the diffusion families (families.py says what each can).

    An item's sound depends on (genome, seed, seconds) alone: every random number is drawn on the CPU from the item's
    own generator, and nothing is padded to the longest of a batch where a network would hear it.

    token_embeddings: float [N, tokens, dim], input embeddings of the text encoder, an end token among them; trailing
        positions that are exactly the padding's embedding are masked.
    embeddings: what the text encoder makes of them: [N, tokens, dim], trailing zeros masked (stable-audio: T5, at most
        128 x 768; stable-audio-3: T5Gemma, at most 256 x 768), or [N, 1, 512] (musicldm: CLAP's direction).
    """

    def __init__(
        self,
        family: str,
        *,
        model: str | None = None,
        input_type: str = "text",
        inference_steps: int | None = None,
        guidance: float | None = None,
    ) -> None:
        """family: its name. model: a name on the hub, or a folder in diffusers' format; None: the family's default.

        input_type: what a tensor of genomes is. inference_steps: 1 to 1000; guidance: 1 or less: none, else how far to
        lead away from the empty prompt; None: what the model needs. Raises ValueError for what the family cannot do.
        """
        known = families.find(family)
        self.name = known.name  # type: ignore[misc]
        self.genome_kinds, self.licence = known.genome_kinds, known.entry.licence  # type: ignore[misc]
        if input_type not in known.genome_kinds:
            can = " or ".join(sorted(known.genome_kinds))
            raise ValueError(f"{known.name}: expected input_type {can}, which it plays, got {input_type!r}")
        _check_settings(known.name, inference_steps, guidance)
        self.sample_rate, self.longest_seconds = known.sample_rate, known.longest_seconds
        self._family, self._model, self._input_type = known, model, input_type
        self._steps, self._guidance = inference_steps, guidance
        self._player: Player | None = None
        # A pipeline keeps the state of its scheduler: one batch at a time.
        self._lock = Lock()

    def prepare(self, device: torch.device | str = "cpu") -> None:
        """Load the weights to `device`. Raises ValueError (MissingWeightsError when they are not here)."""
        device = torch.device(device)
        if self._player is not None and self._player.device == device:
            return
        self._player = None
        folder = locate(self._family, self._model)
        player = _load(self._family, folder, device)
        player.settings(self._steps, self._guidance)
        self._player = player

    def release(self) -> None:
        self._player = None
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def generate(self, genomes: Genomes, *, seconds: float, seeds: Sequence[int]) -> Audio:
        """Audio [N, channels, round(seconds * sample_rate)] on the device that was prepared; see MusicGenerator.

        Raises RuntimeError before `prepare`.
        """
        checking.check_length(self.name, seconds, self.longest_seconds, sample_rate=self.sample_rate)
        checking.check_seeds(self.name, seeds, len(genomes))
        self._check_kind(genomes)
        player = self._player
        if player is None:
            raise RuntimeError(f"{self.name}: expected to be prepared: call prepare(device) before generate")
        samples = max(1, round(seconds * self.sample_rate))
        steps, guidance = player.settings(self._steps, self._guidance)
        request = Request(genomes, self._input_type, float(seconds), samples, steps, guidance)
        if not len(genomes):
            return Audio(torch.zeros(0, self._family.channels, samples, device=player.device), self.sample_rate)
        with self._lock:
            sound = player.play(player.hear(request), request, seeds)
        return Audio(sound, self.sample_rate)

    def _check_kind(self, genomes: Genomes) -> None:
        if isinstance(genomes, Tensor) and self._input_type == "text":
            can = " or ".join(sorted(self.genome_kinds))
            raise ValueError(
                f"{self.name}: expected prompts, for input_type is text, got a tensor {tuple(genomes.shape)}; "
                f"it plays {can}"
            )


def vocabulary(family: str, model: str | None = None) -> TextTokens:
    """The tokens of a family's text encoder and their embeddings; only that part is loaded.

    Raises ValueError for a family that plays no token embeddings, and as `prepare`.
    """
    return _reader(family, model, "token_embeddings").vocabulary()


def encoded_prompts(family: str, model: str | None = None) -> PromptSpace:
    """Prompts as a family's text encoder gives them; as `vocabulary`."""
    return _reader(family, model, "embeddings").prompt_space()


def locate(family: Family, model: str | None) -> Path:
    """The folder of a model; None: the family's default. Raises weights.MissingWeightsError."""
    return weights.locate(model or family.entry.weights[0].model, family.entry.weights)


def _reader(name: str, model: str | None, kind: str) -> Reader:
    family = families.find(name)
    if kind not in family.genome_kinds:
        raise ValueError(f"{name}: expected {' or '.join(sorted(family.genome_kinds))}, which it plays, got {kind}")
    player, folder = PLAYERS[name], locate(family, model)
    parts = [one for one in player.parts if one.name in player.text_parts]
    loading.check_index(folder, family, parts)
    return player.reader(name, loading.read(folder, parts, torch.float32))


def _load(family: Family, folder: Path, device: torch.device) -> Player:
    kind, number_type = PLAYERS[family.name], devices.number_type(device)
    loading.check_index(folder, family, kind.parts)
    scheduler = loading.read_scheduler(folder, kind.schedulers, number_type)
    parts: dict[str, Any] = loading.read(folder, kind.parts, number_type)
    for part in parts.values():
        if isinstance(part, torch.nn.Module):
            part.to(device)

    with folders.told(folder, f"parts that make a {family.pipeline}"):
        pipe = getattr(diffusers, family.pipeline)(scheduler=scheduler, **parts, **dict.fromkeys(kind.absent))
        pipe.set_progress_bar_config(disable=True)
        return kind(family, pipe, device=device, number_type=number_type)


def _check_settings(name: str, steps: int | None, guidance: float | None) -> None:
    whole = isinstance(steps, int) and not isinstance(steps, bool)
    if steps is not None and not (whole and 1 <= steps <= MOST_STEPS):
        raise ValueError(f"{name}: expected inference_steps from 1 to {MOST_STEPS}, got {steps!r}")
    number = isinstance(guidance, int | float) and not isinstance(guidance, bool)
    if guidance is not None and not (number and 0.0 <= guidance <= MOST_GUIDANCE):
        raise ValueError(f"{name}: expected guidance from 0 to {MOST_GUIDANCE:g}, got {guidance!r}")
