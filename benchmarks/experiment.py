"""A generation through the whole machinery: `evolve` with its players, 100 candidates of 5 s on `soundfont`."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from evomusic_site.environment import ROOT

SECONDS_GOAL = 8.0
COMMAND = "python -m benchmarks experiment"
GENERATIONS, POPULATION = 6, 100

CONFIGURATION = """
music_generator: {{input_type: token_embeddings}}
user_model: {{best_solutions: 2, users: [{{user_type: synth, target_user_id: 0}}]}}
evolution: {{exp_name: bench, generations: {generations}, duration: 5, best_duration: 5}}
fitness: {{mode: user}}
search: {search}
"""

SEARCHES = {
    "GA": "{mode: GA, population_size: 100, elites: 0}",
    "CMAES, subspace 64": "{mode: CMAES, population_size: 100, elites: 0, subspace: 64}",
}


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    rows = []
    for name, search in SEARCHES.items():
        with tempfile.TemporaryDirectory(prefix="evomusic-bench-") as folder:
            efforts = _efforts(Path(folder), search)
        # The first generation warms the note cache and has nothing to learn from.
        steps = [effort for effort in efforts[1:] if effort["effort/played"] == POPULATION]
        seconds = median(step["effort/seconds"] for step in steps)
        playing = median(step["effort/player_seconds"] for step in steps)
        rows += [
            _row(f"{name}: a generation of 100", seconds, "s", f"<= {SECONDS_GOAL:g}", met=seconds <= SECONDS_GOAL),
            _row(f"{name}: of that, the players' work on {_cores()} cores", playing / _cores(), "s", "", met=True),
        ]
    return rows


def _efforts(folder: Path, search: str) -> list[dict[str, float]]:
    """What tracking.csv says of each generation of an experiment that is run as a user would."""
    file = folder / "bench.yaml"
    file.write_text(CONFIGURATION.format(generations=GENERATIONS, search=search))
    environment = {**os.environ, "EVOMUSIC_STATE": str(folder / "var"), "DATABASE_URL": "", "REDIS_URL": ""}
    arguments = ["--config", str(file), "--seed", "0", "--out", str(folder / "out")]
    subprocess.run([sys.executable, "manage.py", "evolve", *arguments], cwd=ROOT, env=environment, check=True)
    found: dict[str, dict[str, float]] = defaultdict(dict)
    with (folder / "out" / "tracking.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            if row["generation"]:
                found[row["step"]][row["figure"]] = float(row["value"])
    return [found[step] for step in sorted(found, key=int)]


def _cores() -> int:
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _row(name: str, value: float, unit: str, goal: str, *, met: bool) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal, "met": met, "command": COMMAND}
