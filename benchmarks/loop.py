"""How long a listener waits: the running product, driven over HTTP as the page does it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import requests

from benchmarks import running
from evomusic_site.environment import ROOT

COMMAND = "python -m benchmarks loop"
REPEATS = 3
RATINGS = 150


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command."""
    with tempfile.TemporaryDirectory(prefix="evomusic-bench-") as folder:
        state_folder = Path(folder)
        with running.demo(state_folder) as demo:
            rows = [
                _row("first click to first playable playlist", _first_playlists(demo), "s", 5.0),
                *_evolving(demo),
                *_web(demo),
            ]
    return rows


def _row(name: str, value: float, unit: str, goal: float) -> dict[str, Any]:
    rounded = round(value, 2)
    return {
        "name": name,
        "value": rounded,
        "unit": unit,
        "goal": f"<= {goal:g}",
        "met": value <= goal,
        "command": COMMAND,
    }


def _first_playlists(demo: running.Demo) -> float:
    """The slowest of some new guests, one after the other."""
    took = []
    for _ in range(REPEATS):
        guest = running.Guest(demo.address)
        started = time.monotonic()
        guest.press_start()
        assert guest.hear(guest.playlist()["tracks"][0])
        took.append(time.monotonic() - started)
    return max(took)


def _evolving(demo: running.Demo) -> list[dict[str, Any]]:
    """Evolve to next playlist, the slowest of some rounds; and ratings while a round is running."""
    guest = running.Guest(demo.address)
    guest.press_start()
    playlist = guest.playlist()
    took: list[float] = []
    for _ in range(REPEATS):
        # Fewer than make a round begin by itself, so that the clock starts with the press.
        for position, track in enumerate(playlist["tracks"][:5]):
            guest.rate(track["id"], 1 if position % 2 else -1)
        started = time.monotonic()
        guest.evolve()
        playlist = guest.playlist(other_than=playlist["id"])
        assert guest.hear(playlist["tracks"][0])
        took.append(time.monotonic() - started)
    latencies = _ratings_while_evolving(guest, playlist)
    return [
        _row("Evolve to next playlist (32 candidates, 3 generations)", max(took), "s", 8.0),
        _row("rating request, p95, while a round is running", latencies[int(0.95 * len(latencies))], "ms", 50.0),
        {**_row("rating request, median", statistics.median(latencies), "ms", 50.0), "goal": "", "met": True},
    ]


def _ratings_while_evolving(guest: running.Guest, playlist: dict[str, Any]) -> list[float]:
    """Milliseconds of each rating, sorted; rounds are kept running all the time."""
    done = threading.Event()

    def keep_evolving() -> None:
        other = running.Guest(guest.address)
        other.press_start()
        while not done.is_set():
            other.evolve()
            time.sleep(0.2)

    with ThreadPoolExecutor(max_workers=1) as pool:
        busy = pool.submit(keep_evolving)
        try:
            latencies = [_rate_once(guest, playlist, number) for number in range(RATINGS)]
        finally:
            done.set()
        busy.result()  # an error there means that nothing was running
    return sorted(latencies)


def _rate_once(guest: running.Guest, playlist: dict[str, Any], number: int) -> float:
    """Milliseconds of one rating; few enough tracks that no round of this guest begins."""
    time.sleep(0.03)
    track = playlist["tracks"][number % 4]["id"]
    started = time.monotonic()
    guest.rate(track, 1 if number % 8 < 4 else -1).raise_for_status()
    return 1000 * (time.monotonic() - started)


def _web(demo: running.Demo) -> list[dict[str, Any]]:
    """Memory of the web process that has just served all this, and how long another one takes to answer."""
    pids = [pid for pid, _ in json.loads((demo.state_folder / "processes.json").read_text())]
    web = next(one for one in map(psutil.Process, pids) if "uvicorn" in " ".join(one.cmdline()))
    memory = web.memory_info().rss / 1e6
    return [
        _row("web process, resident memory after serving", memory, "MB", 120.0),
        _row("web process, start to first answer", _start_seconds(web.environ()), "s", 3.0),
    ]


def _start_seconds(environment: dict[str, str]) -> float:
    port = running.free_port()
    started = time.monotonic()
    command = [sys.executable, "-m", "uvicorn", "evomusic_site.asgi:application", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while time.monotonic() - started < 30:
            try:
                requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.02)
        return time.monotonic() - started
    finally:
        process.terminate()
        process.wait()
