"""`evaluate_aligner`: measure an aligner on songs that it was not trained on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from listening.management import aligner_options


class Command(BaseCommand):
    """Plays the songs of a checkpoint's recipe again, or reads histories, and prints what the aligner knows of them."""

    help = (
        "Measure an aligner on songs it was not trained on: those of the synthetic world it was made of, "
        "or with --histories those that people listened to."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--checkpoint", type=Path, help="the aligner, also the prototype's (the shipped one)")
        parser.add_argument("--threads", type=int, help="of torch (1 for a synthetic world, whose steps are small)")
        parser.add_argument("--encoder", help="what heard the songs (spectral; of a store: its own)")
        parser.add_argument("--seed", type=int, help="of what is drawn from histories (that of its training, else 1)")
        aligner_options.add_sources(parser)
        group = parser.add_argument_group("a synthetic world")
        group.add_argument("--generator", default="soundfont", help="what played its songs (%(default)s)")
        group.add_argument("--generator-model", help="its weights, by name on the hub or as a folder")
        group.add_argument("--encoder-model", help="weights of the encoder")
        group.add_argument("--songs-file", type=Path, help="keep the played songs here, or take them from here")

    def handle(self, *args: Any, **options: Any) -> None:
        measure = self._on_histories if options["histories"] or options["store"] else self._on_a_world
        try:
            measure(options)
        except (ValueError, OSError, RuntimeError) as error:
            raise CommandError(str(error)) from error

    def _on_histories(self, options: dict[str, Any]) -> None:
        import torch

        from models_store.aligner import history_recipe, shipped

        if options["threads"]:
            torch.set_num_threads(options["threads"])
        measured = history_recipe.check(
            options["checkpoint"] or shipped.path_of(options["encoder"] or "spectral"),
            aligner_options.material(options),
            selection=aligner_options.selection(options),
            known=options["known"],
            seed=options["seed"],
            device=options["device"],
        )
        aligner_options.print_rankings(self.stdout.write, measured.known, measured.new)

    def _on_a_world(self, options: dict[str, Any]) -> None:
        import torch

        from models_store.aligner import recipe, shipped

        aligner_options.refuse_without_histories(options)
        torch.set_num_threads(options["threads"] or 1)
        studio = aligner_options.studio(options)
        figures = recipe.check(
            options["checkpoint"] or shipped.path_of(studio.encoder.name),
            studio,
            songs_file=options["songs_file"],
            progress=options["verbosity"] > 0,
        )
        aligner_options.print_figures(self.stdout.write, asdict(figures))
