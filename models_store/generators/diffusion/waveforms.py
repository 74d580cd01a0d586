"""Stable Audio Open, Stable Audio 3 and ACE-Step: latents of the waveform itself, stereo."""

from __future__ import annotations

import math
from typing import Any

import torch
from diffusers import (
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    AutoencoderSAME,
    StableAudio3DiTModel,
    StableAudioDiTModel,
    StableAudioProjectionModel,
)
from diffusers.pipelines.ace_step import AceStepConditionEncoder
from diffusers.pipelines.stable_audio_3.modeling_stable_audio_3 import StableAudio3DurationEmbedder
from torch import Tensor
from transformers import (
    GemmaTokenizer,
    Qwen2Tokenizer,
    Qwen3Model,
    T5EncoderModel,
    T5GemmaEncoderModel,
    T5Tokenizer,
)

from models_store.generators import checking
from models_store.generators.diffusion.families import Family
from models_store.generators.diffusion.loading import part, tokenizer
from models_store.generators.diffusion.playing import DECODED, Condition, Player, Request
from models_store.generators.diffusion.reading import Reader, prompts_of, rows_of

ACE_STEP_LYRICS = "[Instrumental]"
"""What ACE-Step is told to sing: nothing."""

ACE_STEP_TOKENS = 256
"""Of a prompt with the form that it is put in; the pipeline cuts off what is more."""

ACE_STEP_BASE = (50, 7.0)
"""Steps and guidance of the models that are not distilled: the release notes of ACE-Step 1.5 v0.1.6, diffusers'
documentation."""

STABLE_AUDIO_3_BASE_STEPS = 100

SAME_TILE = 128
"""Latents of Stable Audio 3 that are decoded together, 11.9 s."""

ACE_STEP_LOUDNESS = 10 ** (-1.0 / 20.0)
"""Peak of a piece, -1 dB of full scale, as the pipeline sets it."""


class _OobleckPlayer(Player):
    """What Stable Audio Open and ACE-Step have in common: their autoencoder."""

    def __init__(self, family: Family, pipe: Any, *, device: torch.device, number_type: torch.dtype) -> None:
        super().__init__(family, pipe, device=device, number_type=number_type)
        _check_rate(family, pipe.vae)
        self._hop = int(math.prod(pipe.vae.config.downsampling_ratios))
        # Tiles of 512 latents, 64 of them shared with each neighbour, more than `reach`: the same sound, and a long
        # piece takes no more memory than one of 512.
        pipe.vae.enable_tiling()

    def decoded_bytes(self, request: Request) -> int:
        latents = min(self.frames(request.seconds, self._hop), int(self.pipe.vae.tile_latent_min_length))
        width = int(self.pipe.vae.config.decoder_channels)
        return 6 * width * latents * self._hop * DECODED.itemsize


class StableAudio(_OobleckPlayer):
    """T5 reads the prompt; 47.6 s of latents are always made, and the beginning of them is decoded."""

    parts = (
        part("vae", AutoencoderOobleck),
        part("text_encoder", T5EncoderModel),
        part("projection_model", StableAudioProjectionModel),
        tokenizer("tokenizer", T5Tokenizer),
        part("transformer", StableAudioDiTModel),
    )
    text_parts = ("text_encoder", "tokenizer")
    schedulers = ("CosineDPMSolverMultistepScheduler",)

    def __init__(self, family: Family, pipe: Any, *, device: torch.device, number_type: torch.dtype) -> None:
        super().__init__(family, pipe, device=device, number_type=number_type)
        self._reader = self.reader(family.name, {"text_encoder": pipe.text_encoder, "tokenizer": pipe.tokenizer})
        self._window = int(pipe.transformer.config.sample_size)
        longest = self._window * self._hop / family.sample_rate
        if longest < family.longest_seconds:
            raise ValueError(f"transformer: expected to make {family.longest_seconds} s, got {longest:.2f}")

    @classmethod
    def reader(cls, name: str, parts: dict[str, Any]) -> Reader:
        return Reader(name, parts["tokenizer"], parts["text_encoder"], most_tokens=128)

    def hear(self, request: Request) -> Condition:
        heard = self._reader.hear(request.genomes, request.input_type)
        arguments: dict[str, Tensor | list[str]] = {"prompt_embeds": heard.states, "attention_mask": heard.mask.long()}
        return Condition(arguments, (0,) * len(heard.mask))

    def latent_channels(self) -> int:
        return int(self.pipe.transformer.config.in_channels)

    def latent_shape(self, request: Request) -> tuple[int, ...]:  # noqa: ARG002
        return self.latent_channels(), self._window

    def length(self, request: Request) -> dict[str, float]:
        return {"audio_end_in_s": request.seconds}

    def beginning(self, latents: Tensor, request: Request) -> Tensor:
        """Of what is heard, and after it what reaches into it."""
        return latents[..., : self.frames(request.seconds, self._hop) + reach(self.pipe.vae)]

    def sound(self, latents: Tensor) -> Tensor:
        played: Tensor = self.pipe.vae.decode(latents, return_dict=False)[0]
        return played

    def widest(self) -> int:
        config = self.pipe.transformer.config
        return int(24 * config.num_attention_heads * config.attention_head_dim)


