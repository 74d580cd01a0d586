"""EnCodec's decoder: codes to sound, in chunks of items and of time.

Défossez et al. 2022, "High Fidelity Neural Audio Compression" (arXiv:2210.13438). Its recurrent part runs once over
the whole piece, at the low rate of the codes. What follows is convolutions that raise the rate and see a few frames to
each side: it runs over chunks of time with as many frames around them as it sees, and gives the same samples.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from models_store import devices

FRAMES_AT_ONCE = {"cuda": 1500, "cpu": 250}
"""Frames of a chunk. More make nothing faster, and the widest layers hold 640 samples x 64 channels of each."""

MEMORY_SHARE = 0.5
"""How much of the free memory the items of one chunk may take by the estimate of `bytes_per_item`."""

MOST_AT_ONCE = {"cuda": 256, "cpu": 8}
"""Items of one chunk; more of them make nothing faster."""

_ALIVE = 5
"""Tensors as large as a layer's output that a residual block holds at once: in, activated, narrow, out, and a pad."""


class Codec:
    """Decodes with the weights of transformers' EncodecModel, in float32: fewer bits are heard as noise.

    model: it is taken apart, and its encoder is dropped. channels: 1, or 2 for codebooks that stand by turns for left
    and right. Raises ValueError for a codec that does not decode a piece as a whole.
    """

    def __init__(self, model: Any, *, channels: int, device: torch.device) -> None:
        config = model.config
        if config.norm_type != "weight_norm" or config.chunk_length_s is not None or config.audio_channels != 1:
            raise ValueError(
                "audio_encoder: expected norm_type 'weight_norm', chunk_length_s None and audio_channels 1, as in "
                f"facebook/encodec_32khz, got {config.norm_type!r}, {config.chunk_length_s}, {config.audio_channels}"
            )
        self.sample_rate = int(config.sampling_rate)
        self.hop = int(math.prod(config.upsampling_ratios))
        self.channels = channels
        self.device = device
        self._config = config
        _without_weight_norm(model.decoder)
        layers = list(model.decoder.layers)
        self._low: Any = nn.Sequential(*layers[:2]).to(device, torch.float32)  # a convolution, and the LSTM
        self._high: Any = nn.Sequential(*layers[2:]).to(device, torch.float32)
        self._quantizer: Any = model.quantizer.to(device, torch.float32)

    @property
    def margin(self) -> int:
        """Frames to each side that a sample depends on after the recurrent part."""
        config = self._config
        # Seen from the end: samples at each rate, before it is divided by the ratio to the rate below.
        seen = int(config.last_kernel_size)
        for ratio in reversed(config.upsampling_ratios):
            for number in range(config.num_residual_layers):
                seen += (config.residual_kernel_size - 1) * config.dilation_growth_rate**number
            seen = math.ceil(seen / ratio) + 2  # a transposed convolution has a kernel of two strides
        return seen

    def frames(self, samples: int) -> int:
        """How many frames so many samples take."""
        return max(1, -(-samples // self.hop))

    @torch.no_grad()
    def decode(self, codes: Tensor, *, samples: int) -> Tensor:
        """Sound float32 [N, channels, samples] of codes int64 [N, codebooks, frames], frames * hop >= samples."""
        count, _, frames = codes.shape
        sound = torch.zeros(count, self.channels, samples, device=self.device)

        def decode(part: slice) -> None:
            for channel in range(self.channels):
                self._decode(codes[part, channel :: self.channels], sound[part, channel])

        with devices.whole_float32():
            devices.in_parts(decode, count, at_once=self._at_once(frames))
        return sound

    def bytes_per_item(self, frames: int) -> int:
        """About what decoding one channel of one item takes at once."""
        config, at_once = self._config, min(frames, self._frames_at_once + 2 * self.margin)
        widest, rate, channels = 0, 1, config.num_filters * 2 ** len(config.upsampling_ratios)
        recurrent = 4 * frames * (2 * channels + config.hidden_size)
        for ratio in config.upsampling_ratios:
            rate, channels = rate * ratio, channels // 2
            widest = max(widest, rate * channels)
        return int(recurrent + 4 * _ALIVE * at_once * widest)

    def bytes_wanted(self, count: int, frames: int) -> int:
        """About what so many pieces take when nothing holds them back: their sound, and a chunk of many of them."""
        at_once = min(count, MOST_AT_ONCE.get(self.device.type, MOST_AT_ONCE["cpu"]))
        return 4 * count * self.channels * frames * self.hop + int(at_once * self.bytes_per_item(frames) / MEMORY_SHARE)

    @property
    def _frames_at_once(self) -> int:
        return FRAMES_AT_ONCE.get(self.device.type, FRAMES_AT_ONCE["cpu"])

    def _at_once(self, frames: int) -> int:
        fit = MEMORY_SHARE * devices.free_memory(self.device) / self.bytes_per_item(frames)
        return max(1, min(int(fit), MOST_AT_ONCE.get(self.device.type, MOST_AT_ONCE["cpu"])))

    def _decode(self, codes: Tensor, sound: Tensor) -> None:
        """Fill sound [n, samples] from codes [n, codebooks, frames] of one channel."""
        latents = self._low(self._quantizer.decode(codes.transpose(0, 1)))  # [n, channels, frames]
        frames, samples = codes.shape[-1], sound.shape[-1]
        for start in range(0, frames, self._frames_at_once):
            stop = min(start + self._frames_at_once, frames)
            first, last = max(0, start - self.margin), min(frames, stop + self.margin)
            made = self._high(latents[..., first:last])[:, 0]  # [n, samples of the chunk and its margins]
            begin, end = start * self.hop, min(stop * self.hop, samples)
            if begin < end:
                sound[:, begin:end] = made[:, begin - first * self.hop : end - first * self.hop]


def _without_weight_norm(model: nn.Module) -> None:
    """Multiply the norms out once, not at every call."""
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
