"""`train_aligner`: make an aligner, of a synthetic world (aligner/README.md) or of histories (docs/aligner.md)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from listening.management import aligner_options


class Command(BaseCommand):
    """Trains on who listened to what and prints the figures."""

    help = (
        "Train an aligner and print its figures: on a synthetic world of songs and listeners, "
        "or with --histories on what people listened to."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
        parser.add_argument("--seed", type=int, default=1, help="of everything (%(default)s)")
        parser.add_argument("--threads", type=int, help="of torch (1 for a synthetic world, whose steps are small)")
        parser.add_argument("--encoder", help="what hears, or heard, the songs (spectral; of a store: its own)")
        aligner_options.add_wiring(parser)
        aligner_options.add_sources(parser)
        aligner_options.add_method(parser)
        group = parser.add_argument_group("a synthetic world")
        group.add_argument("--songs", type=int, default=2000, help="songs to play (%(default)s)")
        group.add_argument("--listeners", type=int, default=400, help="reference listeners (%(default)s)")
        group.add_argument(
            "--seconds",
            type=float,
            nargs="+",
            default=[4.0, 12.0, 8.0],
            help="lengths of the songs, taken in turn (%(default)s)",
        )
        group.add_argument("--generator", default="soundfont", help="what plays the songs (%(default)s)")
        group.add_argument("--generator-model", help="its weights, by name on the hub or as a folder")
        group.add_argument("--encoder-model", help="weights of the encoder")
        group.add_argument("--songs-file", type=Path, help="keep the played songs here, or take them from here")

    def handle(self, *args: Any, **options: Any) -> None:
        train = self._on_histories if options["histories"] or options["store"] else self._on_a_world
        try:
            epochs, seconds = train(options)
        except (ValueError, OSError, RuntimeError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            if options["histories"]:
                self.stderr.write("The epochs that are done are kept: the same command with --resume goes on.")
            raise
        self.stdout.write(f"{epochs} epochs in {seconds:.0f} s; written to {options['out']}")

    def _on_histories(self, options: dict[str, Any]) -> tuple[int, float]:
        import torch

        from listening import training_figures
        from models_store.aligner import history_recipe

        if options["threads"]:
            torch.set_num_threads(options["threads"])
        made = history_recipe.HistoryRecipe(
            selection=aligner_options.selection(options),
            wiring=aligner_options.wiring(options),
            method=aligner_options.method(options),
            seed=options["seed"],
        )
        with training_figures.told(
            tensorboard=options["tensorboard"],
            project=options["wandb"],
            folder=Path(settings.STATE_FOLDER, "aligner"),
            title=options["out"].stem,
            configuration=aligner_options.shown(made),
        ) as told:
            trained = history_recipe.make(
                made,
                aligner_options.material(options),
                out=options["out"],
                device=options["device"],
                resume=options["resume"],
                told=told,
                progress=options["verbosity"] > 0,
            )
        aligner_options.print_rankings(self.stdout.write, trained.known, trained.new)
        return trained.epochs, trained.seconds

    def _on_a_world(self, options: dict[str, Any]) -> tuple[int, float]:
        import torch

        from models_store.aligner import recipe

        aligner_options.refuse_without_histories(options)
        torch.set_num_threads(options["threads"] or 1)
        made = recipe.Recipe(
            songs=options["songs"],
            listeners=options["listeners"],
            seconds=tuple(options["seconds"]),
            seed=options["seed"],
            aggregation=options["aggregation"],
            projection_type=options["projection"],
        )
        trained = recipe.make(
            made,
            aligner_options.studio(options),
            out=options["out"],
            songs_file=options["songs_file"],
            progress=options["verbosity"] > 0,
        )
        aligner_options.print_figures(self.stdout.write, asdict(trained.figures))
        return trained.epochs, trained.seconds
