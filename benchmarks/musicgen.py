"""How fast MusicGen's architecture makes music, with random weights: ours against transformers' `generate`.

Counted first, then measured: the bytes and operations of one step of the decoder, and from them the least time that the
whole decode could take on this machine, at the memory bandwidth and the rate of products measured in the same run.

Without a GPU: a small configuration in float32, two seconds of music. Both sides do all of it, from the prompt to the
sound; text encoder and codec are tiny, so that it is the decoder that is compared. Rows of the GPU are absent there.
With one: the architecture of musicgen-small at full size, in bfloat16 with CUDA graphs, five seconds, against float32.
The part for the GPU has not been run yet, for want of one.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoTokenizer,
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
)

from benchmarks import machine
from benchmarks.soundfont import prompts
from models_store import seeding
from models_store.generators.musicgen.decoding import Condition, Decoder
from models_store.generators.musicgen.generator import MusicGen
from tests.random_models import musicgen as random_models

COMMAND = "python -m benchmarks musicgen"
TOKENS = 16
"""Of the text, where only the decoder is measured."""

CPU_POPULATIONS = (1, 4, 16, 64)
GPU_POPULATIONS = (1, 4, 16, 64, 256)
CPU_GOAL = 4.0
GPU_GOAL = 300.0
GPU_GOAL_SECONDS = 1.5


def step(config: Any, *, items: int, frames: int, width: int, tokens: int = TOKENS) -> list[machine.Part]:
    """An average step of a guided decode of `frames` frames, with numbers of `width` bytes.

    Weights are read once; keys and values of the half of the slots that an average step looks back on; those of the
    text for the guided half alone; logits are written and read in float32, for both halves together.
    """
    hidden, inner, layers = config.hidden_size, config.ffn_dim, config.num_hidden_layers
    rows, slots = 2 * items, (frames + config.num_codebooks) / 2
    own, crossing = 4 * hidden**2 + 2 * hidden * inner, 2 * hidden**2
    logits = config.num_codebooks * config.vocab_size
    looking, reading = layers * rows * hidden * slots, layers * items * hidden * tokens
    return [
        machine.Part("weights", layers * (own + crossing) * width, 2 * layers * (rows * own + items * crossing)),
        machine.Part("keys and values", 2 * looking * width, 4 * looking),
        machine.Part("keys and values of the text", 2 * reading * width, 4 * reading),
        machine.Part("logits", logits * (hidden * width + 8 * items), 2 * items * hidden * logits),
    ]


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    with tempfile.TemporaryDirectory() as folder:
        rows = _on_cpu(write_small(Path(folder) / "small"))
        if torch.cuda.is_available():
            full = random_models.write(Path(folder) / "full", size="small-architecture")
            rows += _on_gpu(full)
    return rows


def _on_cpu(folder: Path) -> list[dict[str, Any]]:
    name, seconds, population = "musicgen, small configuration", 2.0, 32
    device = torch.device("cpu")
    player = MusicGen(model=str(folder))
    player.prepare(device)
    theirs = Theirs(folder, device)
    ours, alone = _side_by_side(player, theirs, population=population, seconds=seconds, songs=6)
    ratio = alone / (ours / population)
    table = [
        _row(f"{name}: {population} songs of 2 s at once, per song", 1000.0 * ours / population, "ms"),
        _row(f"{name}: one by one through transformers, per song", 1000.0 * alone, "ms"),
        _row(f"{name}: times faster", ratio, "", f">= {CPU_GOAL:g}", ratio >= CPU_GOAL),
    ]
    player.release()
    return table + _decoding(name, theirs.model.decoder, CPU_POPULATIONS, frames=100, reported=population)


def _on_gpu(folder: Path) -> list[dict[str, Any]]:
    name, seconds, population = "musicgen-small on a GPU", 5.0, 100
    device = torch.device("cuda")
    player = MusicGen(model=str(folder))
    player.prepare(device)
    started = time.perf_counter()
    _generate(player, population, seconds=seconds, seed=1)
    first = time.perf_counter() - started
    theirs = Theirs(folder, device)
    ours, alone = _side_by_side(player, theirs, population=population, seconds=seconds, songs=3)
    ratio = alone / (ours / population)
    table = [
        _row(f"{name}: {population} songs of 5 s", ours, "s", f"<= {GPU_GOAL_SECONDS:g}", ours <= GPU_GOAL_SECONDS),
        _row(f"{name}: the same for the first time, with graphs to capture", first, "s"),
        _row(f"{name}: one by one through transformers in float32, per song", 1000.0 * alone, "ms"),
        _row(f"{name}: times faster", ratio, "", f">= {GPU_GOAL:g}", ratio >= GPU_GOAL),
    ]
    player.release()
    decoder = theirs.model.decoder.to(torch.bfloat16)
    return table + _decoding(name, decoder, GPU_POPULATIONS, frames=250, reported=population)


def _decoding(name: str, model: Any, populations: Sequence[int], *, frames: int, reported: int) -> list[dict[str, Any]]:
    """Rows of the decoder alone: against its floor, by population, and the memory that it takes."""
    decoder, device = Decoder(model), model.device
    measured = machine.measure(device, model.dtype)
    width = torch.empty((), dtype=model.dtype).element_size()
    steps = frames + model.config.num_codebooks - 1
    gigabytes, gigaops = measured.bandwidth / 1e9, measured.rate / 1e9
    table = [
        _row(f"{name}: memory read and written", gigabytes, "GB/s"),
        _row(f"{name}: products", gigaops, "billion operations/s"),
    ]
    for part in step(model.config, items=reported, frames=frames, width=width):
        table.append(_row(f"{name}: a step for {reported}: {part.name}", part.bytes / 1e6, "MB"))
        table.append(_row(f"{name}: a step for {reported}: {part.name}", part.operations / 1e9, "billion operations"))
    for population in sorted({*populations, reported}):
        estimate = population * decoder.bytes_per_item(frames=frames, tokens=TOKENS)
        taken, memory = _decode(decoder, population, frames=frames, hidden=model.config.hidden_size, device=device)
        floor = steps * measured.floor(step(model.config, items=population, frames=frames, width=width))
        table += [
            _row(f"{name}: decoding, population {population}, per song", 1000.0 * taken / population, "ms"),
            _row(f"{name}: decoding, population {population}, measured over floor", taken / floor, ""),
            _row(f"{name}: decoding, population {population}, peak memory above the weights", memory / 1e6, "MB"),
            _row(f"{name}: decoding, population {population}, memory as estimated before", estimate / 1e6, "MB"),
        ]
        decoder.release()
    return table


def _decode(decoder: Decoder, items: int, *, frames: int, hidden: int, device: torch.device) -> tuple[float, int]:
    """Seconds of the best of three decodes after a first, and the peak of memory of that first, in bytes."""
    states = torch.randn(items, TOKENS, hidden, generator=seeding.generator(items)).to(device)
    condition = Condition(states=states, mask=torch.ones(items, TOKENS, dtype=torch.bool, device=device))

    def run() -> None:
        decoder.decode(condition, frames=frames, seeds=range(items))

    with machine.watched(device) as peak:
        run()
    return min(machine.timed(run, device) for _ in range(3)), peak[0]


def _side_by_side(
    player: MusicGen, theirs: Theirs, *, population: int, seconds: float, songs: int
) -> tuple[float, float]:
    """Seconds of ours for a population, and of theirs for one song: by turns, the best of each."""
    device = theirs.model.device
    ours, alone = [], []
    theirs.generate(prompts(1, seed=99)[0], seconds=seconds)
    _generate(player, population, seconds=seconds, seed=99)
    for seed, prompt in enumerate(prompts(songs, seed=7)):
        alone.append(machine.timed(partial(theirs.generate, prompt, seconds=seconds), device))
        if seed % 2 == 0:
            ours.append(machine.timed(partial(_generate, player, population, seconds=seconds, seed=seed), device))
    return min(ours), min(alone)


def _generate(player: MusicGen, population: int, *, seconds: float, seed: int) -> None:
    player.generate(prompts(population, seed=seed), seconds=seconds, seeds=[1000 * seed + i for i in range(population)])


class Theirs:
    """transformers' own `generate`, a song at a time."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.model: Any = MusicgenForConditionalGeneration.from_pretrained(folder, local_files_only=True)
        self.model.to(device).eval()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def generate(self, prompt: str, *, seconds: float) -> Tensor:
        """A song: float32 [1, channels, time]."""
        words = self._tokenizer([prompt], return_tensors="pt").to(self.model.device)
        codec = self.model.config.audio_encoder
        steps = round(seconds * codec.frame_rate) + self.model.config.decoder.num_codebooks - 1
        sound: Tensor = self.model.generate(
            input_ids=words.input_ids,
            attention_mask=words.attention_mask,
            do_sample=True,
            guidance_scale=3.0,
            top_k=250,
            max_new_tokens=steps,
        )
        return sound


