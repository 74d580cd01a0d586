"""`manage.py evaluate_taste`: how soon every learner finds a taste, in worlds in which the taste is known."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from models_store.aligner import world
    from models_store.taste.evaluation import Figures

MEASURES = {
    "spearman": "Spearman correlation of likeness and truth, on songs held out",
    "auc": "ROC AUC of likeness against what is truly liked",
    "top20": "Mean true percentile of the 20 songs that one would play",
    "ece": "Expected calibration error",
    "milliseconds": "Milliseconds to learn (processor time, one thread)",
}
SONGS_SEED = 2001
"""Of songs that the shipped aligner was not trained on."""


class Command(BaseCommand):
    """Plays the songs once and keeps them; every learner meets the same listeners, songs and slips."""

    help = "Compare learners of a taste, after some ratings, where the true taste is known."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", type=Path, help="write the figures to this file")
        parser.add_argument("--listeners", type=int, default=24, help="in each world (default 24)")
        parser.add_argument("--seed", type=int, default=1, help="of listeners, order of songs and slips (default 1)")
        parser.add_argument("--learners", nargs="+", metavar="NAME", help="some of them (default all)")
        parser.add_argument("--k", nargs="+", type=int, metavar="K", help="numbers of ratings (5 10 20 40 100 200)")
        parser.add_argument(
            "--worlds",
            nargs="+",
            default=["A", "B", "C"],
            help="A: reference users; B: strangers, "
            "a tenth of whose answers are wrong; C: the same, of a taste that can be heard (default all)",
        )
        parser.add_argument("--checkpoint", type=Path, help="the aligner (the shipped one)")
        parser.add_argument("--songs", type=int, default=2000, help="to be played, half of them held out (%(default)s)")
        parser.add_argument("--songs-file", type=Path, help="where they are kept, or come from (under var/)")

    def handle(self, *args: Any, **options: Any) -> None:
        import torch  # loaded here, not when commands are listed

        from models_store.aligner import shipped
        from models_store.taste import evaluation, trial_worlds

        torch.set_num_threads(1)
        ratings = tuple(options["k"] or evaluation.RATINGS)
        if options["listeners"] < 1:
            raise CommandError(f"--listeners: expected at least 1, got {options['listeners']}")
        unknown = set(options["worlds"]) - set(trial_worlds.WORLDS)
        if unknown:
            known = ", ".join(trial_worlds.WORLDS)
            raise CommandError(f"--worlds: expected some of {known}; got {', '.join(sorted(unknown))}")
        found: list[Figures] = []
        try:
            path = options["checkpoint"]
            aligner = shipped.load(path) if path else shipped.load_for("spectral")
            taking_part = evaluation.contestants(aligner, options["learners"] or evaluation.LEARNERS)
            songs = _songs(options["songs"], options["songs_file"], progress=options["verbosity"] > 0)
            with Progress(disable=options["verbosity"] == 0) as progress:
                lines = len({one.best_of or one.name for one in taking_part})
                bar = progress.add_task("learning", total=lines * len(options["worlds"]))
                for name in options["worlds"]:
                    make = trial_worlds.WORLDS[name]
                    world = make(aligner, songs, listeners=options["listeners"], seed=options["seed"])
                    for figures in evaluation.evaluate(world, taking_part, ratings=ratings, seed=options["seed"]):
                        found += figures
                        progress.advance(bar)
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        for measure, title in MEASURES.items():
            Console().print(_table(found, measure, title, ratings))
        if {"A", "B"} <= set(options["worlds"]):
            Console().print(_table(_mixed(found), "ece", "Calibration error where half are of A, half of B", ratings))
        if options["json"]:
            options["json"].write_text(json.dumps(evaluation.as_json(found), indent=2) + "\n")


def _songs(count: int, path: Path | None, *, progress: bool) -> world.Songs:
    """The songs in a file; played and kept there if there is none."""
    from models_store import devices
    from models_store.aligner import recipe, world

    path = path or Path(settings.BASE_DIR) / "var" / "taste" / f"songs-{count}.pt"
    if path.is_file():
        songs = world.load(path)
        if len(songs) != count:
            raise ValueError(f"{path}: expected {count} songs, got {len(songs)}")
        return songs
    studio, device = recipe.studio(), devices.choose()
    studio.generator.prepare(device)
    studio.encoder.prepare(device)
    songs = world.play_songs(
        studio.generator, studio.encoder, studio.lexicon, count=count, seed=SONGS_SEED, progress=progress
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    world.save(path, songs)
    return songs


def _mixed(found: list[Figures]) -> list[Figures]:
    """The figures of A, with the calibration error among listeners of both worlds."""
    from models_store.taste.evaluation import mixed_calibration_error

    strangers = {(one.learner, one.k): one for one in found if one.world == "B"}
    pairs = [(one, strangers[one.learner, one.k]) for one in found if one.world == "A"]
    return [replace(one, world="A, B", ece=mixed_calibration_error([one, other])) for one, other in pairs]


def _table(found: list[Figures], measure: str, title: str, ratings: tuple[int, ...]) -> Table:
    """A line per world and learner, a column per number of ratings."""
    table = Table(title=title)
    table.add_column("world")
    table.add_column("learner")
    for k in ratings:
        table.add_column(f"k = {k}", justify="right")
    lines: dict[tuple[str, str], list[float]] = {}
    for one in found:
        lines.setdefault((one.world, one.learner), []).append(getattr(one, measure))
    digits = 0 if measure == "milliseconds" else 3
    for (world_name, learner), values in lines.items():
        table.add_row(world_name, learner, *(f"{value:.{digits}f}" for value in values))
    return table