class StableAudio3(Player):
    """T5Gemma reads the prompt; positions without a token are replaced by a learned one, so that there are always
    256. Distilled models draw new noise at every step, each item from its own generator."""

    parts = (
        part("vae", AutoencoderSAME, exact=True),
        part("text_encoder", T5GemmaEncoderModel),
        tokenizer("tokenizer", GemmaTokenizer),
        part("duration_embedder", StableAudio3DurationEmbedder, exact=True),
        part("transformer", StableAudio3DiTModel, exact=True),
    )
    text_parts = ("text_encoder", "tokenizer")
    schedulers = ("FlowMatchEulerDiscreteScheduler",)

    def __init__(self, family: Family, pipe: Any, *, device: torch.device, number_type: torch.dtype) -> None:
        super().__init__(family, pipe, device=device, number_type=number_type)
        _check_rate(family, pipe.vae)
        self._reader = self.reader(family.name, {"text_encoder": pipe.text_encoder, "tokenizer": pipe.tokenizer})
        self._hop = int(pipe.vae.downsampling_ratio)
        config = pipe.vae.config
        self._reach = int(config.sliding_window * sum(config.encoder_transformer_depths)) + 1

    @classmethod
    def reader(cls, name: str, parts: dict[str, Any]) -> Reader:
        return Reader(name, parts["tokenizer"], parts["text_encoder"], most_tokens=256)

    def hear(self, request: Request) -> Condition:
        heard = self._reader.hear(request.genomes, request.input_type)
        arguments: dict[str, Tensor | list[str]] = {
            "prompt_embeds": heard.states,
            "encoder_attention_mask": heard.mask.long(),
        }
        if request.guidance > 1.0:
            # Read here, not by the pipeline, whose tokenizer may put the padding elsewhere.
            nothing = self._reader.prompts([""])
            arguments["negative_prompt_embeds"] = nothing.states.expand_as(heard.states)
            arguments["negative_encoder_attention_mask"] = nothing.mask.long().expand_as(heard.mask)
        return Condition(arguments, (0,) * len(heard.mask))

    def settings(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        distilled = bool(self.pipe.scheduler.config.stochastic_sampling)
        return super().settings(steps or (self.family.steps if distilled else STABLE_AUDIO_3_BASE_STEPS), guidance)

    def latent_channels(self) -> int:
        return int(self.pipe.vae.config.latent_dim)

    def latent_shape(self, request: Request) -> tuple[int, ...]:
        return self.latent_channels(), self.frames(request.seconds, self._hop)

    def length(self, request: Request) -> dict[str, float]:
        return {"duration": max(request.seconds, self.family.shortest_seconds)}

    def sound(self, latents: Tensor) -> Tensor:
        """In tiles: the decoder's attention sees its neighbours only, but its mask is of all pairs."""
        total, played = latents.shape[-1], []
        for start in range(0, total, SAME_TILE):
            first, end = max(0, start - self._reach), min(start + SAME_TILE, total)
            tile = self.pipe.vae.decode(latents[..., first : min(end + self._reach, total)]).sample
            played.append(tile[..., (start - first) * self._hop : (end - first) * self._hop])
        return torch.cat(played, dim=-1).clamp(-1.0, 1.0)

    def widest(self) -> int:
        return 24 * int(self.pipe.transformer.config.embed_dim)

    def decoded_bytes(self, request: Request) -> int:
        config, latents = self.pipe.vae.config, self.frames(request.seconds, self._hop)
        patches = min(latents, SAME_TILE + 2 * self._reach) * self._hop // int(config.patch_size)
        width = int(config.encoder_channels) * int(max(config.encoder_c_mults))
        whole = 4 * self.family.channels * latents * self._hop
        return (24 * width * patches + patches**2 + whole) * DECODED.itemsize


class AceStep(_OobleckPlayer):
    """Qwen3 reads the prompt in a form with the length in it; the lyrics say that nobody sings. Text only: the
    pipeline takes no embeddings."""

    parts = (
        part("vae", AutoencoderOobleck),
        part("text_encoder", Qwen3Model),
        tokenizer("tokenizer", Qwen2Tokenizer),
        part("transformer", AceStepTransformer1DModel),
        part("condition_encoder", AceStepConditionEncoder),
    )
    schedulers = ("FlowMatchEulerDiscreteScheduler",)

    def hear(self, request: Request) -> Condition:
        """The network attends to padding: only prompts of one length are played together, so that none is padded."""
        prompts = prompts_of(self.family.name, request.genomes)
        seconds = self.length(request)["audio_duration"]
        # Private, but the only way to know what the pipeline will cut, and diffusers is pinned.
        texts = [self.pipe._format_prompt(prompt, audio_duration=seconds)[0] for prompt in ("", *prompts)]
        form, *lengths = (len(row) for row in rows_of(self.pipe.tokenizer, texts))
        checking.check_tokens(self.family.name, [count - form for count in lengths], ACE_STEP_TOKENS - form)
        return Condition({"prompt": prompts, "lyrics": [ACE_STEP_LYRICS] * len(prompts)}, tuple(lengths))

    def settings(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        if not self.pipe.is_turbo:
            return steps or ACE_STEP_BASE[0], ACE_STEP_BASE[1] if guidance is None else guidance
        if guidance is not None and guidance > 1.0:
            raise ValueError(
                f"{self.family.name}: expected guidance 1 or none for a turbo model, which learned it by heart, "
                f"got {guidance}"
            )
        return super().settings(steps, guidance)

    def latent_channels(self) -> int:
        return int(self.pipe.transformer.config.audio_acoustic_hidden_dim)

    def latent_shape(self, request: Request) -> tuple[int, ...]:
        return math.ceil(self.length(request)["audio_duration"] * self.pipe.latents_per_second), self.latent_channels()

    def length(self, request: Request) -> dict[str, float]:
        return {"audio_duration": max(request.seconds, self.family.shortest_seconds)}

    def sound(self, latents: Tensor) -> Tensor:
        played = self.pipe.vae.decode(latents.transpose(1, 2), return_dict=False)[0].float()  # [n, channels, time]
        peak = played.abs().amax(dim=(1, 2), keepdim=True).clamp_min(1e-6)
        louder: Tensor = played * (ACE_STEP_LOUDNESS / peak)
        return louder

    def widest(self) -> int:
        return 24 * int(self.pipe.transformer.config.hidden_size)


def reach(vae: Any) -> int:
    """How many latents away something can change a sample: the convolutions of the decoder, one after another."""
    taps, rate = 3.0, 1
    for stride in reversed(vae.config.downsampling_ratios):
        taps += 1.0 / rate  # transposed, of twice its stride
        rate *= stride
        taps += 3 * (1 + 3 + 9) / rate  # three residual units of 7 taps, dilated
    return math.ceil(taps + 3.0 / rate) + 1


def _check_rate(family: Family, vae: Any) -> None:
    got = int(vae.config.sampling_rate), int(vae.config.audio_channels)
    if got != (family.sample_rate, family.channels):
        raise ValueError(
            f"vae: expected {family.sample_rate} Hz and {family.channels} channels, got {got[0]} and {got[1]}"
        )
