"""How soon does a listener get a proof, and how often one who rates at random? `python -m benchmarks.proof`.

Simulated opinions, no music: playlists of six evolved songs and one control, all rated.
"""

from __future__ import annotations

import random
import time
from statistics import mean, stdev
from typing import Any

from models_store.taste import proof

COMMAND = "python -m benchmarks.proof"
EVOLVED = 6
LISTENERS = 2000
PLAYLISTS = 150
LOOKS = 60
"""Playlists after each of which a random rater looks."""
NEVER = 10**6


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    rows = []
    for evolved, others in ((0.8, 0.3), (0.7, 0.35), (0.68, 0.41), (0.6, 0.4), (0.6, 0.5)):
        after = sorted(_after(seed, evolved, others, PLAYLISTS) for seed in range(LISTENERS))
        likes = f"likes {evolved:.0%} against {others:.0%}"
        for name, value in (("half", after[LISTENERS // 2]), ("nine of ten", after[LISTENERS * 9 // 10])):
            told = f"{likes}: {name} have a proof after"
            rows.append(_row(told, value if value < NEVER else f"over {PLAYLISTS}", "playlists"))
    for rate in (0.2, 0.5, 0.8):
        false = sum(_after(seed, rate, rate, LOOKS) < NEVER for seed in range(LISTENERS)) / LISTENERS
        told = f"rates at random, likes {rate:.0%}: ever shown a proof in {LOOKS} playlists"
        rows.append(_row(told, round(100 * false, 2), "%", goal="<= 5", met=false <= 0.05))
    misled = sum(_misled(seed) for seed in range(LISTENERS)) / LISTENERS
    rows.append(_row("the same at 50%, by a t test at 5 % after each playlist", round(100 * misled, 1), "%"))
    blocks = list(_playlists(1, 0.7, 0.35, 1000))
    started = time.perf_counter()
    proof.prove(blocks)
    rows.append(_row("a proof from 1,000 playlists takes", round(1000 * (time.perf_counter() - started), 1), "ms"))
    return rows


def _after(seed: int, evolved: float, others: float, playlists: int) -> int:
    """The playlist at which a listener with these rates of likes has a proof; NEVER for none."""
    found = proof.prove(_playlists(seed, evolved, others, playlists))
    return found.after if found.verdict == "proved" and found.after is not None else NEVER


def _misled(seed: int) -> bool:
    """Whether a random rater is ever shown a proof by an ordinary test, done anew after each playlist from the 5th."""
    differences: list[float] = []
    for block in _playlists(seed, 0.5, 0.5, LOOKS):
        differences.append(block.difference or 0.0)
        if len(differences) >= 5 and mean(differences) > 1.645 * stdev(differences) / len(differences) ** 0.5:
            return True
    return False


def _playlists(seed: int, evolved: float, others: float, count: int) -> list[proof.Block]:
    rng = random.Random(seed)
    return [
        proof.Block(tuple(rng.random() < evolved for _ in range(EVOLVED)), (rng.random() < others,))
        for _ in range(count)
    ]


def _row(name: str, value: float | str, unit: str, *, goal: str = "", met: bool = True) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "met": met, "command": COMMAND}


if __name__ == "__main__":
    for row in measure():
        print(f"{row['name']:>72}  {row['value']} {row['unit']}")
    print(proof.sentence(proof.prove(_playlists(1, 0.68, 0.41, 40))))
