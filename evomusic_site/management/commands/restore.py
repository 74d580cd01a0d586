"""`manage.py restore`: a backup, read back into this database and this media storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.progress import Progress


class Command(BaseCommand):
    help = "Read a backup back, after checking that it is whole. The service must be stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path)
        parser.add_argument("--replace", action="store_true", help="lose what the database holds now")

    def handle(self, *args: Any, **options: Any) -> None:
        from evomusic_site import archives, backups, dumps, schema

        source, replace = options["source"], options["replace"]
        try:
            with Progress(transient=True) as progress:
                bar = progress.add_task("files", total=None)
                read = backups.restore(
                    source, replace=replace, on_file=lambda done, of: progress.update(bar, completed=done, total=of)
                )
        except (archives.ArchiveError, backups.BackupError, dumps.DumpError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{source} of {read.made_at}: {read.rows} rows and {read.files} files are back.")
        if schema.unapplied():
            self.stdout.write("It is of an older version: run `manage.py migrate` next.")