def write_small(folder: Path) -> Path:
    """MusicGen's parts, smaller: six layers of 256, the codes and codebooks of the published models."""
    folder.mkdir(parents=True)
    tokenizer = random_models.tokenizer()
    text = T5Config(vocab_size=len(tokenizer) + 7, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4)
    codec = EncodecConfig(
        sampling_rate=32_000,
        upsampling_ratios=[8, 5, 4, 4],
        target_bandwidths=[2.2],
        num_filters=4,
        hidden_size=32,
        codebook_size=2048,
        use_conv_shortcut=False,
    )
    decoder = MusicgenDecoderConfig(hidden_size=256, ffn_dim=1024, num_hidden_layers=6, num_attention_heads=4)
    with seeding.seeded(0):
        model = MusicgenForConditionalGeneration(
            MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder)
        )
    settings: Any = model.generation_config
    settings.update(bos_token_id=2048, pad_token_id=2048, decoder_start_token_id=2048, max_length=1500)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _row(name: str, value: float, unit: str, goal: str = "", met: bool = True) -> dict[str, Any]:
    where = f"{torch.cuda.get_device_name()}" if "GPU" in name else f"{torch.get_num_threads()} threads"
    rounded = float(f"{value:.3g}")
    return {"name": name, "value": rounded, "unit": unit, "goal": goal, "met": met, "command": f"{COMMAND} ({where})"}


if __name__ == "__main__":
    for row in measure():
        print(f"{row['name']}: {row['value']} {row['unit']} {row['goal']}")
