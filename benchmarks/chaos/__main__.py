"""`make chaos`: listeners listen, processes are killed at random, and it is looked whether anything was lost."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.chaos import service as services
from benchmarks.chaos import trials, verdict
from benchmarks.chaos.guests import Listening
from benchmarks.chaos.kills import Kill, Killer
from benchmarks.chaos.service import Service

PLAYERS = 2
MOST_TRIALS = 12
"""Synthetic listeners' runs in all: each is done once more, undisturbed, to compare."""
LONGEST_PAUSE = 2.5
"""Seconds from kill to kill on average, where there is more time than that."""
SHARE_FOR_KILLS, SHARE_TO_END = 0.75, 0.88
"""Of the time: until when is killed, and when all must have ended; then come the undisturbed runs."""


@dataclass
class Outcome:
    """What came of it."""

    seed: int
    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    candidates: int = 0
    ratings: int = 0
    playlists: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    settled: float = 0.0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """By the supervisor."""


def main(arguments: Sequence[str]) -> int:
    """0 when nothing was lost; 1 with a sentence for each violation."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is stopped
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evomusic_site.settings")
    with tempfile.TemporaryDirectory(prefix="evomusic-chaos-", ignore_cleanup_errors=True) as folder:
        try:
            outcome = _run(Path(folder), options)
        finally:
            if options.logs:
                shutil.copytree(Path(folder) / "disturbed" / "log", options.logs, dirs_exist_ok=True)
    _print(outcome, wanted=options.kills)
    if options.json:
        options.json.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    for sentence in outcome.violations:
        print(f"Violated: {sentence}.", file=sys.stderr)
    return 1 if outcome.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many processes are killed (200)")
    parser.add_argument("--seed", type=int, default=1, help="of which are killed when, and of what is rated (1)")
    parser.add_argument("--listeners", type=int, default=6, help="half of them guests, half synthetic (6)")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all of it, at most (10)")
    parser.add_argument("--logs", type=Path, help="a folder for the logs of all processes")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    return parser


def _run(folder: Path, options: argparse.Namespace) -> Outcome:
    import django

    outcome, began = Outcome(options.seed), time.monotonic()
    synthetic = max(1, options.listeners // 2)
    with services.service(folder / "disturbed", players=PLAYERS) as disturbed:
        django.setup()
        trials.use(disturbed)
        trials.prepare()
        guests = [Listening(disturbed.address, seed=number) for number in range(options.listeners - synthetic)]
        for guest in guests:
            guest.start()
        _kill(disturbed, outcome, options, synthetic=synthetic, began=began)
        outcome.settled = _settle(disturbed, guests, until=began + 60.0 * options.minutes * SHARE_TO_END)
        found = _look(disturbed, guests, outcome)
    until = began + 60.0 * options.minutes
    seeds = sorted({seed for seed, _ in found})
    with services.service(folder / "undisturbed", players=PLAYERS) as undisturbed:
        trials.use(undisturbed)
        outcome.violations += verdict.histories_equal(found, _undisturbed(undisturbed, seeds, until))
    outcome.seconds = time.monotonic() - began
    return outcome


def _kill(service: Service, outcome: Outcome, options: argparse.Namespace, *, synthetic: int, began: float) -> None:
    """Kill at random moments, evenly over the time there is, while so many synthetic runs go on."""
    killer, luck, begun = Killer(service, seed=options.seed), random.Random(options.seed), 0
    until = began + 60.0 * options.minutes * SHARE_FOR_KILLS
    each = min(LONGEST_PAUSE, (until - time.monotonic()) / options.kills)
    outcome.kills = killer.done
    while len(killer.done) < options.kills and time.monotonic() < until:
        if begun < MOST_TRIALS:
            going = sum(status == "running" for _, status, _ in trials.statuses(service).values())
            for _ in range(synthetic - going):
                begun += 1
                trials.begin(options.seed * 1000 + begun)
        moment = killer.began + each * (len(killer.done) + luck.random())  # who is late does not rest
        time.sleep(max(0.0, moment - time.monotonic()))
        killer.strike()
        _progress(f"{len(killer.done)} of {options.kills} kills")
    if len(killer.done) < options.kills:
        outcome.violations.append(f"only {len(killer.done)} of {options.kills} kills found time")


def _settle(service: Service, guests: Sequence[Listening], *, until: float) -> float:
    """Seconds until all that was begun has ended, or until the time for that is over."""
    began = time.monotonic()
    for guest in guests:
        guest.leave.set()
    while time.monotonic() < until:
        _progress("waiting until everything has ended")
        going = any(status == "running" for _, status, _ in trials.statuses(service).values())
        if not going and all(guest.quiet.is_set() for guest in guests) and service.is_whole(players=PLAYERS):
            break
        time.sleep(0.5)
    return time.monotonic() - began


def _look(service: Service, guests: Sequence[Listening], outcome: Outcome) -> list[tuple[int, verdict.History]]:
    """All checks that need no other run; gives the histories, each with its seed."""
    outcome.violations += verdict.everything_ended(service)
    outcome.violations += verdict.ratings_kept(service, guests)
    outcome.violations += verdict.playlists_kept(service, guests)
    outcome.violations += verdict.chunks_soon(outcome.kills)
    if service.demo.process.poll() is not None or not service.is_whole(players=PLAYERS):
        outcome.violations.append(f"the service is not whole; its supervisor said: {' '.join(service.said[-3:])}")
    found = [
        (seed, trials.history(service, run))
        for run, (seed, status, _) in trials.statuses(service).items()
        if status == "done"
    ]
    outcome.runs, outcome.said = len(found), list(service.said)
    outcome.candidates = sum(len(one["candidates"]) for _, one in found)
    outcome.ratings = sum(len(guest.acknowledged) for guest in guests)
    outcome.playlists = sum(len(guest.playlists) for guest in guests)
    outcome.counts = dict(sum((guest.counts for guest in guests), Counter[str]()))
    return found


def _undisturbed(service: Service, seeds: Sequence[int], until: float) -> dict[int, verdict.History]:
    trials.prepare()
    for seed in seeds:
        trials.begin(seed)
    while time.monotonic() < until:
        now = trials.statuses(service).values()
        _progress(f"undisturbed: {sum(status == 'done' for _, status, _ in now)} of {len(seeds)} runs")
        if all(status != "running" for _, status, _ in now):
            break
        time.sleep(0.5)
    done = {seed: run for run, (seed, status, _) in trials.statuses(service).items() if status == "done"}
    return {seed: trials.history(service, run) for seed, run in done.items()}


def _progress(said: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{said:<60}", end="", file=sys.stderr, flush=True)


def _print(outcome: Outcome, *, wanted: int) -> None:
    table, console = Table("killed", "kills", "asked to end"), Console()
    for kind in services.KINDS:
        mine = [kill for kill in outcome.kills if kill.kind == kind]
        table.add_row(kind, str(len(mine)), str(sum(kill.asked for kill in mine)))
    table.add_row("all", f"{len(outcome.kills)} of {wanted}", str(sum(kill.asked for kill in outcome.kills)))
    console.print(table)
    table = Table("a killed player's chunk ran again", "kills", "median", "longest")
    for told, alone in (("with another player up", False), ("with none, until one was started again", True)):
        again = [one.chunk_again for one in outcome.kills if one.chunk_again is not None and (not one.others) == alone]
        figures = (f"{statistics.median(again):.2f} s", f"{max(again):.2f} s") if again else ("", "")
        table.add_row(told, str(len(again)), *figures)
    console.print(table)
    rows: dict[str, Any] = {
        "synthetic listeners' runs that ended": outcome.runs,
        "their candidates": outcome.candidates,
        "guests' ratings acknowledged": outcome.ratings,
        "guests' playlists": outcome.playlists,
        **dict(sorted(outcome.counts.items())),
        "seconds until all had ended": round(outcome.settled, 1),
        "seconds in all": round(outcome.seconds, 1),
        "violations": len(outcome.violations),
    }
    second = Table("seen", "")
    for name, value in rows.items():
        second.add_row(name, str(value))
    console.print(second)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
