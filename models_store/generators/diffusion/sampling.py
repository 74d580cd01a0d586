"""How noise becomes latents, where diffusers' own schedulers do not serve.

Latents stay in float32 from step to step, whatever the network computes in: in bfloat16 every step would round them to
three digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler, PNDMScheduler
from torch import Tensor


class _InFloat32:
    """Asks the network in its own numbers, and goes on in those of the latents."""

    number_type = torch.float32

    def scale_model_input(self, sample: Tensor, timestep: object = None) -> Tensor:  # noqa: ARG002
        return sample.to(self.number_type)


class Ddim(_InFloat32, DDIMScheduler):
    """Song et al. 2021, arXiv:2010.02502; deterministic as the pipelines use it (eta 0)."""


class Pndm(_InFloat32, PNDMScheduler):
    """Liu et al. 2022, arXiv:2202.09778; deterministic."""


class Stepped(NamedTuple):
    """What a pipeline takes from a scheduler's step."""

    prev_sample: Tensor


class CosineSde:
    """The sampler of Stable Audio Open: DPM-Solver++ 2M, SDE (Lu et al. 2022, arXiv:2211.01095), v-prediction.

    What diffusers calls CosineDPMSolverMultistepScheduler. That one needs torchsde for its noise, a Brownian path
    looked up at fixed times: between these, steps of a Brownian path are independent normal numbers, which is what is
    drawn here, for every item from its own generator.
    """

    order = 1
    number_type = torch.float32

    _FIXED: Mapping[str, object] = {
        "sigma_schedule": "exponential",
        "prediction_type": "v_prediction",
        "solver_type": "midpoint",
        "solver_order": 2,
        "final_sigmas_type": "zero",
    }

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """settings: a scheduler_config.json. Raises ValueError for those of another sampler."""
        for name, value in self._FIXED.items():
            if settings.get(name, value) != value:
                raise ValueError(f"scheduler: expected {name} {value!r}, got {settings[name]!r}")
        self._highest, self._lowest = float(settings.get("sigma_max", 500)), float(settings.get("sigma_min", 0.3))
        self._spread = float(settings.get("sigma_data", 1.0))
        if not 0 < self._lowest < self._highest or not self._spread > 0:
            raise ValueError(
                f"scheduler: expected 0 < sigma_min < sigma_max and sigma_data > 0, "
                f"got {self._lowest}, {self._highest} and {self._spread}"
            )
        self.timesteps = torch.zeros(0)
        self._sigmas: list[float] = []
        self._at = 0
        self._before: Tensor | None = None

    @property
    def init_noise_sigma(self) -> float:
        """How loud the noise is that it starts from."""
        return math.sqrt(self._highest**2 + 1.0)

    def set_timesteps(self, steps: int, device: torch.device | str | None = None) -> None:
        """Begin anew with so many steps, evenly spaced in the logarithm of the noise."""
        logarithms = torch.linspace(math.log(self._highest), math.log(self._lowest), steps)
        sigmas = logarithms.exp()
        self.timesteps = (sigmas.atan() / math.pi * 2).to(device)
        self._sigmas = [*sigmas.tolist(), 0.0]
        self._at, self._before = 0, None

    def scale_model_input(self, sample: Tensor, timestep: object = None) -> Tensor:  # noqa: ARG002
        return (sample / math.hypot(self._sigmas[self._at], self._spread)).to(self.number_type)

    def step(
        self,
        model_output: Tensor,
        timestep: object,  # noqa: ARG002
        sample: Tensor,
        generator: Sequence[torch.Generator] = (),
    ) -> Stepped:
        """One step from `sample` [N, channels, time]; `generator` has one generator for each item."""
        now, after = self._sigmas[self._at], self._sigmas[self._at + 1]
        spread = math.hypot(now, self._spread)
        clean = sample.float() * (self._spread / spread) ** 2 - model_output.float() * (now * self._spread / spread)
        kept = (after / now) ** 2
        made = kept * sample.float() + (1.0 - kept) * clean
        if after > 0.0:
            if self._before is not None:
                h, h_before = math.log(now / after), math.log(self._sigmas[self._at - 1] / now)
                made = made + 0.5 * (1.0 - kept) * h / h_before * (clean - self._before)
            made = made + after * math.sqrt(1.0 - kept) * drawn(sample.shape[1:], generator, sample.device)
        self._at, self._before = self._at + 1, clean
        return Stepped(made)


Scheduler = Ddim | Pndm | CosineSde | FlowMatchEulerDiscreteScheduler


def drawn(shape: Sequence[int], generators: Sequence[torch.Generator], device: torch.device | str) -> Tensor:
    """Normal numbers float32 [N, *shape], a piece from each generator, on its device (the CPU): the same everywhere."""
    pieces = [torch.randn(tuple(shape), generator=one, device=one.device) for one in generators]
    return torch.stack(pieces).to(device)


def scheduler(settings: Mapping[str, Any], expected: Sequence[str], number_type: torch.dtype) -> Scheduler:
    """The scheduler of a scheduler_config.json.

    expected: names of those that the family takes, by diffusers' names. number_type: of the network.
    Raises ValueError for another.
    """
    name = settings.get("_class_name")
    if name not in expected:
        raise ValueError(f"scheduler: expected {' or '.join(expected)}, got {name!r}")
    made: Ddim | Pndm | CosineSde
    if name == "FlowMatchEulerDiscreteScheduler":
        # Its step computes in float32 and rounds to the network's numbers, and there are few steps.
        flow: FlowMatchEulerDiscreteScheduler = FlowMatchEulerDiscreteScheduler.from_config(dict(settings))
        return flow
    if name == "CosineDPMSolverMultistepScheduler":
        made = CosineSde(settings)
    else:
        made = (Ddim if name == "DDIMScheduler" else Pndm).from_config(dict(settings))
    made.number_type = number_type
    return made
