"""What is here and what is missing."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection

from evolution import broker, presence
from models_store import catalog, weights
from models_store.instruments import Entry


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `remedy` is empty when it is well.

    optional: it is not here and nothing misses it.
    """

    subject: str
    found: str
    well: bool = True
    remedy: str = ""
    optional: bool = False


def examine() -> list[Finding]:
    """Everything that the system needs or can use."""
    return [*_machine(), *_instruments(), *_services(), *_page()]


def _machine() -> Iterator[Finding]:
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    yield Finding("Python", platform.python_version())
    yield Finding("torch", f"{torch.__version__}, {device}")
    free = shutil.disk_usage(settings.BASE_DIR).free / 1e9
    yield Finding("disk", f"{free:.1f} GB free", well=free > 1, remedy="" if free > 1 else "make room: 1 GB is needed")


def _instruments() -> Iterator[Finding]:
    for entry in catalog.describe():
        if not entry.embedded:
            yield from _pretrained(entry)
            continue
        try:
            instrument = catalog.generator(entry.name) if entry.kind == "generator" else catalog.encoder(entry.name)
        except (OSError, ValueError, ImportError) as error:
            yield Finding(f"{entry.kind} {entry.name}", str(error), well=False, remedy="make install")
        else:
            yield Finding(f"{entry.kind} {entry.name}", f"{_can(entry)}{instrument.sample_rate} Hz; {entry.licence}")
    from models_store.aligner import shipped

    try:
        config = shipped.load_for("spectral").config
        yield Finding("aligner", f"shipped, {config.users} reference listeners")
    except (OSError, ValueError) as error:
        yield Finding("aligner", str(error), well=False, remedy="python manage.py train_aligner")


def _can(entry: Entry) -> str:
    """What a generator plays; nothing for an ear, which hears everything."""
    return f"{entry.plays}; up to {entry.longest_seconds:g} s; " if entry.kind == "generator" else ""


def _pretrained(entry: Entry) -> Iterator[Finding]:
    """Weights from elsewhere: nothing is wrong where there are none."""
    there = []
    for known in entry.weights:
        try:
            weights.locate(known.model)
        except weights.MissingWeightsError:
            continue
        there.append(known.model)
    default = entry.weights[0]
    account = ", with an account that agreed to it" if default.gated else ""
    yield Finding(
        f"{entry.kind} {entry.name}",
        f"{', '.join(there) or 'no weights here'}; {_can(entry)}{entry.sample_rate} Hz; {entry.licence}",
        optional=not there,
        remedy=entry.note if there else f"manage.py fetch_models {entry.name} ({default.gigabytes:g} GB{account})",
    )


def _services() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version')")
            version = cursor.fetchone()[0]
            cursor.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
            vector = cursor.fetchone()
        yield Finding("database", f"PostgreSQL {version}")
        remedy = "" if vector else "install pgvector on the database server"
        yield Finding("pgvector", vector[0] if vector else "not there", well=bool(vector), remedy=remedy)
        there = presence.count()
    except DatabaseError as error:
        yield Finding("database", str(error).splitlines()[0], well=False, remedy="unset DATABASE_URL, or correct it")
        there = {}
    answers = broker.answers()
    yield Finding("broker", "Redis answers" if answers else "no answer", answers, "" if answers else "see REDIS_URL")
    for role in ("conductor", "player"):
        number = there.get(role, 0)
        yield Finding(f"{role}s", f"{number} running", well=number > 0, remedy="" if number else "make demo")


def _page() -> Iterator[Finding]:
    there = settings.NODE_MODULES.exists()
    yield Finding("front end", "installed" if there else "not installed", there, "" if there else "make install")
