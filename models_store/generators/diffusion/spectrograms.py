"""MusicLDM and AudioLDM 2: latents of a mel spectrogram, a vocoder makes it sound. 16 kHz, mono."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import AudioLDM2ProjectionModel, AudioLDM2UNet2DConditionModel, AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from torch.nn.functional import pad
from transformers import (
    ClapModel,
    GPT2LMHeadModel,
    RobertaTokenizer,
    SpeechT5HifiGan,
    T5EncoderModel,
    T5Tokenizer,
)

from models_store import devices
from models_store.generators import checking
from models_store.generators.diffusion.families import Family
from models_store.generators.diffusion.loading import part, tokenizer
from models_store.generators.diffusion.playing import DECODED, Condition, Player, Request
from models_store.generators.diffusion.reading import AT_ONCE, Reader, SentenceReader, prompts_of, rows_of

MOST_CLAP_TOKENS = 512
MOST_T5_TOKENS = 512


class _SpectrogramPlayer(Player):
    """What both have in common."""

    absent = ("feature_extractor",)
    schedulers = ("DDIMScheduler", "PNDMScheduler")

    def __init__(self, family: Family, pipe: Any, *, device: torch.device, number_type: torch.dtype) -> None:
        super().__init__(family, pipe, device=device, number_type=number_type)
        vocoder = pipe.vocoder.config
        if vocoder.sampling_rate != family.sample_rate:
            raise ValueError(f"vocoder: expected {family.sample_rate} Hz, got {vocoder.sampling_rate}")
        self._scale = int(pipe.vae_scale_factor)
        self._hop = math.prod(vocoder.upsample_rates) * self._scale
        self._bands = int(vocoder.model_in_dim)
        if self._bands % self._scale:
            raise ValueError(f"vocoder: expected bands that {self._scale} divides, got {self._bands}")

    def latent_channels(self) -> int:
        return int(self.pipe.unet.config.in_channels)

    def latent_shape(self, request: Request) -> tuple[int, ...]:
        return self.latent_channels(), self.frames(request.seconds, self._hop), self._bands // self._scale

    def length(self, request: Request) -> dict[str, float]:
        return {"audio_length_in_s": self.frames(request.seconds, self._hop) * self._hop / self.family.sample_rate}

    def sound(self, latents: Tensor) -> Tensor:
        """As the pipelines do it, but that the sound stays on the device."""
        spectrogram = self.pipe.vae.decode(latents / self.pipe.vae.config.scaling_factor, return_dict=False)[0]
        played: Tensor = self.pipe.vocoder(spectrogram[:, 0])  # [n, time] of [n, columns, bands]
        return played[:, None]

    def widest(self) -> int:
        return 32 * int(max(self.pipe.unet.config.block_out_channels[:2]))

    def decoded_bytes(self, request: Request) -> int:
        columns = self.frames(request.seconds, self._hop) * self._scale
        picture = 4 * max(self.pipe.vae.config.block_out_channels[:2]) * columns * self._bands
        first, rates = self.pipe.vocoder.config.upsample_initial_channel, self.pipe.vocoder.config.upsample_rates
        samples = [first // 2 ** (level + 1) * math.prod(rates[: level + 1]) for level in range(len(rates))]
        return int(max(picture, 4 * columns * max(samples))) * DECODED.itemsize


class MusicLdm(_SpectrogramPlayer):
    """A prompt is one direction of CLAP. The pipeline's own reading of text does not run with transformers 5."""

    parts = (
        part("vae", AutoencoderKL),
        part("text_encoder", ClapModel),
        tokenizer("tokenizer", RobertaTokenizer),
        part("unet", UNet2DConditionModel),
        part("vocoder", SpeechT5HifiGan),
    )
    text_parts = ("text_encoder", "tokenizer")

    def __init__(self, family: Family, pipe: Any, *, device: torch.device, number_type: torch.dtype) -> None:
        super().__init__(family, pipe, device=device, number_type=number_type)
        self._reader = self.reader(family.name, {"text_encoder": pipe.text_encoder, "tokenizer": pipe.tokenizer})
        heard = pipe.unet.config.projection_class_embeddings_input_dim
        if heard != self._reader.dim:
            raise ValueError(f"unet: expected to hear text of {self._reader.dim} numbers, got {heard}")
        self._nothing = self._reader.prompts([""]).states[:, 0]  # [1, dim]

    @classmethod
    def reader(cls, name: str, parts: dict[str, Any]) -> Reader:
        # CLAP's positions begin after the padding's.
        positions = int(parts["text_encoder"].config.text_config.max_position_embeddings) - 2
        most = min(MOST_CLAP_TOKENS, positions)
        return SentenceReader(name, parts["tokenizer"], parts["text_encoder"], most_tokens=most)

    def hear(self, request: Request) -> Condition:
        heard = self._reader.hear(request.genomes, request.input_type).states[:, 0]  # [N, dim]
        nothing = self._nothing.expand_as(heard)
        return Condition({"prompt_embeds": heard, "negative_prompt_embeds": nothing}, (0,) * len(heard))


