"""`make load`: many listeners on sockets, who rate, look and listen; what that takes, and how much one web process can.

PostgreSQL, Redis, the web processes and the listeners' process are this test's own. See docs/load.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import load_service
from benchmarks.load_figures import BURST, MOST_MILLISECONDS, Options, rows
from benchmarks.load_service import HOST, Service
from evomusic_site.environment import ROOT

STEP_SECONDS = 10.0
FACTOR = 1.25
"""Between two steps of the search for what one web process can."""
MOST_STEPS = 12
WARM_SECONDS = 5.0
QUIET_SECONDS = 10.0


class Listeners:
    """The process of the listeners."""

    def __init__(self, plan: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.load_listeners", str(plan)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Let them do something. Raises RuntimeError when they end instead."""
        self.begin(verb, **arguments)
        return self.answer()

    def begin(self, verb: str, **arguments: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([verb, arguments]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the listeners' process has ended; what it said stands above")
        return dict(json.loads(line))

    def leave(self) -> None:
        """They close their sockets, and the process ends."""
        if self.process.poll() is None:
            self.begin("leave")
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Trial:
    """Listeners on a running service, and what is sent to them."""

    def __init__(self, options: Options, service: Service, listeners: Listeners, people: list[dict[str, Any]]) -> None:
        from benchmarks.load_messages import Messages
        from listening import selectors
        from listening.models import Playlist

        self.options, self.service, self.listeners = options, service, listeners
        content = selectors.playlist_content(Playlist.objects.get(pk=people[0]["playlist"]))
        self.messages = Messages([one["listener"] for one in people], content)
        service.processes["listeners"] = [psutil.Process(listeners.process.pid)]
        service.processes["messages"] = [psutil.Process()]

    def open(self) -> dict[str, float]:
        """Pages and sockets of everybody: {pages, sockets: seconds; before, after: bytes of the web processes}."""
        pages = self.listeners.do("load_pages")["seconds"]
        before = self.service.memory()
        sockets = self.listeners.do("connect")["seconds"]
        time.sleep(2.0)
        return {"pages": pages, "sockets": sockets, "before": before, "after": self.service.memory()}

    def play(self, *, factor: float = 1.0, seconds: float, seed: int) -> dict[str, Any]:
        """The listeners' figures by kind, and under "cores" what each kind of process had of the processor."""
        rates = self.options.rates(factor)
        costs, started = self.service.costs(), time.monotonic()
        self.listeners.begin("play", seconds=seconds, rates=rates, seed=seed)
        with self.messages.sending(rate=self.options.messages(factor), seconds=seconds, seed=seed + 1):
            told = self.listeners.answer()
        took = time.monotonic() - started
        cores = {kind: (used - costs[kind]) / took for kind, used in self.service.costs().items()}
        cores["others"] = max(0.0, cores["machine"] - sum(used for kind, used in cores.items() if kind != "machine"))
        return {"kinds": told, "cores": cores}

    def wait_until_heard(self) -> float:
        """Seconds until as many messages have come as were sent, or nothing came for QUIET_SECONDS."""
        started = moved = time.monotonic()
        known = -1
        while time.monotonic() - moved < QUIET_SECONDS:
            heard = self.listeners.do("heard")["heard"]
            if heard != known:
                known, moved = heard, time.monotonic()
            if heard >= len(self.messages.sent):
                break
            time.sleep(0.02)
        return moved - started

    def search(self) -> tuple[float, dict[str, Any], list[dict[str, Any]]]:
        """The largest factor of all rates that was borne, what came of the step that was not, and all steps."""
        factor, borne, steps = 1.0, 0.0, []
        failed: dict[str, Any] = {}
        for number in range(MOST_STEPS):
            step = self.play(factor=factor, seconds=STEP_SECONDS, seed=self.options.seed + 100 + number)
            steps.append({"factor": factor, "p95": step["kinds"]["rating"]["p95"], "web": step["cores"]["web"]})
            good = bears(step)
            if good:
                borne = max(borne, factor)
            else:
                failed = step
            if good == bool(failed):  # up until one is not borne, or down until one is
                break
            factor = factor * FACTOR if good else factor / FACTOR
        return borne, failed or step, steps


def bears(step: dict[str, Any]) -> bool:
    """Whether every kind of request was answered, and 95 % of the ratings within MOST_MILLISECONDS."""
    kinds = step["kinds"]
    return all(not one["errors"] for one in kinds.values()) and kinds["rating"]["p95"] <= MOST_MILLISECONDS


def limit(cores: dict[str, float], *, web: int, there: int) -> str:
    """What stood in the way, by who had the processor."""
    if cores["web"] >= 0.85 * web:
        return "the web process: one interpreter runs on one core"
    if cores["machine"] >= 0.9 * there:
        return "the machine: all its cores were busy"
    return "neither the web process nor the machine was busy: look at what waits"


def kept(folder: Path) -> dict[str, int]:
    """Acknowledged ratings against the rows: {acknowledged, missing, other, rows, rounds, queued}."""
    from evolution import broker
    from evolution.models import Round
    from listening.models import Rating

    given = json.loads((folder / "given.json").read_text())
    rows = dict(Rating.objects.filter(pk__in=list(given)).values_list("pk", "value"))
    stored = {str(key): value for key, value in rows.items()}
    return {
        "acknowledged": len(given),
        "missing": len(set(given) - set(stored)),
        "other": sum(stored.get(key, value) != value for key, value in given.items()),
        "rounds": Round.objects.filter(status=Round.Status.QUEUED).count(),
        "queued": broker.waiting("rounds") or 0,
    }


def run(options: Options) -> dict[str, Any]:
    """Everything that is measured, by part."""
    with tempfile.TemporaryDirectory(prefix="evomusic-load-") as name:
        folder = Path(name)
        load_service.start_services(folder)
        try:
            with _trial(options, folder) as trial:
                return _measured(trial, folder)
        finally:
            load_service.stop_services(folder)


@contextmanager
def _trial(options: Options, folder: Path) -> Iterator[Trial]:
    from benchmarks import load_rows

    people = load_rows.make(listeners=options.listeners, playlists=options.playlists, seed=options.seed)
    load_rows.settle()
    with load_service.running(folder, web=options.web) as service:
        plan = folder / "plan.json"
        servers = [(HOST, port) for port in service.ports]
        plan.write_text(json.dumps({"servers": servers, "listeners": people, "folder": str(folder)}))
        listeners = Listeners(plan)
        try:
            yield Trial(options, service, listeners, people)
        finally:
            listeners.leave()


def _measured(trial: Trial, folder: Path) -> dict[str, Any]:
    options = trial.options
    opened = trial.open()
    trial.play(seconds=min(WARM_SECONDS, options.seconds), seed=options.seed + 10)
    main = trial.play(seconds=options.seconds, seed=options.seed + 20)
    memory = trial.service.memory()
    trial.wait_until_heard()
    during = len(trial.messages.sent)
    trial.messages.burst(BURST)
    burst = trial.wait_until_heard()
    told = trial.listeners.do("told")
    measured = {
        "opened": {**opened, "played": memory},
        "main": main,
        "burst": burst,
        "open": told["open"],
        "begun": told["rounds"],
        "messages": trial.messages.compared(told["heard"], timed=during),
        "kept": kept(folder),
    }
    if options.search:
        factor, failed, steps = trial.search()
        why = limit(failed["cores"], web=options.web, there=psutil.cpu_count() or 1)
        measured["search"] = {"factor": factor, "failed": failed, "steps": steps, "limit": why}
    return measured


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command; by a process of its own, which sets Django up."""
    with tempfile.TemporaryDirectory(prefix="evomusic-load-") as folder:
        out = Path(folder) / "load.json"
        subprocess.run([sys.executable, "-m", "benchmarks.load", "--out", str(out)], cwd=ROOT, check=False)
        return list(json.loads(out.read_text()))


def main(arguments: list[str]) -> int:
    """Measure, print a table, write JSON; 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    for field in fields(Options):
        if field.name != "search":
            parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    parser.add_argument("--no-search", dest="search", action="store_false", help="leave the search for the most out")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bench" / "load.json")
    given = vars(parser.parse_args(arguments))
    out: Path = given.pop("out")
    options = Options(**given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped then too
    measured = run(options)
    found = rows(options, measured)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n")
    table = Table("what", "measured", "goal", "met")
    for row in found:
        met = ("[green]yes[/]" if row["met"] else "[red]no[/]") if row["goal"] else ""
        table.add_row(row["name"], f"{row['value']:g} {row['unit']}", row["goal"], met)
    Console().print(table)
    for kind, told in measured["main"]["kinds"].items():
        for error in told["first_errors"]:
            print(f"{kind}: {error}", file=sys.stderr)
    for step in measured.get("search", {}).get("steps", ()):
        print(
            f"{step['factor'] * options.ratings:7.1f} ratings/s: p95 {step['p95']:7.1f} ms, web {step['web']:.2f} cores"
        )
    return 0 if all(row["met"] for row in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
