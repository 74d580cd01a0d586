"""`manage.py evolve`: the whole pipeline for a configuration file, with synthetic listeners."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django.utils.module_loading import import_string
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from evolution import broker, evaluation, interruption, runs, targets
from evolution.config import ConfigurationError

if TYPE_CHECKING:
    from evolution.models import Generation, Run
    from laboratory.pipeline import Work

MOST_SEED = 2**63


class Command(BaseCommand):
    help = (
        "Evolve music for synthetic listeners as a configuration file says; leaves tables, plots and the last "
        "playlist in a folder. Ctrl-C keeps what is done; --resume goes on."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--config", type=Path, help="the YAML file; see docs/configuration.md and examples/")
        parser.add_argument("--rounds", type=int, help="in place of the configuration's epochs")
        parser.add_argument("--seed", type=int, help="of all that is drawn (default: drawn, and told)")
        parser.add_argument(
            "--out", type=Path, help="a new or empty folder (default: evolved/NAME under the state folder)"
        )
        parser.add_argument(
            "--resume", action="store_true", help="go on with the interrupted run whose folder is --out"
        )
        parser.add_argument(
            "--workers",
            type=int,
            help="how many players to start; 0: play in this process (default: those of a service that is up, "
            "else one for each core)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _check(options)
        self._bar: _Bar | None = None
        try:
            with interruption.awaited(self._ends):
                self._run(options)
        except KeyboardInterrupt:
            sys.exit(interruption.EXIT_CODE)
        except (ConfigurationError, targets.TargetError, OSError) as error:
            raise CommandError(str(error)) from error

    def _run(self, options: dict[str, Any]) -> None:
        from laboratory import pipeline  # torch is loaded here, not when commands are listed

        plan = None
        if options["config"] is not None:
            plan = pipeline.plan(options["config"], rounds=options["rounds"])
        interruption.check()
        call_command("migrate", verbosity=0, interactive=False)
        interruption.check()
        try:
            if options["resume"] or plan is None:
                work = pipeline.reopen(options["out"], plan=plan)
            else:
                work = pipeline.begin(plan, seed=options["seed"], out=options["out"])
            if plan is not None and not plan.configuration.user_model.users:
                self.stderr.write(f"user_model.users names nobody: reference user {pipeline.DEFAULT_USER} listens")
            self.stderr.write(f"{work.folder}: seed {work.runs[0].seed}")
        except pipeline.PipelineError as error:
            raise CommandError(str(error)) from error
        self._conduct(work, options["workers"])

    def _conduct(self, work: Work, workers: int | None) -> None:
        from laboratory import pipeline

        again = f"What is done is kept in {work.folder}; go on with\n    manage.py evolve --resume --out {work.folder}"
        try:
            with import_string(settings.PLAYERS_FOR_COMMANDS)(workers), _Bar(work) as self._bar:
                pipeline.conduct(work, on_generation=self._bar.stored, on_wait=self._bar.waits)
        except (KeyboardInterrupt, DatabaseError) as error:
            if isinstance(error, KeyboardInterrupt) or interruption.at_once():  # then it broke off in a query
                self._leave(work)
                self.stderr.write(f"\nInterrupted. {again}")
                sys.exit(interruption.EXIT_CODE)
            if isinstance(error, broker.SERVICES_LOST):
                raise CommandError(f"the database was lost ({error}). {again}") from error
            raise
        except broker.SERVICES_LOST as error:
            raise CommandError(f"the broker was lost ({error}). {again}") from error
        except (pipeline.PipelineError, evaluation.PlayingError) as error:
            raise CommandError(f"{error}\n{again}") from error
        Console(file=cast(IO[str], self.stdout)).print(_table(work))
        self.stdout.write(f"Results: {work.folder}")

    def _ends(self) -> None:
        if self._bar:
            self._bar.waits("ending as soon as nothing is half done; Ctrl-C again: at once")
        else:
            self.stderr.write("\nEnding; Ctrl-C again: at once.")

    def _leave(self, work: Work) -> None:
        """The files as of now; another Ctrl-C leaves those of the last generation, which are whole too."""
        from laboratory import pipeline

        connections.close_all()  # the interruption may have come in the middle of a query
        with suppress(KeyboardInterrupt, *broker.SERVICES_LOST):
            for run in work.runs:
                runs.pause(run)  # so that nobody takes it for one that goes on; --resume sets it going
            pipeline.keep(work)


def _check(options: dict[str, Any]) -> None:
    """Refuse what cannot be meant."""
    if options["config"] is None and not options["resume"]:
        raise CommandError("expected --config FILE, or --resume --out DIR to go on with an interrupted run")
    if options["resume"] and options["out"] is None:
        raise CommandError("--resume: expected --out DIR, the folder of the interrupted run")
    if options["resume"] and (options["seed"] is not None or (options["rounds"] is not None and not options["config"])):
        raise CommandError("--resume: expected no --seed and no --rounds: the run goes on with its own")
    if options["rounds"] is not None and options["rounds"] < 1:
        raise CommandError(f"--rounds: expected at least 1, got {options['rounds']}")
    if options["seed"] is not None and not 0 <= options["seed"] < MOST_SEED:
        raise CommandError(f"--seed: expected 0 to 2**63 - 1, got {options['seed']}")
    if options["workers"] is not None and options["workers"] < 0:
        raise CommandError(f"--workers: expected at least 0, got {options['workers']}")


class _Bar:
    """Progress over the generations of all runs: round, best and mean fitness, evaluations per second."""

    def __init__(self, work: Work) -> None:
        from laboratory import pipeline

        self._work = work
        self._total = sum(pipeline.planned_generations(run) for run in work.runs)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[fitness]}"),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None
        self._began, self._heard = time.monotonic(), 0

    def __enter__(self) -> _Bar:
        from evolution.models import Generation

        done = Generation.objects.filter(round__run__in=self._work.runs).count()
        self._task = self._progress.add_task("evolving", total=self._total, completed=done, fitness="")
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def waits(self, message: str) -> None:
        """Nothing moves; the next generation shows that it does again."""
        if self._task is not None:
            self._progress.update(self._task, description=message)

    def stored(self, run: Run, generation: Generation) -> None:
        """Another generation is stored."""
        if self._task is None:
            return
        self._heard += generation.candidates.filter(elite=False).count()
        rate = self._heard / max(1e-6, time.monotonic() - self._began)
        user = "" if len(self._work.runs) == 1 else f"user {self._work.runs.index(run) + 1} · "
        self._progress.update(
            self._task,
            advance=1,
            description=f"{user}round {generation.round.number}/{run.rounds_planned} · generation {generation.number}",
            fitness=f"best {generation.best:.3f} · mean {generation.mean:.3f} · {rate:.1f} evaluations/s",
        )


def _table(work: Work) -> Table:
    """What each run came to."""
    from laboratory import results

    table = Table(
        title=f"{work.runs[0].experiment.name}: fitness",
        caption="mean, median: of the last generation; taste: Spearman correlation with the true one",
        padding=(0, 0, 0, 1),
    )
    for heading in ("user", "rounds", "gen.", "eval.", "best", "final", "mean", "median", "liked", "taste", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in work.runs:
        one = results.result(run)
        for user in one["users"]:
            numbers = [one[name] for name in ("best_fitness", "final_best", "final_mean", "final_median")]
            table.add_row(
                str(user["reference_user"]),
                *(str(one[name]) for name in ("rounds", "generations", "evaluations")),
                *(_number(value) for value in (*numbers, user["liked"], user["taste"].get("spearman"))),
                f"{one['seconds']:.1f}",
            )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
