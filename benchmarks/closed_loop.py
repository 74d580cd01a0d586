"""Does it learn? `simulate` in the size the goal names: liked share against a random control, and variety."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from evomusic_site.environment import ROOT

ARGUMENTS = ["--listeners", "20", "--rounds", "6", "--seed", "0"]
COMMAND = "python manage.py simulate " + " ".join(ARGUMENTS)


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="evomusic-bench-") as folder:
        file = Path(folder) / "simulation.json"
        environment = {**os.environ, "EVOMUSIC_STATE": folder, "DATABASE_URL": "", "REDIS_URL": ""}
        command = [sys.executable, "manage.py", "simulate", *ARGUMENTS, "--json", str(file)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        rounds = json.loads(file.read_text())["rounds"]
    first, last = rounds[0], rounds[-1]
    ahead = 100 * (last["liked"] - last["control"])
    variety = last["variety"] / first["variety"]
    return [
        _row("round 6: liked share, evolved", 100 * last["liked"], "%", "", met=True),
        _row("round 6: liked share, random control", 100 * last["control"], "%", "", met=True),
        _row("round 6: evolved ahead of random by", ahead, "points", ">= 30", met=ahead >= 30),
        _row("round 6: variety, as a share of round 1", variety, "", ">= 0.5", met=variety >= 0.5),
        _row("20 listeners x 6 rounds took", time.monotonic() - started, "s", "", met=True),
    ]


def _row(name: str, value: float, unit: str, goal: str, *, met: bool) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal, "met": met, "command": COMMAND}