class AudioLdm2(_SpectrogramPlayer):
    """A prompt is read by CLAP and by Flan-T5, and GPT-2 writes eight vectors more: three things that fit together,
    so that evolved numbers in place of one of them would contradict the others. Text only."""

    parts = (
        part("vae", AutoencoderKL),
        part("text_encoder", ClapModel),
        part("text_encoder_2", T5EncoderModel),
        part("projection_model", AudioLDM2ProjectionModel),
        part("language_model", GPT2LMHeadModel, "GPT2Model"),
        tokenizer("tokenizer", RobertaTokenizer),
        tokenizer("tokenizer_2", T5Tokenizer),
        part("unet", AudioLDM2UNet2DConditionModel),
        part("vocoder", SpeechT5HifiGan),
    )

    def hear(self, request: Request) -> Condition:
        """GPT-2 counts its positions from the first token on, padding included: what it writes depends on how many
        tokens a prompt is padded to. So prompts of one length are encoded together, and none is padded before it."""
        prompts = prompts_of(self.family.name, request.genomes)
        rows = rows_of(self.pipe.tokenizer_2, prompts)
        name, clap = self.family.name, rows_of(self.pipe.tokenizer, prompts)
        checking.check_tokens(name, [len(row) for row in rows], min(MOST_T5_TOKENS, self._most("tokenizer_2")))
        checking.check_tokens(name, [len(row) for row in clap], min(MOST_CLAP_TOKENS, self._most("tokenizer")))
        lengths = Condition({}, tuple(len(row) for row in rows))
        longest = max(lengths.together, default=1)
        made: list[tuple[Tensor, ...]] = []
        order: list[int] = []
        for group in lengths.groups():
            made += self._in_parts_of(group, [prompts[item] for item in group], longest)
            order += group
        places = torch.tensor(order, device=self.device).argsort()
        names = ("prompt_embeds", "attention_mask", "generated_prompt_embeds")
        every = (*(f"negative_{name}" for name in names), *names)
        arguments: dict[str, Tensor | list[str]] = {
            name: torch.cat(pieces)[places] for name, pieces in zip(every, zip(*made, strict=True), strict=True)
        }
        return Condition(arguments, (0,) * len(prompts))

    def _most(self, name: str) -> int:
        return int(getattr(self.pipe, name).model_max_length)

    def _in_parts_of(self, items: Sequence[int], prompts: list[str], longest: int) -> list[tuple[Tensor, ...]]:
        return devices.in_parts(lambda part: self._encoded(prompts[part], longest), len(items), at_once=AT_ONCE)

    @torch.no_grad()
    def _encoded(self, prompts: list[str], longest: int) -> tuple[Tensor, ...]:
        """Without and with the prompt: T5's states [n, longest, dim], their mask, and what GPT-2 wrote [n, 8, dim]."""
        states, mask, written = self.pipe.encode_prompt(
            prompts, self.device, 1, do_classifier_free_guidance=True, max_new_tokens=8
        )
        missing = longest - mask.shape[1]
        states, mask = pad(states, (0, 0, 0, missing)), pad(mask, (0, missing))
        without, with_it = zip(*(piece.chunk(2) for piece in (states, mask, written)), strict=True)
        return (*without, *with_it)
