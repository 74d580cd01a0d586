"""How fast the ear is (`spectral` and the artefact measures, in a batch and alone), and what a track costs to store."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import torch

from models_store import artefacts, audio, catalog
from models_store.audio import Audio
from models_store.encoders.base import AudioEncoder

COMMAND = "python -m benchmarks.listening_ear"
PIECES, SECONDS, SAMPLE_RATE = 32, 5.0, 44_100
TRACK_SECONDS = 12.0
GOAL_PER_SECOND = 150.0
REPEATS = 5
PROMPTS = ("calm jazz with piano", "techno, 130 bpm", "classical with violin and cello", "metal", "bossa nova", "funk")


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    encoder = catalog.encoder("spectral")
    music = _music(PIECES, SECONDS, SAMPLE_RATE)
    native = _music(PIECES, SECONDS, catalog.generator("soundfont").sample_rate)
    together = PIECES / _least_seconds(lambda: _hear(encoder, music))
    played = PIECES / _least_seconds(lambda: _hear(encoder, native))
    alone = PIECES / _least_seconds(lambda: [_hear(encoder, music[i : i + 1]) for i in range(PIECES)])
    what = f"spectral + artefacts, {SECONDS:g} s stereo"
    goal = f">= {GOAL_PER_SECOND:g}"
    rows = [
        _row(f"{what} at {SAMPLE_RATE} Hz, batch {PIECES}", together, "pieces/s", goal, together >= GOAL_PER_SECOND),
        _row(f"{what} at {native.sample_rate} Hz, batch {PIECES}", played, "pieces/s", goal, played >= GOAL_PER_SECOND),
        _row("the same, batch against one by one", together / alone, "times", "", True),
    ]
    return rows + _formats()


def _formats() -> list[dict[str, Any]]:
    """Time and size of a track in every format that it could be stored in."""
    tracks = audio.normalise_loudness(_music(len(PROMPTS), TRACK_SECONDS, SAMPLE_RATE))
    rows = []
    for name in audio.ENCODINGS:
        began = time.perf_counter()
        stored = [audio.encode(tracks[index : index + 1], format=name) for index in range(len(tracks))]
        milliseconds = (time.perf_counter() - began) / len(tracks) * 1000
        kilobytes = sum(map(len, stored)) / len(tracks) / 1000
        exact = all(audio.read(io.BytesIO(track)).samples.shape == tracks.samples[:1].shape for track in stored)
        what = f"a {TRACK_SECONDS:g} s track as {name}"
        rows += [
            _row(f"{what}: encoding", milliseconds, "ms", "", True),
            _row(f"{what}: size", kilobytes, "kB", "", True),
            _row(f"{what}: decodes to its exact length", float(exact), "", "", True),
        ]
    return rows


def _music(count: int, seconds: float, sample_rate: int) -> Audio:
    """`count` pieces of the embedded generator."""
    prompts = [PROMPTS[index % len(PROMPTS)] for index in range(count)]
    return catalog.generator("soundfont", sample_rate=sample_rate).generate(
        prompts, seconds=seconds, seeds=range(count)
    )


def _hear(encoder: AudioEncoder, music: Audio) -> torch.Tensor:
    return torch.cat([encoder.encode(music).flatten(1), artefacts.measure(music)], dim=1)


def _least_seconds(work: Callable[[], object]) -> float:
    """The quickest of a few runs: what the work needs when nothing else is in its way."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _row(name: str, value: float, unit: str, goal: str, met: bool) -> dict[str, Any]:
    return {"name": name, "value": round(value, 1), "unit": unit, "goal": goal, "met": met, "command": COMMAND}


def main() -> None:
    for row in measure():
        met = ("yes" if row["met"] else "NO") if row["goal"] else ""
        print(f"{row['name']:62} {row['value']:>8} {row['unit']:9} {row['goal']:8} {met}")


if __name__ == "__main__":
    main()
