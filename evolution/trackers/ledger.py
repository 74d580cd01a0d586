"""The figures as one CSV file: what was told, so that a run that goes on tells nothing twice."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from evolution.trackers.sink import Moment

COLUMNS = ("step", "round", "generation", "figure", "value")


class Ledger:
    """A line for each figure: step, round, generation (empty for a round as a whole), figure, value."""

    name = "the CSV file"
    wants_sound = False

    def __init__(self, file: Path) -> None:
        """Begin the file, or go on with it; a line that a killed process left unfinished is cut off."""
        self._file = file
        self._told: set[tuple[int, int | None]] = set()
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = file.read_bytes() if file.exists() else b""
        whole = kept[: kept.rfind(b"\n") + 1] or (",".join(COLUMNS) + "\n").encode()
        if whole != kept:
            draft = file.with_name(f".{file.name}.draft")
            draft.write_bytes(whole)
            draft.replace(file)
        for row in csv.DictReader(io.StringIO(whole.decode())):
            self._told.add((int(row["round"]), int(row["generation"]) if row["generation"] else None))

    def has(self, moment: Moment) -> bool:
        """Whether anything was told of this generation, or of this round as a whole."""
        return (moment.round, moment.generation) in self._told

    def numbers(self, values: Mapping[str, float], *, at: Moment) -> None:
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        for name, value in values.items():
            lines.writerow([at.step, at.round, at.generation if at.generation is not None else "", name, value])
        with self._file.open("ab") as file:
            file.write(text.getvalue().encode())
        self._told.add((at.round, at.generation))

    def sound(self, name: str, file: Path, *, caption: str, at: Moment) -> None:
        """Sounds are files already."""

    def picture(self, name: str, file: Path, *, at: Moment) -> None:
        """Pictures are files already."""

    def close(self) -> None:
        """Every line is in the file as soon as it is told."""
