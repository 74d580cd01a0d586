"""Play counts: a CSV with the columns userid, id and count, as the prototype's `clean_stats.csv`, and `splits.json`."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_store.aligner.readers.lines import lines, text
from models_store.aligner.readers.tally import MOST_BAD, Reading, Tally

COLUMNS = ("userid", "id", "count")
_PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
_PART_OF = {alias: part for part, aliases in _PARTS.items() for alias in aliases}
_FORMS = (
    'an object such as {"train": [...], "val": [...], "test": [...]} with ids of songs, ids of users or numbers of '
    'rows (from 0); {"songs": such an object, "users": such an object}; or {id: "train", "val" or "test"}'
)

Chosen = dict[str, tuple[str, ...]]
"""Part ("train", "test", perhaps "validation") -> ids."""


@dataclass(frozen=True)
class Splits:
    """What somebody else chose to train and to test on, for `held_out.parts_of`. None: nothing was chosen."""

    songs: Chosen | None = None
    users: Chosen | None = None


def read(path: Path, *, most_bad: float = MOST_BAD, progress: bool = False) -> Reading:
    """How often each user listened to each song. Columns may be in any order and among others.

    Rows without a user, a song or a count above 0, or not in UTF-8, are counted and left out.
    Raises ValueError, with the path, for another header and if more than `most_bad` of the rows are such.
    """
    tally = Tally(path, most_bad=most_bad)
    for user, song, count in _rows(path, tally, progress=progress):
        if count is not None:
            tally.add(tally.user(user), tally.song(song), count)
    return tally.reading()


def _rows(path: Path, tally: Tally, *, progress: bool) -> Iterator[tuple[str, str, float | None]]:
    """(user, song, count) of each row; a count of None for a row that cannot be read."""
    content = iter(lines(path, progress=progress))
    header = text(path, next(content, b""))
    separator = max(",;\t", key=header.count)
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=separator))]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise ValueError(f"{path}: expected the columns {', '.join(COLUMNS)}, got {', '.join(names)[:200]!r}")
    places = [names.index(name) for name in COLUMNS]
    rows = csv.reader(_decoded(content), delimiter=separator)
    try:
        for row in rows:
            if not row:
                continue
            tally.lines += 1
            try:
                user, song, count = (row[place].strip() for place in places)
                number = float(count)
                if not (user and song and 0 < number < math.inf) or "\ufffd" in user + song:
                    raise ValueError
            except (ValueError, IndexError):
                tally.bad("expected a user, a song and a count above 0, in UTF-8", separator.join(row))
                yield "", "", None
            else:
                yield user, song, number
    except csv.Error as error:
        raise ValueError(f"{path}: expected a CSV, cannot read row {tally.lines}: {error}") from error


def _decoded(content: Iterable[bytes]) -> Iterator[str]:
    for line in content:
        yield line.decode("utf-8", "replace")


def read_splits(path: Path, *, counts: Path) -> Splits:
    """The splits in a JSON file, of the songs or of the users of the CSV `counts`.

    Plain lists are ids of songs, of users, or numbers of rows of the CSV, whichever knows most of them. Rows must split
    the songs, or else the users: all rows of one are in one part.
    Raises ValueError, with the path, for what is none of these.
    """
    try:
        content = json.loads(text(path, path.read_bytes()))
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: expected JSON, cannot read it: {error}") from error
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: expected {_FORMS}, got {str(content)[:80]}")
    if set(content) <= {"songs", "users"}:
        named = {what: _lists(path, chosen) for what, chosen in content.items()}
        return Splits(songs=named.get("songs"), users=named.get("users"))
    if all(isinstance(part, str) for part in content.values()):
        turned: dict[str, list[str]] = {}
        for name, part in content.items():
            turned.setdefault(part, []).append(name)
        content = turned
    return _recognised(path, _lists(path, content), counts)


def _lists(path: Path, content: Any) -> Chosen:
    """Part -> ids, under our names for the parts."""
    if not isinstance(content, dict) or not set(map(_plain, content)) <= set(_PART_OF):
        got = ", ".join(map(str, content))[:80] if isinstance(content, dict) else str(content)[:80]
        raise ValueError(f"{path}: expected {_FORMS}, got {got}")
    chosen: Chosen = {}
    for name, ids in content.items():
        part = _PART_OF[_plain(name)]
        if part in chosen:
            raise ValueError(f"{path}: expected one list for {part}, got two")
        if not isinstance(ids, list) or not all(type(one) in (str, int) for one in ids):
            raise ValueError(f"{path}: expected a list of ids or numbers for {name!r}, got {str(ids)[:80]}")
        chosen[part] = tuple(map(str, ids))
    if not {"train", "test"} <= set(chosen):
        raise ValueError(f"{path}: expected train and test, got {', '.join(content)}")
    return chosen


def _plain(name: str) -> str:
    """A part's name as the prototype and others write it: "train_ids" is "train"."""
    return name.lower().removesuffix("_ids").removesuffix("_songs").removesuffix("_idx").removesuffix("_set")


def _recognised(path: Path, chosen: Chosen, counts: Path) -> Splits:
    rows = [(user, song) for user, song, _ in _rows(counts, Tally(counts), progress=False)]
    every = [one for ids in chosen.values() for one in ids]
    if not every:
        raise ValueError(f"{path}: expected {_FORMS}, got empty lists")
    songs, users = {song for _, song in rows}, {user for user, _ in rows}
    known = {
        "songs": sum(one in songs for one in every),
        "users": sum(one in users for one in every),
        "rows": sum(one.isdecimal() and int(one) < len(rows) for one in every),
    }
    best = max(known, key=lambda what: known[what])  # of equals the first
    if known[best] * 2 < len(every):
        raise ValueError(
            f"{path}: expected ids of songs or users of {counts}, or numbers of its rows; "
            f"of {len(every)} entries {known['songs']} are songs, {known['users']} users and {known['rows']} rows"
        )
    if best == "rows":
        return _of_rows(path, chosen, rows)
    return Splits(songs=chosen) if best == "songs" else Splits(users=chosen)


def _of_rows(path: Path, chosen: Chosen, rows: list[tuple[str, str]]) -> Splits:
    """Rows as the songs, or else the users, that are in them."""
    for place, what in ((1, "songs"), (0, "users")):
        part_of: dict[str, set[str]] = {}
        for part, numbers in chosen.items():
            for number in numbers:
                if number.isdecimal() and int(number) < len(rows):
                    part_of.setdefault(rows[int(number)][place], set()).add(part)
        if all(len(parts) == 1 for parts in part_of.values()):
            found: Mapping[str, tuple[str, ...]] = {
                part: tuple(name for name, (only,) in part_of.items() if name and only == part) for part in chosen
            }
            return Splits(**{what: dict(found)})
    raise ValueError(
        f"{path}: expected the rows of each song, or those of each user, in one part; both are spread over several"
    )
