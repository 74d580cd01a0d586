"""How fast Riffusion plays: 16 pieces in a batch, as 16 single calls, and through diffusers and torchaudio one by one.

On a GPU the architecture of Stable Diffusion 1.5 plays pieces of 5 s with 50 steps in bfloat16. On a machine without
one there are no such rows, and a small configuration (a network of 16 to 32 channels) plays pieces of 1 s with 2 steps
on the CPU, in float32 everywhere. There a batch wins nothing: one picture of 512 x 512 fills the caches and all cores.
The GPU rows have not been run yet where this was written.

The weights are random: speed does not depend on them. The plain way is StableDiffusionPipeline with the same solver in
float32, then torchaudio's InverseMelScale and GriffinLim with the padded window. The floor is counted before anything
is measured: the operations of all matrix products and convolutions of the networks, at the rate of a large matrix
product in the same numbers on the same device; Griffin-Lim's transforms are not in it.

What the two shortcuts of models_store/generators/riffusion/spectrogram.py cost in quality is measured beside their
time, on the synthetic music of the tests.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torchaudio.functional import griffinlim
from torchaudio.transforms import GriffinLim, InverseMelScale

from benchmarks.mert import matmul_rate, seconds_of
from models_store.generators.riffusion import loading
from models_store.generators.riffusion.generator import DEFAULT_GUIDANCE, Riffusion
from models_store.generators.riffusion.spectrogram import (
    BANDS,
    HIGHEST_HZ,
    HOP,
    ITERATIONS,
    MOMENTUM,
    SAMPLE_RATE,
    TRANSFORM,
    WINDOW,
    Spectrograms,
    columns,
)
from tests.random_models import riffusion as random_riffusion
from tests.unit.small_music import piece

COMMAND = "python -m benchmarks riffusion"
PIECES, PLAIN_PIECES, REPEATS = 16, 2, 2
SIZES: dict[str, random_riffusion.Size] = {"cuda": "full-architecture", "cpu": "small"}
STEPS = {"cuda": 50, "cpu": 2}
SECONDS = {"cuda": 5.0, "cpu": 1.0}
WIDTH = 512

MEL: dict[str, Any] = {"n_stft": TRANSFORM // 2 + 1, "n_mels": BANDS, "sample_rate": SAMPLE_RATE, "f_max": HIGHEST_HZ}


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    steps, seconds = STEPS[device], SECONDS[device]
    prompts, seeds = [f"jazz piano {place}" for place in range(PIECES)], list(range(PIECES))
    with tempfile.TemporaryDirectory() as folder:
        random_riffusion.write(Path(folder), size=SIZES[device])
        player = Riffusion(model=folder, inference_steps=steps)
        player.prepare(device)
        plain = _plain_way(Path(folder), device=device, steps=steps, seconds=seconds)
    operations = count_operations(player, steps=steps)
    rate = matmul_rate(torch.device(device))
    floor = operations / rate
    print(f"{operations / 1e12:.3f} TFLOP a piece at {rate / 1e12:.3f} TFLOP/s: a floor of {floor:.3g} s a piece")

    def together() -> None:
        player.generate(prompts, seconds=seconds, seeds=seeds)

    def singly() -> None:
        for prompt, seed in zip(prompts, seeds, strict=True):
            player.generate([prompt], seconds=seconds, seeds=[seed])

    def plainly() -> None:
        for prompt in prompts[:PLAIN_PIECES]:
            plain(prompt)

    player.generate(prompts[:2], seconds=seconds, seeds=seeds[:2])
    ways = {together: PIECES, singly: PIECES, plainly: PLAIN_PIECES}
    # In turn, so that none has a quieter machine than the others.
    took = [[seconds_of(way) / count for way, count in ways.items()] for _ in range(REPEATS)]
    batch, single, one_by_one = (min(times) for times in zip(*took, strict=True))
    what = f"riffusion: a piece of {seconds:g} s, {steps} steps, {SIZES[device]}"
    note = f"{COMMAND} ({_where(device)})"
    rows = [
        _row(f"{what}, in a batch of {PIECES}", round(batch, 3), "s", note),
        _row(f"{what}, in {PIECES} single calls", round(single, 3), "s", note),
        _row(f"{what}, single calls over batch", round(single / batch, 2), "times", note),
        _row(f"{what}, by diffusers and torchaudio in float32", round(one_by_one, 3), "s", note),
        _row(f"{what}, diffusers and torchaudio over batch", round(one_by_one / batch, 2), "times", note),
        _row(f"{what}, floor of its operations", round(floor, 4), "s", note),
        _row(f"{what}, batch over the floor", round(batch / floor, 2), "times", note),
    ]
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**30
        rows.append(_row(f"{what}, peak memory, both ways loaded", round(peak, 1), "GiB", note))
    return rows + _unmixing_rows() + _phase_rows()


def count_operations(player: Riffusion, *, steps: int) -> int:
    """Of one piece, multiplications and additions of all matrix products and convolutions of the networks."""
    parts = player._prepared()
    heard, noise = parts.listening.prompts(["jazz"]), parts.painter.noise([0], width=WIDTH)

    def counted(steps: int) -> int:
        # Attention spelt out: the counter does not know what it is fused to on a CPU.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            parts.painter.paint(heard, noise, steps=steps, guidance=DEFAULT_GUIDANCE)
        return int(counter.get_total_flops())

    one, two = counted(1), counted(2)
    return one + (steps - 1) * (two - one)


def _plain_way(folder: Path, *, device: str, steps: int, seconds: float) -> Callable[[str], Tensor]:
    """Prompt -> [time]: the pipeline as it comes, then torchaudio's transforms with riffusion's parameters."""
    pipeline: Any = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True, safety_checker=None)
    pipeline.scheduler = loading.solver(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    unmix = InverseMelScale(**MEL).to(device)
    play = GriffinLim(TRANSFORM, ITERATIONS, WINDOW, HOP, power=1.0, momentum=MOMENTUM).to(device)

    def played(prompt: str) -> Tensor:
        options = {"num_inference_steps": steps, "guidance_scale": DEFAULT_GUIDANCE, "output_type": "pt"}
        image = pipeline(prompt, **options).images  # [1, 3, 512, 512]
        used = image[:, 0, :, : columns(round(seconds * SAMPLE_RATE))]
        sound: Tensor = play(unmix((50.0 * (1 - used.flip(1))) ** 4))
        return sound[0]

    return played


def _music() -> tuple[Tensor, Tensor]:
    """Magnitudes [2, bins, columns] of two synthetic pieces of 1 s, and their mel bands."""
    sound = torch.stack([piece(seed, seconds=1.0, rate=SAMPLE_RATE).mean(dim=0) for seed in (1, 2)])
    spectrograms = Spectrograms()
    window = torch.hann_window(WINDOW)
    bins = torch.stft(sound, TRANSFORM, HOP, WINDOW, window, return_complex=True).abs()
    heard = len(spectrograms._bank)
    return bins[:, :heard], spectrograms._bank.T @ bins[:, :heard]


def _unmixing_rows() -> list[dict[str, Any]]:
    """Magnitudes from mel bands: ours and least squares."""
    bins, mel = _music()
    ours, theirs, rows = Spectrograms(), InverseMelScale(**MEL), []
    for name, unmix in (("ours", ours._unmixed), ("least squares", theirs)):
        took = min(seconds_of(lambda unmix=unmix: unmix(mel)) for _ in range(3))
        found = unmix(mel)[:, : bins.shape[1]]
        off = 100 * float((found - bins).norm() / bins.norm())
        like = _likeness((found + 1e-3).log(), (bins + 1e-3).log())
        rows += [
            _row(f"riffusion: bins from bands, {name}: off the true ones", round(off, 2), "%", COMMAND),
            _row(f"riffusion: bins from bands, {name}: correlation of logarithms", round(like, 4), "", COMMAND),
            _row(f"riffusion: bins from bands, {name}: 2 pieces of 1 s", round(1000 * took, 1), "ms", COMMAND),
        ]
    return rows


def _phase_rows() -> list[dict[str, Any]]:
    """Sound from magnitudes: with half of the padding, with all of it, and with that from random phases."""
    bins, mel = _music()
    spectrograms, samples = Spectrograms(), SAMPLE_RATE
    window, whole = torch.hann_window(WINDOW), torch.zeros(2, TRANSFORM // 2 + 1, bins.shape[-1])
    whole[:, : bins.shape[1]] = spectrograms._unmixed(mel)

    def padded(*, rand_init: bool) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            sound: Tensor = griffinlim(
                whole, window, TRANSFORM, HOP, WINDOW, 1.0, ITERATIONS, MOMENTUM, samples, rand_init=rand_init
            )
        return sound

    ways: dict[str, Callable[[], Tensor]] = {
        "ours": lambda: spectrograms._played(whole[:, : bins.shape[1]], samples),
        "all bins": lambda: padded(rand_init=False),
        "all bins, random start": lambda: padded(rand_init=True),
    }
    rows = []
    for name, play in ways.items():
        took = min(seconds_of(play) for _ in range(2))
        again = torch.stft(play(), TRANSFORM, HOP, WINDOW, window, return_complex=True).abs()[:, : bins.shape[1]]
        bands = spectrograms._bank.T @ again
        off = 100 * float((bands - mel).norm() / mel.norm())
        rows += [
            _row(f"riffusion: sound from bins, {name}: bands off the wanted ones", round(off, 2), "%", COMMAND),
            _row(f"riffusion: sound from bins, {name}: 2 pieces of 1 s", round(1000 * took, 1), "ms", COMMAND),
        ]
    return rows


def _likeness(first: Tensor, second: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


def _where(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} CPU threads"


def _row(name: str, value: float, unit: str, command: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "goal": "", "met": True, "command": command}


if __name__ == "__main__":
    for row in measure():
        print(f"{row['name']}: {row['value']} {row['unit']}")
