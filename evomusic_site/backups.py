"""Everything that is kept, written into a folder or one file, and read back: the database and the media."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, default_storage
from django.db import connections

from evolution.models import Recording
from evomusic_site import archives, dumps, schema
from evomusic_site.archives import Archive, Backup

DATABASE = "database.sql.gz"
MEDIA = "media/"
RECORDINGS = str(Recording.file.field.upload_to)
"""The part of the media that may be in a bucket; the rest, which experiments name by path, is always in a folder."""

Told = Callable[[int, int], None]
"""Called with how many files are done, of how many."""


class BackupError(RuntimeError):
    """Nothing was restored, or not all of it; the message says what to do."""


@dataclass(frozen=True)
class Summary:
    """What was written or read back. missing: recordings that the database names and that were not there."""

    made_at: str
    rows: int
    files: int
    bytes: int
    missing: list[str]


def write(target: Path, *, on_file: Told | None = None) -> Summary:
    """Back everything up while the service runs: the rows as of one moment, and every file that they name.

    Files are copied after that moment, and a recording's file is written before its row: no row lacks its file.
    Raises archives.ArchiveError or dumps.DumpError, and leaves nothing then.
    """
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    with archives.written(target) as archive:
        with dumps.snapshot() as (held, snapshot):  # not longer than it must be: while it is held nothing is vacuumed
            _add_database(archive, target.parent, held, snapshot)
            counted = dumps.rows(held)
            named = [str(row[0]) for row in held.execute("SELECT file FROM evolution_recording")]
            migrations = [list(row) for row in held.execute("SELECT app, name FROM django_migrations ORDER BY 1, 2")]
        missing = _add_media(archive, named, on_file)
        archive.close(made_at=made_at, rows=counted, migrations=migrations, missing=missing)
        return _summary(made_at, counted, archive.files, missing)


def restore(source: Path, *, replace: bool = False, on_file: Told | None = None) -> Summary:
    """Read a backup back: the files, then the rows, in one transaction. The service must not run meanwhile.

    replace: what the database holds now may go. Files that are there and not in the backup stay.
    Raises archives.ArchiveError for what is no whole backup, BackupError for a database that must not be overwritten,
    dumps.DumpError when PostgreSQL refuses; the database is then as it was.
    """
    with archives.opened(source) as backup:
        _refuse_newer(backup, source)
        with psycopg.connect(**dumps.parameters(), autocommit=True) as asked:
            _refuse_in_use(asked, replace=replace)
            server = asked.info.server_version // 10000
        media = [name for name in backup.names if name.startswith(MEDIA)]
        for done, name in enumerate(media, start=1):
            with backup.open(name) as file:
                _put_back(name.removeprefix(MEDIA), file)
            if on_file:
                on_file(done, len(media))
        connections["default"].close()
        with backup.open(DATABASE) as file:
            dumps.read(file, server=server, replace=replace)
        _compare(backup)
        told = backup.manifest
        return _summary(told["made_at"], told["rows"], told["files"], told["missing"])


def _add_database(archive: Archive, scratch: Path, held: psycopg.Connection[Any], snapshot: str) -> None:
    """scratch: a folder that has room for the compressed rows: an archive wants to know their length first."""
    with tempfile.TemporaryFile(dir=scratch) as file:
        dumps.write(file, snapshot=snapshot, server=held.info.server_version // 10000)
        size = file.tell()
        file.seek(0)
        archive.add(DATABASE, file, size=size)


def _add_media(archive: Archive, named: list[str], on_file: Told | None) -> list[str]:
    """Add all files; gives those of `named` that are not in the archive then."""
    found = dict.fromkeys(_stored(default_storage, RECORDINGS.rstrip("/")), default_storage)
    folder = FileSystemStorage(location=settings.MEDIA_ROOT)
    found |= {name: folder for name in _stored(folder, "") if not name.startswith(RECORDINGS)}
    for done, (name, storage) in enumerate(sorted(found.items()), start=1):
        with suppress(FileNotFoundError), storage.open(name) as file:  # somebody may delete what is theirs meanwhile
            size = file.size
            archive.add(MEDIA + name, file, size=size)  # type: ignore[arg-type]  # Django's File reads bytes
        if on_file:
            on_file(done, len(found))
    return sorted(name for name in set(named) if MEDIA + name not in archive.files)


def _stored(storage: Storage, folder: str) -> Iterator[str]:
    """The names of all files under a folder of a storage."""
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in files:
        yield f"{folder}/{name}".lstrip("/")
    for name in folders:
        if name and not name.startswith("."):
            yield from _stored(storage, f"{folder}/{name}".lstrip("/"))


def _put_back(name: str, file: BinaryIO) -> None:
    """A file where it belongs here, which may be elsewhere than where it came from: a folder or a bucket."""
    folder = FileSystemStorage(location=settings.MEDIA_ROOT, allow_overwrite=True)
    storage = default_storage if name.startswith(RECORDINGS) else folder
    storage.save(name, File(file, name))


def _refuse_newer(backup: Backup, source: Path) -> None:
    known = schema.known()
    newer = sorted(f"{app}.{name}" for app, name in backup.manifest["migrations"] if (app, name) not in known)
    if newer:
        raise BackupError(f"{source} was made by another version, with {newer[0]}: restore it with that version")


def _refuse_in_use(asked: psycopg.Connection[Any], *, replace: bool) -> None:
    users = asked.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND application_name LIKE 'evomusic%' AND application_name NOT LIKE 'evomusic command%'"
    ).fetchone()
    if users and users[0]:
        raise BackupError(f"{users[0]} connections of the service are open: stop it before restoring")
    there = dumps.tables(asked)
    if there and not replace:
        rows = sum(dumps.rows(asked).values())
        raise BackupError(
            f"expected an empty database, got one with {len(there)} tables and {rows} rows: "
            "name another in DATABASE_URL, or say --replace to lose them"
        )


def _compare(backup: Backup) -> None:
    """Raises BackupError unless every table has as many rows as were written."""
    with psycopg.connect(**dumps.parameters()) as asked:
        counted = dumps.rows(asked)
    wrong = [table for table, rows in backup.manifest["rows"].items() if counted.get(table) != rows]
    if wrong:
        raise BackupError(f"{wrong[0]} has {counted.get(wrong[0])} rows, {backup.manifest['rows'][wrong[0]]} were kept")


def _summary(made_at: str, rows: dict[str, int], files: dict[str, dict[str, Any]], missing: list[str]) -> Summary:
    media = [name for name in files if name.startswith(MEDIA)]
    return Summary(
        made_at=made_at,
        rows=sum(rows.values()),
        files=len(media),
        bytes=sum(int(told["bytes"]) for told in files.values()),
        missing=missing,
    )
