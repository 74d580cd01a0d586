"""`manage.py doctor`: what is here, what is missing, and how to get it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table


class Command(BaseCommand):
    help = "Say what is here (device, generators, database, broker, workers), what is missing and how to get it."
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        from evolution import diagnosis

        table = Table("", "what", "is", "how to get it", title="EvoMusic")
        findings = diagnosis.examine()
        for one in findings:
            mark = "[dim]not here[/]" if one.optional else "[green]ok[/]" if one.well else "[yellow]missing[/]"
            table.add_row(mark, one.subject, one.found, one.remedy)
        Console().print(table)
