"""HuBERT, heard layer by layer: each hidden state is averaged over time as soon as it is there, and none is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models_store.encoders.mert.loading import Loaded


class Ear:
    """One loaded model on one device. An item of a batch gives what it gives alone, whatever the others' lengths."""

    def __init__(self, loaded: Loaded, *, device: torch.device, number_type: torch.dtype) -> None:
        self.device = device
        self.sample_rate = loaded.sample_rate
        self.normalise = loaded.normalise
        self._model: Any = nn.Module.to(loaded.model, device, number_type)  # the types of its parts are not known
        self._number_type = number_type
        self._config = loaded.model.config
        # A waveform has more than the 8 bits of a bfloat16: what reads it, and its norm, stay in float32.
        self._model.feature_extractor.conv_layers[0].float()

    @property
    def layers(self) -> int:
        """Hidden states: one before the first layer, and one after each."""
        return int(self._config.num_hidden_layers) + 1

    @property
    def dim(self) -> int:
        return int(self._config.hidden_size)

    @property
    def shortest(self) -> int:
        """Samples that the first frame is made of (400 in the published models)."""
        samples = 1
        for kernel, stride in zip(reversed(self._config.conv_kernel), reversed(self._config.conv_stride), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    @property
    def bytes_per_sample(self) -> int:
        """About what hearing takes for each sample of sound: the first convolution's output as it comes and normed, as
        much again for what the convolution itself needs, and the widest of a transformer layer."""
        config = self._config
        first = 4 * 4 * config.conv_dim[0] / config.conv_stride[0]
        hop = 1
        for stride in config.conv_stride:
            hop *= stride
        width = self._number_type.itemsize * (2 * config.intermediate_size + 8 * config.hidden_size)
        return int(first + width / hop) + 1

    def frames(self, samples: int) -> int:
        """How many frames so many samples make."""
        return _frames(samples, self._config.conv_kernel, self._config.conv_stride)

    def hear(self, sound: Tensor, lengths: Sequence[int]) -> Tensor:
        """The mean over time of every hidden state, float32 [n, layers, dim].

        sound: float32 [n, time] on the device, zeros after the end of each. lengths: samples of each, at least
        `shortest`.
        """
        features = self._features(sound, lengths)  # [n, frames, channels]
        hidden = self._model.feature_projection(features)  # [n, frames, dim]
        frames = [self.frames(length) for length in lengths]
        heard = None
        if min(frames) < hidden.shape[1]:
            ends = torch.tensor(frames, device=self.device)
            heard = torch.arange(hidden.shape[1], device=self.device) < ends[:, None]  # [n, frames]
            hidden = hidden * heard[..., None]
        return torch.stack([_mean(state, heard) for state in self._states(hidden, heard)], dim=1)

    def _features(self, sound: Tensor, lengths: Sequence[int]) -> Tensor:
        """The convolutions: [n, frames, channels]."""
        first, *others = self._model.feature_extractor.conv_layers
        features = first.conv(sound[:, None])
        if isinstance(first.layer_norm, nn.GroupNorm):
            kernel, stride = self._config.conv_kernel[:1], self._config.conv_stride[:1]
            features = _norm_over_time(first.layer_norm, features, [_frames(n, kernel, stride) for n in lengths])
        else:
            features = first.layer_norm(features.transpose(1, 2)).transpose(1, 2)
        features = first.activation(features.to(self._number_type))
        for layer in others:
            features = layer(features)
        frames: Tensor = features.transpose(1, 2)  # [n, frames, channels]
        return frames

    def _states(self, hidden: Tensor, heard: Tensor | None) -> Iterator[Tensor]:
        """Every hidden state in turn, [n, frames, dim] each: what the first layer gets, and what each layer gives.

        Where norms come first (330M), the last one has gone through the final norm, as in the transformers 4 that
        MERT was published for; transformers 5 lists it without.
        """
        encoder, norm_first = self._model.encoder, bool(self._config.do_stable_layer_norm)
        # Every frame looks at the frames of its own piece only: [n, 1, frames, frames].
        mask = None if heard is None else heard[:, None, None].expand(-1, 1, heard.shape[1], -1)
        hidden = hidden + encoder.pos_conv_embed(hidden)
        if not norm_first:
            hidden = encoder.layer_norm(hidden)
        for layer in encoder.layers:
            yield hidden
            hidden = layer(hidden, attention_mask=mask)
        yield encoder.layer_norm(hidden) if norm_first else hidden


def _frames(samples: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    for kernel, stride in zip(kernels, strides, strict=True):
        samples = (samples - kernel) // stride + 1
    return samples


def _norm_over_time(norm: nn.GroupNorm, features: Tensor, frames: Sequence[int]) -> Tensor:
    """[n, channels, time], each item normed over its own frames: silence after its end must not be counted."""
    if min(frames) == features.shape[-1]:
        normed: Tensor = norm(features)
        return normed
    normed = torch.zeros_like(features)
    for item, count in enumerate(frames):
        normed[item, :, :count] = norm(features[item : item + 1, :, :count])[0]
    return normed


def _mean(state: Tensor, heard: Tensor | None) -> Tensor:
    """Mean over the frames that were heard, float32 [n, dim] of [n, frames, dim]."""
    if heard is None:
        return state.mean(dim=1, dtype=torch.float32)
    total = state.masked_fill(~heard[..., None], 0.0).sum(dim=1, dtype=torch.float32)
    return total / heard.sum(dim=1, keepdim=True)
