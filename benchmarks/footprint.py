"""`python -m benchmarks.footprint`: the memory of each process of the service, after a guest's two playlists."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import running

ROLES = {"uvicorn": "web", "rounds": "conductor", "gpu": "player", "postgres": "PostgreSQL", "redis": "Redis"}
"""A word of a process' command line, and what the process is."""


def main() -> None:
    """Start the demo with two players, let a guest get two playlists, and print a table in MB."""
    with tempfile.TemporaryDirectory(prefix="evomusic-footprint-") as folder, running.demo(Path(folder)) as demo:
        guest = running.Guest(demo.address)
        guest.press_start()
        first = guest.playlist()
        guest.evolve()
        guest.playlist(other_than=first["id"])
        time.sleep(3)  # the conductor tells the taste in words afterwards
        print("process        resident   its own (MB)")
        for role, resident, own in sorted(_measured(demo.state_folder)):
            print(f"{role:<12} {resident:10.0f} {own:14.0f}")


def _measured(state_folder: Path) -> Iterator[tuple[str, float, float]]:
    """What each process of the demo is, its resident memory, and that which no other shares, in MB."""
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            role = next((role for word, role in ROLES.items() if any(word in one for one in words)), "")
            if not role or not _belongs(process, state_folder):
                continue
            told = process.memory_full_info()
        except psutil.Error:
            continue
        yield role, told.rss / 1e6, told.uss / 1e6


def _belongs(process: psutil.Process, state_folder: Path) -> bool:
    """Whether a process is of the demo in this folder: by its environment, or by its command line."""
    named = str(state_folder)
    return process.environ().get("EVOMUSIC_STATE") == named or any(named in word for word in process.cmdline())


if __name__ == "__main__":
    main()
