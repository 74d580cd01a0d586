"""`evolve`: from a configuration's file to runs of synthetic listeners and the folder of their results."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from django.conf import settings
from django.db import transaction

from evolution import config, interruption, runs, targets, tracking
from evolution.config import Configuration
from evolution.models import Experiment, Generation, Round, Run
from evolution.tracking import Tracker
from laboratory import checks, folder, results
from listening import conducting, trials
from models_store import seeding

RECORD = "run.json"
DEFAULT_USER = 0
"""The reference listener of a configuration that names none."""
LARGEST_DRAWN_SEED = 2**31
"""Drawn seeds stay below this, so that people can type them."""
POLL_SECONDS = 0.2

OnGeneration = Callable[[Run, Generation], None]
OnWait = Callable[[str], None]


class PipelineError(RuntimeError):
    """The pipeline cannot begin or go on; the message says why, and what to do."""


@dataclass(frozen=True)
class Plan:
    """What is to be run: the configuration with absolute paths, and the lines of its init_file."""

    configuration: Configuration
    prompts: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.configuration.evolution.exp_name

    @property
    def reference_users(self) -> list[int]:
        """The reference listeners to run, in order."""
        named = [user.target_user_id for user in self.configuration.user_model.users]
        return [user for user in named if user is not None] or [DEFAULT_USER]


@dataclass(frozen=True)
class Work:
    """Runs that a folder keeps the results of: one, or one for each of several users."""

    folder: Path
    runs: tuple[Run, ...]

    def folder_of(self, run: Run) -> Path:
        """Where a run's files are: the folder itself, or user-1, user-2 ... beneath it."""
        return self.folder if len(self.runs) == 1 else self.folder / f"user-{self.runs.index(run) + 1}"


def plan(path: Path, *, rounds: int | None = None) -> Plan:
    """Read a configuration and check that it can be run here.

    rounds: in place of its `epochs`.
    Raises evolution.config.ConfigurationError that tells all that is wrong.
    """
    configuration = config.load(path)
    if rounds is not None:
        configuration = config.parse({**config.dump(configuration), "epochs": rounds})  # within the schema's limits
    evolution = configuration.evolution
    try:
        config.check_files(configuration)
        uses_file = evolution.initialization == "file" and evolution.init_file is not None
        prompts = config.read_prompts(evolution.init_file) if uses_file and evolution.init_file else ()
        checks.check(configuration, prompts=prompts)
    except config.ConfigurationError as error:
        raise error.within(str(path)) from None
    return Plan(configuration, prompts)


def begin(plan: Plan, *, seed: int | None = None, out: Path | None = None) -> Work:
    """An experiment with a run for each user, and their folder.

    seed: of the first user's run; the others' are derived from it. None: drawn.
    out: new or empty. None: named after the experiment, under the state folder.
    Raises PipelineError for a folder that has something in it.
    """
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        hint = "; go on with what is in it by --resume" if (out / RECORD).exists() else ""
        raise PipelineError(f"--out {out}: expected a new or an empty folder{hint}")
    first = secrets.randbelow(LARGEST_DRAWN_SEED) if seed is None else seed
    with transaction.atomic():
        experiment = runs.create(_with_kept_target(plan.configuration), prompts=plan.prompts, author="evolve")
        begun = tuple(
            trials.begin(
                experiment,
                reference_user=user,
                seed=first if place == 0 else seeding.derive(first, "user", place),
                conductor=Run.Conductor.COMMAND,
            ).run
            for place, user in enumerate(plan.reference_users)
        )
    work = Work(out or Path(settings.STATE_FOLDER, "evolved", experiment.name), begun)
    record = {"experiment": experiment.name, "seed": first, "runs": [run.pk for run in begun]}
    folder.write_json(work.folder / RECORD, record)
    keep(work)
    return work


def _with_kept_target(configuration: Configuration) -> Configuration:
    """The same with a copy of target_music that nobody changes while the run goes on."""
    evolution = configuration.evolution
    if evolution.fitness.mode != "music" or evolution.fitness.target_music is None:
        return configuration
    source = Path(evolution.fitness.target_music)
    with source.open("rb") as file:
        kept = targets.keep(file, name=source.name)
    fitness = evolution.fitness.model_copy(update={"target_music": str(kept)})
    return configuration.model_copy(update={"evolution": evolution.model_copy(update={"fitness": fitness})})


