"""The embedded encoder: what a trained ear would note about timbre, harmony, rhythm and loudness. No weights."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from models_store import devices
from models_store.audio import Audio
from models_store.encoders.base import AudioEncoder
from models_store.encoders.spectral_layers import DIM, LAYERS
from models_store.encoders.spectral_scale import CENTRES, SPREADS
from models_store.encoders.spectral_views import look

SHORTEST_SECONDS = 0.1
LOUDEST = 8.0
"""Full scale is 1; louder samples than this are cut, since their powers would overflow."""
LIMIT = 3.0
"""Scaled features are bent into (-LIMIT, LIMIT): one odd feature must not outweigh all others."""

MEMORY_SHARE = 0.25
COPIES = 16
"""How much of a GPU's free memory a batch may take, and about how many times its sound it takes: overlapping frames of
the middle, their windowed copies and their complex spectra, twice over."""


class SpectralEncoder(AudioEncoder):
    """Hears [N, 8 layers, 64]: timbre, texture, tone, harmony, movement, rhythm, fluctuation, loudness.

    Each feature is centred and scaled by constants measured once on broad material (spectral_scale.py), so that
    it is of order one and unlike pieces point in unlike directions. Nothing is learned and nothing is kept.
    Silence has an embedding as well; samples that are not finite are heard as silence.
    """

    name = "spectral"
    layers = len(LAYERS)
    dim = DIM
    sample_rate = 44_100
    """The rate it hears best at. Every rate is heard as it is, without resampling."""

    @torch.inference_mode()
    def encode(self, audio: Audio) -> Tensor:
        """Embeddings float32 [N, 8, 64], each number in (-3, 3), on the device where the sound is.

        Raises ValueError for no piece at all, no channel, or less than 0.1 s.
        """
        pieces, channels, time = audio.samples.shape
        if pieces == 0 or channels == 0:
            raise ValueError(
                f"SpectralEncoder: expected at least one piece and one channel, got {tuple(audio.samples.shape)}"
            )
        if time < SHORTEST_SECONDS * audio.sample_rate:
            raise ValueError(f"SpectralEncoder: expected at least {SHORTEST_SECONDS} s, got {audio.seconds:.4f} s")
        at_once = _at_once(audio.samples)
        return torch.cat(
            devices.in_parts(lambda part: _hear(audio.samples[part], audio.sample_rate), pieces, at_once=at_once)
        )


def _hear(samples: Tensor, sample_rate: int) -> Tensor:
    """[n, 8, 64] of [n, channels, time], heard in memory of their own."""
    centres, spreads = _scale(samples.device)
    scaled = (features(samples.clone(), sample_rate) - centres) / spreads
    return LIMIT * torch.tanh(scaled / LIMIT)


def _at_once(samples: Tensor) -> int:
    """How many pieces are heard together."""
    if samples.device.type == "cpu":
        return 1  # in a batch the last digits depend on who else is in it, and nothing is faster
    fit = MEMORY_SHARE * devices.free_memory(samples.device) / (COPIES * samples[0].nbytes)
    return max(1, int(fit))


def features(samples: Tensor, sample_rate: int) -> Tensor:
    """The features before scaling, each in its own unit: float32 [N, 8, 64] of [N, channels, time]."""
    sound = samples.float()
    if not bool(torch.maximum(sound.amax(), -sound.amin()) <= LOUDEST):  # true of NaN as well
        sound = torch.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0).clamp(-LOUDEST, LOUDEST)
    views = look(sound, sample_rate)
    return torch.stack([layer(views) for layer in LAYERS], dim=1)


@lru_cache(maxsize=8)
def _scale(device: torch.device) -> tuple[Tensor, Tensor]:
    """Centres and spreads, [8, 64] each."""
    return torch.tensor(CENTRES, device=device), torch.tensor(SPREADS, device=device)
