"""How fast the embedded generator plays: five-second candidates of five instruments, on all cores."""

from __future__ import annotations

import os
import random
import statistics
import time
from typing import Any

from models_store.generators.soundfont.arranger import arrange
from models_store.generators.soundfont.generator import SoundFontGenerator
from models_store.generators.soundfont.vocabulary import LEXICON

COMMAND = "python -m benchmarks soundfont"
CANDIDATES = 120
SECONDS = 5.0
GOAL = 40.0

_LEADS = ("flute", "saxophone", "violin", "trumpet", "clarinet", "saw lead", "harmonica", "oboe")
_CHORDS = ("piano", "acoustic guitar", "electric piano", "organ", "harp", "electric guitar")
_PADS = ("strings", "warm pad", "choir", "synth strings")
_BASSES = ("double bass", "electric bass", "synth bass")
_KITS = ("drums", "jazz drums", "electronic drums", "drum machine")


def prompts(count: int, *, seed: int) -> list[str]:
    """Prompts of every genre and mood that name a lead, chords, a pad, a bass and a kit each."""
    draw = random.Random(seed)
    return [
        f"{draw.choice(LEXICON['mood'])} {draw.choice(LEXICON['genre'])} with "
        + ", ".join(draw.choice(group) for group in (_LEADS, _CHORDS, _PADS, _BASSES, _KITS))
        for _ in range(count)
    ]


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    generator = SoundFontGenerator()
    started = time.perf_counter()
    generator.prepare()
    prepared = time.perf_counter() - started
    first = _rate(generator, seed=1)
    later = statistics.harmonic_mean([_rate(generator, seed=seed) for seed in (2, 3, 4)])
    described = generator.describe(prompts(CANDIDATES, seed=5))
    started = time.perf_counter()
    parts = [len(arrange(d, seed=i, seconds=SECONDS).parts) for i, d in enumerate(described)]
    arranging = (time.perf_counter() - started) / CANDIDATES
    note = f"{COMMAND} ({os.cpu_count()} cores)"
    return [
        _row("soundfont: candidates of 5 s", round(later, 1), "per second", f">= {GOAL:g}", later >= GOAL, note),
        _row("soundfont: candidates of 5 s, nothing played before", round(first, 1), "per second", "", True, note),
        _row("soundfont: arranging one", round(1000.0 * arranging, 2), "ms", "", True, note),
        _row("soundfont: instruments, mean", round(sum(parts) / len(parts), 2), "", "", True, note),
        _row("soundfont: getting ready", round(prepared, 2), "s", "", True, note),
    ]


def _rate(generator: SoundFontGenerator, *, seed: int) -> float:
    """Candidates per second, over prompts and seeds that were not played before."""
    words = prompts(CANDIDATES, seed=seed)
    seeds = [1000 * seed + i for i in range(CANDIDATES)]
    started = time.perf_counter()
    generator.generate(words, seconds=SECONDS, seeds=seeds)
    return CANDIDATES / (time.perf_counter() - started)


def _row(name: str, value: float, unit: str, goal: str, met: bool, command: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "met": met, "command": command}


if __name__ == "__main__":
    for row in measure():
        print(f"{row['name']}: {row['value']} {row['unit']}")
