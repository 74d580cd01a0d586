"""`manage.py fetch_models`: get pretrained weights from the hub."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from models_store import instruments, weights
from models_store.instruments import Entry


class Command(BaseCommand):
    help = (
        "Get the weights of generators and encoders from the hub, by an instrument's name (its default model) or a "
        "model's. Without a name: what there is, how large it is and under which licence. What is here is not "
        "fetched again, and what was broken off goes on."
    )
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="musicgen, mert, facebook/musicgen-medium ...")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["names"]:
            Console().print(_table())
            return
        asked = [_model(name) for name in options["names"]]
        for model in asked:
            known = next((one for entry in instruments.ENTRIES for one in entry.weights if one.model == model), None)
            about = f": about {known.gigabytes:g} GB, {known.licence}" if known else ""
            self.stdout.write(f"{model}{about}")
            try:
                self.stdout.write(f"  {weights.fetch(model)}")
                for note in {
                    entry.note for entry in instruments.ENTRIES for one in entry.weights if one.model == model
                }:
                    self.stdout.write(f"  {note}" if note else "")
            except weights.MissingWeightsError as error:
                raise CommandError(str(error)) from error


def _model(name: str) -> str:
    """The model that a name means. Raises CommandError for an instrument that has none, and for no name at all."""
    entry = next((entry for entry in instruments.ENTRIES if entry.name == name.lower()), None)
    if entry is not None and entry.default_model is not None:
        return entry.default_model
    if entry is not None:
        raise CommandError(f"{name} is always here: it needs no weights")
    if "/" not in name:
        known = ", ".join(entry.name for entry in instruments.ENTRIES if entry.weights)
        raise CommandError(f"expected one of {known}, or a model's name on the hub such as a/b, got {name!r}")
    return name


def _table() -> Table:
    table = Table(title="Models on the hub")
    for heading in ("for", "model", "GB", "here", "licence"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "GB" else "left")
    for entry in instruments.ENTRIES:
        for place, known in enumerate(entry.weights):
            table.add_row(*_row(entry, known, first=place == 0))
    return table


def _row(entry: Entry, known: weights.Weights, *, first: bool) -> tuple[str, ...]:
    try:
        weights.locate(known.model)
        here = "yes"
    except weights.MissingWeightsError:
        here = ""
    licence = known.licence + (" (agree to it on the hub first)" if known.gated else "")
    return entry.name if first else "", known.model, f"{known.gigabytes:g}", here, licence
