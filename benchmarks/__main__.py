"""`make bench`: run the benchmarks, print one table, write JSON under var/bench/. Names choose some of them."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from evomusic_site.environment import ROOT

ALL = (
    *("soundfont", "listening_ear", "search", "generation", "llm"),
    *("musicgen", "mert", "riffusion", "neural"),
    *("aligner", "taste", "asking", "proof"),
    *("experiment", "loop", "closed_loop", "search_quality"),
    *("queue", "answers", "load"),
)


def main(chosen: list[str]) -> int:
    unknown = set(chosen) - set(ALL)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(ALL)}", file=sys.stderr)
        return 2
    folder = ROOT / "var" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    table = Table("what", "measured", "goal", "met", "by")
    for name in chosen or ALL:
        Console().print(f"[dim]{name} ...[/]")
        rows: list[dict[str, Any]] = importlib.import_module(f"benchmarks.{name}").measure()
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")
        for row in rows:
            met = ("[green]yes[/]" if row["met"] else "[red]no[/]") if row["goal"] else ""
            table.add_row(row["name"], f"{row['value']} {row['unit']}", str(row["goal"]), met, row["command"])
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