def reopen(out: Path, *, plan: Plan | None = None) -> Work:
    """The work that a folder keeps, to go on with; what rested or failed is set going.

    plan: what was given this time; it must be what the work began with.
    Raises PipelineError for a folder without one, rows that are not in this database, or another plan.
    """
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
        name, numbers = str(record["experiment"]), [int(number) for number in record["runs"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise PipelineError(f"--resume --out {out}: expected a folder of an earlier run, with its {RECORD}") from None
    found = Run.objects.select_related("experiment").filter(experiment__name=name).in_bulk(numbers)
    if len(found) != len(numbers):
        raise PipelineError(f"--resume --out {out}: its run {name!r} is not in this database")
    work = Work(out, tuple(found[number] for number in numbers))
    if plan is not None and _with_kept_target(plan.configuration) != runs.configuration(work.runs[0]):
        raise PipelineError(f"--resume: the configuration is not the one in {out / 'config.yaml'}: leave it away")
    for run in work.runs:
        trials.resume(run)
    return work


def conduct(work: Work, *, on_generation: OnGeneration | None = None, on_wait: OnWait | None = None) -> None:
    """Bring every run to its end, one round after the other; the folder is up to date after each generation.

    on_wait: told, in a sentence, what is being waited for when nothing moves.
    Raises PipelineError when a round fails or somebody pauses or stops a run: `reopen` goes on then.
    """
    with _one_thread():
        for run in work.runs:
            with tracking.of(run, work.folder_of(run)) as tracker:
                _conduct(work, run, tracker, on_generation, on_wait)


@contextmanager
def _one_thread() -> Iterator[None]:
    """How many threads add up a sum decides its last digits; conductors and players have one, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _conduct(
    work: Work, run: Run, tracker: Tracker, on_generation: OnGeneration | None, on_wait: OnWait | None
) -> None:
    keeps_sounds = not runs.configuration(run).evolution.logger.delete_generated
    unwritten: list[OSError] = []

    def stored(generation: Generation) -> None:
        tracker.generation(generation)
        try:
            if keeps_sounds:
                folder.keep_sounds(generation, work.folder_of(run) / "generated")
            folder.keep_tables(run, work.folder_of(run))
        except OSError as error:  # no reason for the round to fail: it is told when the round is done
            unwritten.append(error)
        if on_generation:
            on_generation(run, generation)

    tracker.catch_up()
    for round_ in run.rounds.filter(status=Round.Status.DONE).order_by("number"):
        _tell_taste(round_, tracker)
    while run.status == Run.Status.RUNNING:
        interruption.check()
        round_ = _next_round(run)
        if round_.status == Round.Status.DONE:  # its playlist was not rated before an interruption
            conducting.after(round_.pk)
        else:
            conducting.conduct(round_.pk, on_generation=stored, on_wait=on_wait)
            if unwritten:
                raise unwritten[0]
            round_.refresh_from_db()
            if round_.status == Round.Status.DONE:
                _tell_taste(round_, tracker)
                folder.keep_playlist(run, work.folder_of(run) / "tracks")
            elif round_.status in Round.PENDING:
                time.sleep(POLL_SECONDS)  # a process that was killed a moment ago still holds it
        run.refresh_from_db(fields=["status", "message", "finished_at"])
    finish(work, run, tracker)
    if run.status != Run.Status.DONE:
        raise PipelineError(run.message or f"{run} is {run.status}: somebody let it rest")


def _next_round(run: Run) -> Round:
    latest = run.rounds.order_by("-number").first()
    if latest is None or latest.status in (Round.Status.FAILED, Round.Status.STOPPED):
        return runs.request_round(run.pk)[0]
    return latest


def _tell_taste(round_: Round, tracker: Tracker) -> None:
    for row in results.taste_figures(round_.run):
        if row["round"] == round_.number:
            tracker.figures(round_.number, {name: value for name, value in row.items() if name != "round"})


def finish(work: Work, run: Run, tracker: Tracker | None = None) -> None:
    """All files of a run as it is now, plots included."""
    place = work.folder_of(run)
    folder.keep_tables(run, place)
    folder.keep_playlist(run, place / "tracks")
    drawn = folder.draw(run, place / "plots")
    if tracker is not None and drawn:
        latest = run.rounds.order_by("-number").first()
        tracker.pictures(drawn, round_number=latest.number if latest else 1)
    keep(work)


def keep(work: Work) -> None:
    """The tables of every run, and the summary of several."""
    for run in work.runs:
        folder.keep_tables(run, work.folder_of(run))
    if len(work.runs) > 1:
        folder.write(work.folder / "config.yaml", results.configuration_yaml(work.runs[0]))
        folder.write_json(work.folder / "result.json", results.summary(work.runs))


def experiment_of(work: Work) -> Experiment:
    """The experiment that all runs of the work belong to."""
    return work.runs[0].experiment


def planned_generations(run: Run) -> int:
    """How many generations the whole run will have."""
    evolution = runs.configuration(run).evolution
    per_round = evolution.generations
    blind = evolution.fitness.mode == "dynamic"
    return (run.rounds_planned or 1) * per_round - (per_round - 1 if blind else 0)
