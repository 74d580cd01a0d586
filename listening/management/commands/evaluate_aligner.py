"""`evaluate_aligner`: measure an aligner on the songs of its recipe that it was not trained on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    """Plays the songs of a checkpoint's recipe again and prints what the aligner knows of them."""

    help = "Measure an aligner that train_aligner made, on the songs it was not trained on."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--checkpoint", type=Path, help="the aligner (the shipped one)")
        parser.add_argument("--generator", default="soundfont", help="what played its songs (%(default)s)")
        parser.add_argument("--generator-model", help="its weights, by name on the hub or as a folder")
        parser.add_argument("--encoder", default="spectral", help="what heard them (%(default)s)")
        parser.add_argument("--encoder-model", help="its weights")
        parser.add_argument("--songs-file", type=Path, help="keep the played songs here, or take them from here")
        parser.add_argument("--threads", type=int, default=1, help="of torch, whose steps are small here (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        import torch

        from models_store.aligner import recipe, shipped

        torch.set_num_threads(options["threads"])
        named = {name: options[name] for name in ("generator", "encoder", "generator_model", "encoder_model")}
        try:
            studio = recipe.studio(**named)
            checkpoint = options["checkpoint"] or shipped.path_of(studio.encoder.name)
            figures = recipe.check(
                checkpoint, studio, songs_file=options["songs_file"], progress=options["verbosity"] > 0
            )
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        for name, value in asdict(figures).items():
            self.stdout.write(f"{name:>12}  {value:.3f}" if isinstance(value, float) else f"{name:>12}  {value}")
