"""ListenBrainz: dumps of all listeners and exports of one, as a file, a folder or a zip archive.

listens/2024/1.jsonl, *.listens    a JSON object on each line, with `track_metadata`; dumps name the user on each
user.json                          in an export: whose it is
feedback.jsonl                     in an export: what was loved (score 1) and hated (-1)
NAME_lb-2020-01-01.json            the older export: one list of listens
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from tqdm import tqdm

from models_store.aligner.readers.lines import lines, text
from models_store.aligner.readers.tally import MOST_BAD, Reading, Tally, named

_LINES = (".jsonl", ".listens")
_WHOSE = ("user_name", "username", "musicbrainz_id", "user_id")
_OLDER = re.compile(r"(?P<user>.+?)_lb-\d{4}-\d{2}-\d{2}")
_NOT_LISTENS = ("user.json", "feedback.jsonl", "pinned_recording.jsonl", "index.json")


@dataclass(frozen=True)
class _Source:
    """Files that belong together: name -> its lines."""

    path: Path
    files: dict[str, Callable[[], Iterable[bytes]]]


def read(path: Path, *, most_bad: float = MOST_BAD, progress: bool = False) -> Reading:
    """How often each user listened to each recording, and which ones they hate.

    A song's id is the MusicBrainz id of the recording (as mapped, else as submitted) or, where there is none, its
    artist and title. A love counts as one listen more. The user is named on each line, else by `user.json`, else
    by the file's name.
    Raises ValueError, with the path, for what is not such a file, folder or archive, and if more than `most_bad` of the
    lines cannot be read.
    """
    tally = Tally(path, most_bad=most_bad)
    for source in _sources(path, progress=progress):
        _read_source(source, tally)
    return tally.reading()


def _sources(path: Path, *, progress: bool) -> Iterator[_Source]:
    if path.is_dir():
        yield from _folder(path, progress=progress)
    elif path.is_file() and zipfile.is_zipfile(path):
        yield from _archive(path, progress=progress)
    elif path.suffix.lower() == ".zip" and path.is_file():
        raise ValueError(f"{path}: expected a zip archive, this one is cut short or no archive")
    else:
        yield _Source(path, {path.name: lambda: lines(path, progress=progress)})


def _folder(path: Path, *, progress: bool) -> Iterator[_Source]:
    """The exports in a folder, each with its `user.json`, and what belongs to none."""
    found = sorted(one for one in path.rglob("*") if one.is_file())
    owned = {one.parent for one in found if one.name == "user.json"}
    groups: dict[Path, list[Path]] = {}
    for one in found:
        if one.suffix.lower() == ".zip":
            yield from _archive(one, progress=progress)
        elif one.suffix.lower() in (*_LINES, ".json", ".gz"):
            owner = next((parent for parent in one.parents if parent in owned), path)
            groups.setdefault(owner, []).append(one)
    if not found:
        raise ValueError(f"{path}: expected files of listens (.jsonl, .listens, .json or .zip), the folder is empty")
    for owner, members in groups.items():
        yield _Source(
            owner,
            {one.relative_to(owner).as_posix(): partial(lines, one, progress=progress) for one in members},
        )


def _archive(path: Path, *, progress: bool) -> Iterator[_Source]:
    with _whole(path), zipfile.ZipFile(path) as archive:
        names = [name for name in sorted(archive.namelist()) if name.lower().endswith((*_LINES, ".json"))]
        with tqdm(total=len(names), desc=path.name, unit="file", disable=not progress) as bar:
            yield _Source(path, {name: partial(_member, path, archive, name, bar) for name in names})


def _member(path: Path, archive: zipfile.ZipFile, name: str, bar: tqdm[NoReturn]) -> Iterator[bytes]:
    bar.update()
    with _whole(path), archive.open(name) as file:
        yield from file


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Inside the block, what a damaged, encrypted or strange archive raises is a ValueError with its path."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise ValueError(f"{path}: expected a whole zip archive, cannot read it: {error}") from error


def _read_source(source: _Source, tally: Tally) -> None:
    owner = None
    for name, opened in source.files.items():
        if PurePosixPath(name).name == "user.json":
            owner = _owner(source, name, opened)
    for name, opened in source.files.items():
        base = PurePosixPath(name).name
        if base == "feedback.jsonl":
            _each(opened(), tally, lambda said: _feedback(said, owner, tally))
        elif base not in _NOT_LISTENS:
            _listens(source, name, opened, owner, tally)


def _listens(
    source: _Source, name: str, opened: Callable[[], Iterable[bytes]], owner: str | None, tally: Tally
) -> None:
    """Listens, one on each line or all in one list."""
    content = iter(opened())
    first = next(content, b"")
    if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        where, stem = f"{source.path}: {name}", PurePosixPath(name).stem
        older = _OLDER.match(stem)
        whose = owner or (older["user"] if older else stem)
        for record in _list(where, b"".join([first, *content])):
            tally.lines += 1
            _note(record, tally, lambda said: _listen(said, whose, tally))
    else:
        _each(chain([first] if first else [], content), tally, lambda said: _listen(said, owner, tally))


def _each(content: Iterable[bytes], tally: Tally, note: Callable[[dict[str, Any]], None]) -> None:
    for line in content:
        if not line.strip():
            continue
        tally.lines += 1
        try:
            record = json.loads(line)
        except ValueError:  # another encoding than UTF-8 too
            tally.bad("expected a JSON object in UTF-8", line)
        else:
            _note(record, tally, note)


def _note(record: Any, tally: Tally, note: Callable[[dict[str, Any]], None]) -> None:
    if not isinstance(record, dict):
        tally.bad("expected a JSON object", str(record))
        return
    try:
        note(record)
    except ValueError as error:
        tally.bad(str(error), json.dumps(record))


def _listen(record: dict[str, Any], owner: str | None, tally: Tally) -> None:
    user = _user(record) or owner
    song = _song(record.get("track_metadata"))
    if user is None or song is None:
        raise ValueError("expected track_metadata with artist_name and track_name, and a user_name somewhere")
    tally.add(tally.user(user), tally.song(song))


def _feedback(record: dict[str, Any], owner: str | None, tally: Tally) -> None:
    user, song = _user(record) or owner, record.get("recording_mbid")
    if user is None or record.get("score") not in (-1, 0, 1):
        raise ValueError("expected a score of -1, 0 or 1, and a user_name somewhere")
    song = song.lower() if isinstance(song, str) and song else _song(record.get("track_metadata"))
    if song is None:  # known by nothing but an id of ListenBrainz' own
        return
    if record["score"] < 0:
        tally.dislike(tally.user(user), tally.song(song))
    elif record["score"] > 0:
        tally.add(tally.user(user), tally.song(song))


def _song(told: Any) -> str | None:
    """The id of the recording in `track_metadata`."""
    if not isinstance(told, dict):
        return None
    for where in ("mbid_mapping", "additional_info"):
        known = told.get(where)
        mbid = known.get("recording_mbid") if isinstance(known, dict) else None
        if isinstance(mbid, str) and mbid:
            return mbid.lower()
    artist, title = told.get("artist_name"), told.get("track_name")
    if not isinstance(artist, str) or not isinstance(title, str) or not artist.strip() or not title.strip():
        return None
    return named(artist, title)


def _user(record: dict[str, Any]) -> str | None:
    return next((str(record[key]) for key in _WHOSE if record.get(key) not in (None, "")), None)


def _owner(source: _Source, name: str, opened: Callable[[], Iterable[bytes]]) -> str | None:
    where = f"{source.path}: {name}"
    content = text(where, b"".join(opened()))
    try:
        told = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{where}: expected a JSON object, cannot read it: {error}") from error
    return _user(told) if isinstance(told, dict) else None


def _list(where: str, content: bytes) -> list[Any]:
    try:
        told = json.loads(text(where, content))
    except ValueError as error:
        raise ValueError(f"{where}: expected a whole JSON list of listens, cannot read it: {error}") from error
    if not isinstance(told, list):
        raise ValueError(f"{where}: expected a JSON list of listens, got a {type(told).__name__}")
    return told
