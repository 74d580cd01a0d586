"""`manage.py backup`: everything that is kept, into a folder or one file, while the service runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.progress import Progress


class Command(BaseCommand):
    help = "Write the database and the media, as of one moment, into a folder, or into one file if TARGET ends in .tar."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        from evomusic_site import archives, backups, dumps

        target = options["target"]
        try:
            with Progress(transient=True) as progress:
                bar = progress.add_task("files", total=None)
                made = backups.write(target, on_file=lambda done, of: progress.update(bar, completed=done, total=of))
        except (archives.ArchiveError, dumps.DumpError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{target}: {made.rows} rows, {made.files} files, {made.bytes / 1e6:.1f} MB, {made.made_at}")
        for name in made.missing:
            self.stderr.write(f"missing: {name}, which the database names")
        self.stdout.write("SECRET_KEY is not in it: keep it apart, or guests lose their sessions.")
