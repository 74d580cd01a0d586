"""`train_aligner`: make an aligner for a generator and an encoder, as aligner/README.md says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandError, CommandParser

from models_store.aligner.config import Aggregation, Projection


class Command(BaseCommand):
    """Plays songs, invents listeners, trains on who listened to what, prints the figures."""

    help = "Train the aligner on a synthetic world of songs and listeners, and print its figures."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--songs", type=int, default=2000, help="songs to play (%(default)s)")
        parser.add_argument("--listeners", type=int, default=400, help="reference listeners (%(default)s)")
        parser.add_argument(
            "--seconds",
            type=float,
            nargs="+",
            default=[4.0, 12.0, 8.0],
            help="lengths of the songs, taken in turn (%(default)s)",
        )
        parser.add_argument("--seed", type=int, default=1, help="of everything (%(default)s)")
        parser.add_argument(
            "--aggregation",
            choices=get_args(Aggregation),
            default="gating",
            help="how the encoder's layers become one vector (%(default)s)",
        )
        parser.add_argument(
            "--projection",
            choices=get_args(Projection),
            default="affine",
            help="how that vector comes to the space of the listeners (%(default)s)",
        )
        parser.add_argument("--generator", default="soundfont", help="what plays the songs (%(default)s)")
        parser.add_argument("--generator-model", help="its weights, by name on the hub or as a folder")
        parser.add_argument("--encoder", default="spectral", help="what hears them (%(default)s)")
        parser.add_argument("--encoder-model", help="its weights")
        parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
        parser.add_argument("--songs-file", type=Path, help="keep the played songs here, or take them from here")
        parser.add_argument("--threads", type=int, default=1, help="of torch, whose steps are small here (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        import torch

        from models_store.aligner import recipe

        torch.set_num_threads(options["threads"])
        made = recipe.Recipe(
            songs=options["songs"],
            listeners=options["listeners"],
            seconds=tuple(options["seconds"]),
            seed=options["seed"],
            aggregation=options["aggregation"],
            projection_type=options["projection"],
        )
        try:
            trained = recipe.make(
                made,
                recipe.studio(
                    generator=options["generator"],
                    encoder=options["encoder"],
                    generator_model=options["generator_model"],
                    encoder_model=options["encoder_model"],
                ),
                out=options["out"],
                songs_file=options["songs_file"],
                progress=options["verbosity"] > 0,
            )
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        for name, value in asdict(trained.figures).items():
            self.stdout.write(f"{name:>12}  {value:.3f}" if isinstance(value, float) else f"{name:>12}  {value}")
        self.stdout.write(f"{trained.epochs} epochs in {trained.seconds:.0f} s; written to {options['out']}")
