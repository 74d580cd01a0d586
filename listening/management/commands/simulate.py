"""`manage.py simulate`: the closed loop with synthetic listeners."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from evolution import interruption


class Command(BaseCommand):
    help = "Let synthetic listeners rate round after round; compare what they like with random playlists."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--listeners", type=int, default=20, help="how many (default 20)")
        parser.add_argument("--rounds", type=int, default=6, help="how many (default 6)")
        parser.add_argument("--seed", type=int, default=0, help="of listeners, runs and controls (default 0)")
        parser.add_argument("--noise", type=float, default=0.0, help="share of answers that are wrong (default 0)")
        parser.add_argument("--json", type=Path, help="write the figures to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        from listening import simulation  # torch is loaded here, not when commands are listed

        count, rounds, seed = options["listeners"], options["rounds"], options["seed"]
        if count < 1 or rounds < 1:
            raise CommandError(f"expected at least 1 listener and 1 round, got {count} and {rounds}")
        with Progress() as progress:
            bar = progress.add_task("listening", total=count * rounds)
            try:
                with interruption.awaited(lambda: progress.update(bar, description="ending; Ctrl-C again: at once")):
                    figures = simulation.run(
                        listeners_count=count,
                        rounds=rounds,
                        seed=seed,
                        noise=options["noise"],
                        on_progress=lambda number, done: progress.update(bar, completed=(number - 1) * count + done),
                    )
            except KeyboardInterrupt:
                sys.exit(interruption.EXIT_CODE)
            except simulation.SimulationError as error:
                raise CommandError(str(error)) from error
        Console().print(_table(figures))
        if options["json"]:
            content = simulation.as_json(figures, listeners_count=count, seed=seed)
            options["json"].write_text(json.dumps(content, indent=2) + "\n")


def _table(figures: Any) -> Table:
    table = Table(title="Share of liked tracks, evolved against random")
    for heading in ("round", "liked", "control", "ahead by", "variety", "ratings"):
        table.add_column(heading, justify="right")
    for one in figures:
        ahead = f"{100 * (one.liked - one.control):+.0f} points"
        row = (str(one.round), f"{one.liked:.0%}", f"{one.control:.0%}", ahead, f"{one.variety:.2f}", str(one.ratings))
        table.add_row(*row)
    return table
