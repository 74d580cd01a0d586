"""`manage.py plot_tastes`: reference listeners and songs in two dimensions, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from models_store.aligner.maps import METHODS


class Command(BaseCommand):
    """Draws the maps; without --out, those of the panel."""

    help = "Draw an aligner's reference listeners and songs in two dimensions: PCA, t-SNE, UMAP."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--method", choices=METHODS, action="append", help="again for several (all of them)")
        parser.add_argument("--out", type=Path, metavar="DIR", help="where METHOD.png is written (the panel's folder)")
        parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="the aligner (the shipped one)")
        parser.add_argument("--encoder", default="spectral", help="whose shipped aligner (%(default)s)")
        parser.add_argument(
            "--songs",
            type=Path,
            metavar="PATH",
            help="embed_songs' folder, concepts, or train_aligner's songs (the concepts beside the checkpoint)",
        )
        parser.add_argument("--most", type=int, help="songs; of more, so many are drawn (2000)")
        parser.add_argument("--experiment", default="", metavar="NAME", help="mark its listeners")
        parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (%(default)s)")
        parser.add_argument(
            "--uncentred",
            action="store_true",
            help="listeners and songs as they lie, not each about their own mean: two clouds apart",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from laboratory import taste_pictures, tastes

        methods = tuple(dict.fromkeys(options["method"] or METHODS))
        try:
            gathered = tastes.scene(
                checkpoint=options["checkpoint"],
                encoder=options["encoder"],
                songs=options["songs"],
                experiment=options["experiment"],
                most=tastes.MOST_SONGS if options["most"] is None else options["most"],
                seed=options["seed"],
            )
            files, missing = tastes.draw(
                gathered,
                methods,
                seed=options["seed"],
                out=options["out"] or taste_pictures.folder(),
                centred=not options["uncentred"],
            )
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        for reason in missing.values():
            self.stderr.write(reason)
        if not files:
            raise CommandError("nothing was drawn")
        users, songs, marks = (len(part) for part in (gathered.users, gathered.songs, gathered.marks))
        self.stdout.write(f"{users} reference listeners, {songs} songs, {marks} listeners marked")
        for file in files.values():
            self.stdout.write(str(file))
