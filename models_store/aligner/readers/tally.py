"""Listens added up as they are read, and the lines that could not be."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from models_store.aligner.histories import Histories

MOST_BAD = 0.05
"""A file of which more than this share cannot be read is another kind of file."""
_JUDGED_AFTER = 1000  # lines; whoever names the wrong file shall not wait for its end
_HELD = 1 << 22  # listens before they are added up: 48 MB
_EXAMPLES = 3
_SHOWN = 80


@dataclass(frozen=True)
class Reading:
    """Histories as they were read. lines: how many there were. bad: how many of them said nothing; examples of why."""

    histories: Histories
    lines: int
    bad: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        told = self.histories
        text = (
            f"{self.lines} lines: {len(told.users)} users, {len(told.songs)} songs, {len(told)} pairs, "
            f"{float(told.counts.double().sum()):.0f} listens, {len(told.disliked)} dislikes"
        )
        return f"{text}; {self.bad} lines could not be read ({'; '.join(self.examples)})" if self.bad else text


class Tally:
    """Adds up who listened to what. Users and songs are numbered as they come.

    path: what is read, for messages. most_bad: largest share of lines that may be unreadable.
    """

    def __init__(self, path: Path, *, most_bad: float = MOST_BAD) -> None:
        self.path, self.most_bad = path, most_bad
        self.users: dict[str, int] = {}
        self.songs: dict[str, int] = {}
        self.lines = self.wrong = 0
        self._examples: list[str] = []
        self._keys, self._counts = array("q"), array("f")
        self._added: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]] = np.empty(0, np.int64), np.empty(0)
        self._against: set[tuple[int, int]] = set()

    def user(self, name: str) -> int:
        """The number of a user."""
        return self.users.setdefault(name, len(self.users))

    def song(self, name: str) -> int:
        """The number of a song."""
        return self.songs.setdefault(name, len(self.songs))

    def add(self, user: int, song: int, count: float = 1.0) -> None:
        """So many listens more."""
        self._keys.append(user << 32 | song)
        self._counts.append(count)
        if len(self._keys) >= _HELD:
            self._add_up()

    def dislike(self, user: int, song: int) -> None:
        """The user says that they dislike the song."""
        self._against.add((user, song))

    def bad(self, why: str, line: bytes | str = "") -> None:
        """A line that could not be read. Raises ValueError if nearly all so far were such."""
        self.wrong += 1
        if len(self._examples) < _EXAMPLES:
            shown = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
            self._examples.append(f"line {self.lines}: {why}" + (f", got {shown.strip()[:_SHOWN]!r}" if line else ""))
        if self.lines >= _JUDGED_AFTER and self.wrong > self.lines / 2:
            self._refuse()

    def reading(self) -> Reading:
        """What was read. Raises ValueError if that is nothing, or if too many lines could not be."""
        if self.wrong > self.most_bad * self.lines:
            self._refuse()
        self._add_up()
        keys, counts = self._added
        if not len(keys) and not self._against:
            raise ValueError(f"{self.path}: expected listens, got none")
        against = torch.tensor(sorted(self._against), dtype=torch.int64).reshape(-1, 2)
        histories = Histories.of(
            tuple(self.users),
            tuple(self.songs),
            torch.from_numpy(keys >> 32),
            torch.from_numpy(keys & 0xFFFFFFFF),
            torch.from_numpy(counts),
            disliked=against,
        )
        return Reading(histories, self.lines, self.wrong, tuple(self._examples))

    def _add_up(self) -> None:
        keys = np.concatenate([self._added[0], np.frombuffer(self._keys, np.int64)])
        counts = np.concatenate([self._added[1], np.frombuffer(self._counts, np.float32)])
        each, place = np.unique(keys, return_inverse=True)
        self._added = each, np.bincount(place, counts, len(each)).astype(np.float64)
        self._keys, self._counts = array("q"), array("f")

    def _refuse(self) -> None:
        raise ValueError(
            f"{self.path}: {self.wrong} of {self.lines} lines cannot be read, such as {'; '.join(self._examples)}"
        )


def named(artist: str, title: str) -> str:
    """The id of a song that has no MusicBrainz id: artist and title, without regard to case and spacing."""
    return " - ".join(" ".join(words.split()) for words in (artist, title)).casefold()
