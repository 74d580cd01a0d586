"""How fast MERT hears five-second songs: in batches, against one by one through transformers' HuBERT in float32.

On a GPU the architecture of MERT-v1-95M hears 100 songs in bfloat16. On a machine without one there are no such rows,
and a small configuration (256 wide, 6 layers, 128 channels) hears 16 songs on the CPU, in float32 on both sides. There
both ways take about as long: one song fills the caches and all cores, and batches win nothing. The GPU rows have not
been run yet.

The weights are random: speed does not depend on them. The songs are at 32 kHz on the device, as MusicGen plays them;
the plain way gets them at 24 kHz already. The floor is counted before anything is measured: the operations of all
matrix products and convolutions, at the rate of a large matrix product in the same numbers on the same device.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import HubertModel, Wav2Vec2FeatureExtractor

from benchmarks import machine
from models_store import devices, seeding
from models_store.audio import Audio
from models_store.encoders.mert import Mert
from tests.random_models import mert as random_mert

COMMAND = "python -m benchmarks mert"
SECONDS = 5.0
PLAYED_RATE, HEARD_RATE = 32_000, 24_000
SONGS = {"cuda": 100, "cpu": 16}
SIZES: dict[str, random_mert.Size] = {"cuda": "95M-architecture", "cpu": "small"}
GOAL_SECONDS = 0.3
REPEATS = 5


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    device: Literal["cuda", "cpu"] = "cuda" if torch.cuda.is_available() else "cpu"
    count, size = SONGS[device], SIZES[device]
    with tempfile.TemporaryDirectory() as folder:
        random_mert.write(Path(folder), size=size)
        encoder = Mert(model=folder)
        encoder.prepare(device)
        model = random_mert.hubert(size).to(device)
        extract = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    music = songs(count, device)
    heard_alone = music.resample(HEARD_RATE)
    operations = count_operations(encoder) * count
    rate = matmul_rate(torch.device(device))
    floor = operations / rate
    print(f"{operations / 1e12:.2f} TFLOP at {rate / 1e12:.2f} TFLOP/s: a floor of {floor:.3g} s for {count} songs")
    with machine.watched(torch.device(device)) as peak:
        encoder.encode(music)
    together, alone = [], []
    for _ in range(REPEATS):  # in turn, so that neither has a quieter machine than the other
        together.append(seconds_of(lambda: encoder.encode(music)))
        alone.append(seconds_of(lambda: one_by_one(model, extract, heard_alone)))
    likeness = torch.cosine_similarity(encoder.encode(music).cpu(), one_by_one(model, extract, heard_alone), dim=-1)
    assert likeness.min() > (0.99 if device == "cpu" else 0.95), "both ways hear the same"
    return _rows(f"mert: {count} songs of 5 s, {size}", device, min(together), min(alone), floor, peak[0])


def _rows(what: str, device: str, batch: float, plain: float, floor: float, peak: int) -> list[dict[str, Any]]:
    """Of seconds, and of the bytes of the peak."""
    where = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} CPU threads"
    note = f"{COMMAND} ({where})"
    goal, met = (f"<= {GOAL_SECONDS:g}", batch <= GOAL_SECONDS) if device == "cuda" else ("", True)
    rows = [
        _row(f"{what}, in batches", round(batch, 4), "s", goal, met, note),
        _row(f"{what}, one by one in float32", round(plain, 4), "s", "", True, note),
        _row(f"{what}, one by one over in batches", round(plain / batch, 2), "times", "", True, note),
        _row(f"{what}, floor of its operations", round(floor, 4), "s", "", True, note),
        _row(f"{what}, in batches over the floor", round(batch / floor, 2), "times", "", True, note),
    ]
    if device == "cuda":
        rows.append(_row(f"{what}, peak memory above the weights", round(peak / 2**30, 2), "GiB", "", True, note))
    return rows


def songs(count: int, device: str) -> Audio:
    """Random sound, on the device: how long hearing takes does not depend on what is heard."""
    length = round(SECONDS * PLAYED_RATE)
    noise = torch.randn(count, 1, length, generator=seeding.generator(1))
    return Audio((0.1 * noise).to(device), PLAYED_RATE)


def one_by_one(model: HubertModel, extract: Wav2Vec2FeatureExtractor, music: Audio) -> Tensor:
    """The plain way: [N, layers, dim] on the CPU."""
    heard = []
    for piece in music.samples[:, 0]:
        values = extract(piece.cpu().numpy(), sampling_rate=music.sample_rate, return_tensors="pt").input_values
        with torch.no_grad():
            states = model(values.to(piece.device), output_hidden_states=True).hidden_states
        heard.append(torch.stack(states).mean(dim=2)[:, 0].cpu())
    return torch.stack(heard)


def count_operations(encoder: Mert) -> int:
    """Of one song, multiplications and additions of all matrix products and convolutions but the resampler's."""
    ear = encoder._prepared()
    sound = torch.zeros(1, round(SECONDS * HEARD_RATE), device=ear.device)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        ear.hear(sound, [sound.shape[1]])
    return int(counter.get_total_flops())


def matmul_rate(device: torch.device) -> float:
    """Operations per second of a large matrix product, the best of several."""
    side = 8192 if device.type == "cuda" else 1536
    one = torch.randn(side, side, generator=seeding.generator(2)).to(device, devices.number_type(device))
    return 2 * side**3 / min(seconds_of(lambda: one @ one) for _ in range(8))


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes until its results are there."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _row(name: str, value: float, unit: str, goal: str, met: bool, command: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "met": met, "command": command}


if __name__ == "__main__":
    for row in measure():
        print(f"{row['name']}: {row['value']} {row['unit']}")
