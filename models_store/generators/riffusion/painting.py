"""The diffusion model: noise becomes latents, latents become pictures of sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from models_store import devices, seeding
from models_store.generators.riffusion import loading
from models_store.generators.riffusion.loading import Model
from models_store.generators.riffusion.spectrogram import BANDS

MOST_AT_ONCE = {"cuda": 32, "cpu": 4}
"""Pictures painted together. With guidance the network gets twice as many, which keeps any GPU busy; on a CPU one
picture fills all cores and caches, and a batch saves next to nothing (benchmarks/riffusion.py)."""

MEMORY_SHARE = 0.5
"""How much of the free memory one part may take by the estimates below."""


class Painter:
    """Paints a batch of pictures with classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598).

    Latents and the solver are in float32; the networks compute in the number type that they are in.
    """

    def __init__(self, unet: Model, vae: Model, schedule: Mapping[str, Any], *, nothing: Tensor) -> None:
        """schedule: see loading.noise_schedule. nothing: [77, dim], what guidance leads away from: an empty prompt."""
        self._unet, self._vae, self._schedule, self._nothing = unet, vae, dict(schedule), nothing
        self._channels = int(unet.config.in_channels)
        self.scale = 2 ** (len(vae.config.block_out_channels) - 1)

    def noise(self, seeds: Sequence[int], *, width: int) -> Tensor:
        """float32 [N, channels, 512 / scale, width / scale] where the networks are; drawn on the CPU, each from its
        own seed, so that it depends on neither batch nor device."""
        size = (self._channels, BANDS // self.scale, width // self.scale)
        drawn = [torch.randn(size, generator=seeding.generator(int(seed))) for seed in seeds]
        return torch.stack(drawn).to(self._nothing.device)

    @torch.no_grad()
    def paint(self, heard: Tensor, noise: Tensor, *, steps: int, guidance: float) -> Tensor:
        """Darkness float32 [N, 512, width], 0 white to 1 black, of what is heard [N, 77, dim], from noise.

        Memory is bounded: the batch is painted in parts. Raises devices.OutOfMemoryError when not one picture fits.
        """

        def latents(part: slice) -> Tensor:
            return self._denoised(heard[part], noise[part], steps=steps, guidance=guidance)

        def darkness(part: slice) -> Tensor:
            return self._developed(painted[part])

        count = len(noise)
        painted = torch.cat(devices.in_parts(latents, count, at_once=self._at_once(self._denoising_bytes(noise))))
        return torch.cat(devices.in_parts(darkness, count, at_once=self._at_once(self._developing_bytes(noise))))

    def _denoised(self, heard: Tensor, noise: Tensor, *, steps: int, guidance: float) -> Tensor:
        """Latents float32 as `noise`: each step asks the network once."""
        solver = loading.solver(self._schedule)
        solver.set_timesteps(steps, device="cpu")
        solver.set_begin_index(0)
        times = solver.timesteps.to(noise.device)  # once: a copy per step would wait for the device
        # The batch twice, without and with what is heard; what guidance of 1 leads away from, it need not know.
        twice = 2 if guidance != 1 else 1
        told = torch.cat([self._nothing.expand_as(heard), heard][-twice:])  # [twice * N, 77, dim]
        latents: Tensor = noise * solver.init_noise_sigma
        for step, time in enumerate(solver.timesteps.tolist()):
            asked = solver.scale_model_input(torch.cat([latents] * twice), time).to(told.dtype)
            answers = self._unet(asked, times[step], told, return_dict=False)[0].float().chunk(twice)
            expected = torch.lerp(answers[0], answers[-1], guidance)
            latents = solver.step(expected, time, latents, return_dict=False)[0]
        return latents

    def _developed(self, latents: Tensor) -> Tensor:
        """Darkness [N, 512, width]: the mean of red, green and blue, which are the same in the pictures learned from.

        The network paints -1 where a picture is black, which is loud.
        """
        scaled = (latents / self._vae.config.scaling_factor).to(self._nothing.dtype)
        painted: Tensor = self._vae.decode(scaled, return_dict=False)[0]  # [N, 3, 512, width]
        return (0.5 - painted.float().mean(dim=1) / 2).clamp(0, 1)

    def _at_once(self, bytes_each: int) -> int:
        device = self._nothing.device
        fit = MEMORY_SHARE * devices.free_memory(device) / bytes_each
        return max(1, min(MOST_AT_ONCE.get(device.type, MOST_AT_ONCE["cpu"]), int(fit)))

    def _denoising_bytes(self, noise: Tensor) -> int:
        """About what one picture takes at most, with guidance: 26 times the first block's activations, counted on the
        tensors of Stable Diffusion 1.5."""
        area = noise.shape[-2] * noise.shape[-1]
        first = int(self._unet.config.block_out_channels[0])
        return 2 * 32 * first * area * self._nothing.itemsize

    def _developing_bytes(self, noise: Tensor) -> int:
        """About what one picture takes at most: 3 to 5 times the last block's activations, counted in the same way."""
        area, widest = noise.shape[-2] * noise.shape[-1], int(max(self._vae.config.block_out_channels[:2]))
        return int(5 * widest * area * self.scale**2 * self._nothing.itemsize)
