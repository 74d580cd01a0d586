"""The players' queue: a simulation that follows `evolution.fairness`, and the same with real players where cores allow.

What the simulation assumes: a candidate takes a player the same time whoever asks; players are equal and lose no time
between two chunks; populations are cut as `evolution.evaluation` cuts them; a generation is asked for at once; nobody
is killed. It says nothing of how players slow one another down on one machine: the real processes do.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolution import fairness
from evolution.fairness import Waiting
from evomusic_site.environment import ROOT

COMMAND = "python -m benchmarks queue"
LONGEST_CHUNK, LARGEST_CHUNK, CHUNKS_PER_PLAYER = 2.0, 64, 2  # as in evolution.evaluation, which imports Django
SECONDS_EACH = 0.1
CANDIDATES = 192


@dataclass(frozen=True)
class Request:
    """Somebody asks at a moment for so many candidates, with so many seconds of music left to hear."""

    flow: int
    at: float
    candidates: int
    unheard: float = 0.0


def simulate(requests: Sequence[Request], *, players: int, seconds_each: float, fair: bool = True) -> dict[int, float]:
    """When each flow's last candidate was played, in seconds. fair: else the first asked is the first served."""
    coming = sorted(requests, key=lambda one: one.at)
    free = [(0.0, player) for player in range(players)]
    waiting: list[Waiting] = []
    had: dict[int | None, tuple[float, float]] = {}
    finished: dict[int, float] = {}
    number = itertools.count()
    while coming or waiting:
        now, player = heapq.heappop(free)
        if not waiting and coming:
            now = max(now, coming[0].at)
        while coming and coming[0].at <= now:
            waiting += _cut(coming.pop(0), players, seconds_each, number)
        left = {flow: fairness.faded(seconds, age=now - at) for flow, (seconds, at) in had.items()}
        chosen = fairness.order(waiting, left)[0] if fair else min(waiting, key=lambda one: (one.asked, one.name))
        waiting.remove(chosen)
        had[chosen.flow] = left.get(chosen.flow, 0.0) + chosen.cost, now
        done = now + chosen.cost
        finished[chosen.flow or 0] = max(finished.get(chosen.flow or 0, 0.0), done)
        heapq.heappush(free, (done, player))
    return finished


def _cut(request: Request, players: int, seconds_each: float, number: Any) -> list[Waiting]:
    size = fairness.cut(
        request.candidates,
        seconds_each=seconds_each,
        players=players,
        per_player=CHUNKS_PER_PLAYER,
        longest=LONGEST_CHUNK,
        most=LARGEST_CHUNK,
    )
    sizes = [min(size, request.candidates - start) for start in range(0, request.candidates, size)]
    weight = fairness.weight(request.unheard)
    return [
        Waiting(f"{next(number):06}", request.flow, one, one * seconds_each, weight, request.at, "alike")
        for one in sizes
    ]


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    return [*_simulated(), *_real()]


def _simulated() -> list[dict[str, Any]]:
    guests = [Request(flow=1 + number, at=1.0 + 0.05 * number, candidates=24) for number in range(20)]
    big = Request(flow=0, at=0.0, candidates=500, unheard=fairness.ENOUGH_UNHEARD)
    took = {players: max(simulate([big], players=players, seconds_each=SECONDS_EACH).values()) for players in (1, 2)}
    alone = _waits(simulate(guests, players=2, seconds_each=SECONDS_EACH), guests)
    queued = _waits(simulate([big, *guests], players=2, seconds_each=SECONDS_EACH, fair=False), guests)
    finished = simulate([big, *guests], players=2, seconds_each=SECONDS_EACH)
    fair = _waits(finished, guests)
    best = (500 + 20 * 24) * SECONDS_EACH / 2
    return [
        _row("simulated: two players against one, candidates a second", took[1] / took[2], "times", least=1.8),
        _row("simulated: mean wait of 20 guests alone", statistics.mean(alone), "s"),
        _row("simulated: the same beside a population of 500, first come first served", statistics.mean(queued), "s"),
        _row("simulated: the same, fair", statistics.mean(fair), "s"),
        _row(
            "simulated: fair wait beside 500 against alone",
            statistics.mean(fair) / statistics.mean(alone),
            "times",
            most=1.15,
        ),
        _row("simulated: the 500 are done, against all work without a pause", finished[0] / best, "times", most=1.1),
    ]


def _waits(finished: dict[int, float], asked: Sequence[Request]) -> list[float]:
    return [finished[one.flow] - one.at for one in asked]


def _real() -> list[dict[str, Any]]:
    """Candidates a second of one and of two real players; a goal only where each has a core beside the others'."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    one, two = (_rate(players) for players in (1, 2))
    goal = 1.8 if cores >= 4 else None
    return [
        _row(f"real: one player ({cores} cores)", one, "candidates/s"),
        _row(f"real: two players ({cores} cores)", two, "candidates/s"),
        _row(f"real: two against one ({cores} cores)", two / one, "times", least=goal),
    ]


def _rate(players: int) -> float:
    """A population played by that many players of an embedded service of its own."""
    with tempfile.TemporaryDirectory(prefix="evomusic-bench-") as folder:
        environment = {**os.environ, "EVOMUSIC_STATE": folder, "DATABASE_URL": "", "REDIS_URL": ""}
        environment["PLAYERS"] = str(players)
        (Path(folder) / "queue.yaml").write_text(json.dumps(_experiment()))
        config = str(Path(folder) / "queue.yaml")
        out = Path(folder) / "out"
        options = ["--config", config, "--out", str(out), "--seed", "1", "--workers", str(players)]
        command = [sys.executable, "manage.py", "evolve", *options]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=600)
        lines = (out / "history.csv").read_text().splitlines()
        column = lines[0].split(",").index("seconds")
        # The first generation warms the players up.
        return CANDIDATES / float(lines[2].split(",")[column])


def _experiment() -> dict[str, Any]:
    """Two generations of candidates that are all new, so that each is played."""
    return {
        "epochs": 1,
        "user_model": {"best_solutions": 1, "users": [{"user_type": "synth", "target_user_id": 3}]},
        "evolution": {
            "exp_name": "queue",
            "generations": 2,
            "duration": 4.0,
            "best_duration": 1.0,
            "fitness": {"mode": "user"},
            "search": {"mode": "random", "population_size": CANDIDATES},
        },
    }


def _row(
    name: str, value: float, unit: str, *, least: float | None = None, most: float | None = None
) -> dict[str, Any]:
    rounded, goal, met = round(value, 2), "", True
    if least is not None:
        goal, met = f">= {least:g}", value >= least
    elif most is not None:
        goal, met = f"<= {most:g}", value <= most
    return {"name": name, "value": rounded, "unit": unit, "goal": goal, "met": met, "command": COMMAND}
