"""`import_reference_listeners`: the aligner's reference listeners into PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    """Writes one row per reference listener of an aligner; again: nothing changes."""

    help = "Import the reference listeners of an aligner into the database, where they can be searched."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--checkpoint", type=Path, help="the aligner, also the prototype's (the shipped one)")
        parser.add_argument("--encoder", help="what hears its songs (what the checkpoint says, else spectral)")

    def handle(self, *args: Any, **options: Any) -> None:
        from listening import reference_listeners
        from models_store.aligner import shipped

        try:
            path = options["checkpoint"] or shipped.path_of(options["encoder"] or "spectral")
            there = reference_listeners.import_from(path, encoder=options["encoder"])
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        kinds = ", ".join(f"{count} {kind}" for kind, count in there.kinds.items()) or "of kinds that are not known"
        self.stdout.write(f"{there.listeners} reference listeners for {there.encoder} are there: {kinds}")
        self.stdout.write(f"aligner {there.aligner}")
