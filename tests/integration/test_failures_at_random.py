"""`make chaos`, short: the product as processes, kills at random, and nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys

from evomusic_site.environment import ROOT

KILLS = 8


def test_nothing_is_lost_when_processes_are_killed_at_random(tmp_path):
    figures = tmp_path / "chaos.json"
    options = ["--kills", str(KILLS), "--seed", "1", "--listeners", "2", "--minutes", "3", "--json", str(figures)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chaos", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(figures.read_text())
    assert len(told["kills"]) == KILLS
    assert told["violations"] == []
    assert told["runs"] >= 1
    assert told["ratings"] >= 4
    assert told["candidates"] == 168 * told["runs"]  # all of each run, and each was compared with an undisturbed one
