"""What a tracker is told, and the one interface of those it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Moment:
    """When something was so: after how many generations of the run, and in which round.

    step: generations of the run so far, from 0 before the first. round: its number, from 1.
    generation: its number within the round, from 1; None: the round as a whole.
    """

    step: int
    round: int
    generation: int | None = None


class Sink(Protocol):
    """Somewhere that figures go. Whatever it raises is the tracker's to deal with."""

    name: str
    wants_sound: bool

    def numbers(self, values: Mapping[str, float], *, at: Moment) -> None:
        """Keep finite numbers under their names, such as `fitness/best`."""

    def sound(self, name: str, file: Path, *, caption: str, at: Moment) -> None:
        """Keep a sound file; only asked of one that `wants_sound`."""

    def picture(self, name: str, file: Path, *, at: Moment) -> None:
        """Keep a PNG file."""

    def close(self) -> None:
        """Nothing follows."""
