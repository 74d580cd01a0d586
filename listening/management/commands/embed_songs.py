"""`embed_songs`: hear a folder of music and keep the embeddings as one store, to train an aligner on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from evolution import interruption

_SHOWN = 20


class Command(BaseCommand):
    """Goes through the files once, in batches; a killed one goes on where it was."""

    help = (
        "Make embeddings of a folder of music, as one store on disk. After Ctrl-C or a kill the same command goes on. "
        "Files that cannot be heard are listed with the reason and left out."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="sound files, in folders too; or JSON files with --from-json")
        parser.add_argument("--out", type=Path, required=True, help="the folder of the store")
        parser.add_argument("--encoder", help="what hears them (spectral; with --from-json what heard them: mert)")
        parser.add_argument("--encoder-model", help="its weights, by name on the hub or as a folder")
        parser.add_argument("--device", help="cpu, cuda, cuda:1, mps (a GPU where there is one)")
        parser.add_argument("--seconds", type=float, default=30.0, help="heard of each song (%(default)s)")
        parser.add_argument("--offset", type=float, default=0.0, help="seconds before that (%(default)s)")
        parser.add_argument("--batch", type=int, default=16, help="songs heard at once (%(default)s)")
        parser.add_argument("--ids", type=Path, help="a CSV with the columns file and id (the path without its ending)")
        parser.add_argument(
            "--from-json",
            action="store_true",
            help="the folder holds embeddings already: <id>.json, each a list [layers][dim] of numbers",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from models_store.devices import OutOfMemoryError

        try:
            with interruption.awaited(lambda: self.stderr.write("ending after this batch; Ctrl-C again: at once")):
                self._convert(options) if options["from_json"] else self._hear(options)
        except KeyboardInterrupt:
            self.stderr.write(f"Interrupted. The same command goes on: {options['out']} keeps what was done.")
            sys.exit(interruption.EXIT_CODE)
        except (ValueError, OSError, OutOfMemoryError) as error:
            raise CommandError(str(error)) from error

    def _hear(self, options: dict[str, Any]) -> None:
        from models_store import catalog
        from models_store.aligner import hearing
        from models_store.aligner.song_store import SongStore

        window = hearing.Window(options["seconds"], options["offset"])
        found = hearing.find(options["folder"], ids=options["ids"])
        name, model = options["encoder"] or "spectral", options["encoder_model"]
        encoder = catalog.encoder(name, device=options["device"], **({"model": model} if model else {}))
        with SongStore.writer(
            options["out"],
            layers=encoder.layers,
            dim=encoder.dim,
            encoder=name,
            model=model or "",
            seconds=window.seconds,
            notes={"offset": window.offset},
        ) as writer:
            hearing.hear(
                found.songs,
                encoder,
                writer,
                window=window,
                batch=options["batch"],
                stop=interruption.check,
                progress=options["verbosity"] > 0,
            )
            left_out = {**found.left_out, **{name: why for name, why in writer.skipped.items() if name in found.songs}}
            self._tell(left_out)
            writer.finish()
        self._done(options["out"])

    def _convert(self, options: dict[str, Any]) -> None:
        from models_store.aligner.readers import song_files

        song_files.convert(
            options["folder"],
            options["out"],
            encoder=options["encoder"] or "mert",
            model=options["encoder_model"] or "",
            stop=interruption.check,
            progress=options["verbosity"] > 0,
        )
        self._done(options["out"])

    def _tell(self, left_out: dict[str, str]) -> None:
        if not left_out:
            return
        self.stdout.write(f"{len(left_out)} files are left out:")
        for name, why in list(left_out.items())[:_SHOWN]:
            self.stdout.write(f"  {name}: {why}")
        if len(left_out) > _SHOWN:
            self.stdout.write(f"  and {len(left_out) - _SHOWN} more: written.jsonl in the store names them all")

    def _done(self, out: Path) -> None:
        from models_store.aligner.song_store import SongStore

        songs, layers, dim = SongStore.open(out).shape
        self.stdout.write(f"{songs} songs x {layers} x {dim} in {out}")
