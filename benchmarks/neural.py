"""One evaluation with neural instruments: MusicGen plays, MERT hears, faults are measured; nothing leaves the device.

Against the same songs one by one: transformers' `generate` in float32, its HuBERT one song at a time, and the faults
of each. On a GPU with the architectures of musicgen-small and MERT-v1-95M at full size, random weights, 100 songs of
5 s; on a machine without one there are no such rows, and small configurations make 32 songs of 2 s on the CPU, where
MERT gains nothing from batches. The rows of the GPU have not been run yet.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import Wav2Vec2FeatureExtractor

from benchmarks import machine, mert
from benchmarks.musicgen import Theirs, write_small
from benchmarks.soundfont import prompts
from models_store import artefacts
from models_store.audio import Audio
from models_store.encoders.mert import Mert
from models_store.evaluation import play
from models_store.generators.musicgen.generator import MusicGen
from tests.random_models import mert as random_mert
from tests.random_models import musicgen as random_musicgen

COMMAND = "python -m benchmarks neural"
GOAL_SECONDS, GOAL_RATIO, CPU_GOAL_RATIO = 2.0, 300.0, 4.0
GPU_POPULATIONS, CPU_POPULATIONS = (1, 4, 16, 64, 100, 256), (1, 8, 32)
REPEATS = 3


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if device.type == "cuda":
            name = "an evaluation by musicgen-small and MERT-v1-95M on a GPU"
            random_musicgen.write(folder / "musicgen", size="small-architecture")
            random_mert.write(folder / "mert", size="95M-architecture")
            return _rows(name, folder, device, "95M-architecture", GPU_POPULATIONS, reported=100, seconds=5.0)
        name = "an evaluation by small configurations of MusicGen and MERT"
        write_small(folder / "musicgen")
        random_mert.write(folder / "mert", size="small")
        return _rows(name, folder, device, "small", CPU_POPULATIONS, reported=32, seconds=2.0)


def _rows(
    name: str,
    folder: Path,
    device: torch.device,
    size: random_mert.Size,
    populations: tuple[int, ...],
    *,
    reported: int,
    seconds: float,
) -> list[dict[str, Any]]:
    player, ear = MusicGen(model=str(folder / "musicgen")), Mert(model=str(folder / "mert"))
    player.prepare(device)
    ear.prepare(device)
    alone = _one_by_one(folder, device, size, seconds=seconds)
    table, per_song = [], 0.0
    for population in populations:
        work = partial(play, player, ear, prompts(population, seed=5), seconds=seconds, seeds=range(population))
        with machine.watched(device) as peak:
            work()
        taken = min(machine.timed(work, device) for _ in range(REPEATS))
        table.append(_row(f"{name}: population {population}, per song", 1000.0 * taken / population, "ms"))
        table.append(_row(f"{name}: population {population}, peak memory above the weights", peak[0] / 1e6, "MB"))
        if population == reported:
            per_song = taken / population
            on_gpu = device.type == "cuda"
            goal, met = (f"<= {GOAL_SECONDS:g}", taken <= GOAL_SECONDS) if on_gpu else ("", True)
            table.insert(0, _row(f"{name}: {population} songs of {seconds:g} s", taken, "s", goal, met))
    ratio = alone / per_song
    wanted = GOAL_RATIO if device.type == "cuda" else CPU_GOAL_RATIO
    table.insert(1, _row(f"{name}: one by one in float32, per song", 1000.0 * alone, "ms"))
    table.insert(2, _row(f"{name}: times faster", ratio, "", f">= {wanted:g}", ratio >= wanted))
    return table


def _one_by_one(folder: Path, device: torch.device, size: random_mert.Size, *, seconds: float) -> float:
    """Seconds for a song the plain way, the best of several."""
    theirs = Theirs(folder / "musicgen", device)
    model = random_mert.hubert(size).to(device)
    extract = Wav2Vec2FeatureExtractor.from_pretrained(folder / "mert")

    def evaluate(prompt: str) -> None:
        sound = Audio(theirs.generate(prompt, seconds=seconds), theirs.model.config.audio_encoder.sampling_rate)
        mert.one_by_one(model, extract, sound.mono().resample(mert.HEARD_RATE))
        artefacts.measure(sound)

    evaluate(prompts(1, seed=6)[0])
    return min(machine.timed(partial(evaluate, prompt), device) for prompt in prompts(REPEATS, seed=7))


def _row(name: str, value: float, unit: str, goal: str = "", met: bool = True) -> dict[str, Any]:
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    rounded = float(f"{value:.3g}")
    return {"name": name, "value": rounded, "unit": unit, "goal": goal, "met": met, "command": f"{COMMAND} ({where})"}
