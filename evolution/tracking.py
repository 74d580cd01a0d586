"""Where the figures of a run go beside the database: a CSV file, TensorBoard, Weights & Biases.

A tracker that fails says so once and is left out from then on: it never stops a run.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Self, TypeVar

from django.conf import settings
from django.db.models import Q

from evolution import config, evaluation, genomes, runs
from evolution import models as rows
from evolution.takes import Take
from evolution.trackers.ledger import Ledger
from evolution.trackers.sink import Moment, Sink

logger = logging.getLogger(__name__)

T = TypeVar("T")

FILE = "tracking.csv"
FOLDER = "tracking"
"""Under the state folder: the files of runs that nobody named a folder for."""


class Tracker:
    """Tells every sink; a generation or round that was told before, also by an earlier process, is not told again."""

    def __init__(self, run: rows.Run, sinks: list[Sink], ledger: Ledger | None = None, *, token: str = "") -> None:
        """sinks: who is told. ledger: one of them, which knows what was told. token: what no warning may show."""
        self._run = run
        self._sinks = sinks
        self._ledger = ledger
        self._token = token

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def generation(self, generation: rows.Generation) -> None:
        """Tell how a stored generation did and, where sound is wanted, let its best candidate be heard."""
        if not self._sinks:
            return
        self._generation(generation, _moment(generation))

    def catch_up(self) -> None:
        """Tell the run's generations that an earlier process stored and could not tell any more."""
        if self._sinks:
            stored = rows.Generation.objects.filter(round__run=self._run).select_related("round__run")
            for step, generation in enumerate(stored.order_by("round__number", "number"), start=1):
                self._generation(generation, Moment(step, generation.round.number, generation.number))

    def figures(self, round_number: int, figures: Mapping[str, float]) -> None:
        """Tell how well the taste was learned in a round: what TasteSnapshot.figures holds."""
        at = Moment(step=_steps(self._run, round_number), round=round_number)
        if self._sinks and not self._knows(at):
            self._numbers({f"taste/{name}": value for name, value in figures.items()}, at)

    def pictures(self, files: Mapping[str, Path], *, round_number: int) -> None:
        """Hand over plots, name -> PNG, where the configuration asks for visualizations."""
        if not self._sinks or not _visualizes(self._run):
            return
        at = Moment(step=_steps(self._run, round_number), round=round_number)
        for name, file in files.items():
            for sink in list(self._sinks):
                self._tell(sink, partial(sink.picture, name, file, at=at))

    def close(self) -> None:
        """Nothing follows; what was told is sent."""
        for sink in list(self._sinks):
            self._tell(sink, sink.close)
        self._sinks = []

    def _generation(self, generation: rows.Generation, at: Moment) -> None:
        if not self._knows(at):
            self._sound(generation, at)
            self._numbers(_figures(generation), at)

    def _sound(self, generation: rows.Generation, at: Moment) -> None:
        hearers = [sink for sink in self._sinks if sink.wants_sound]
        if not hearers or not _visualizes(self._run):
            return
        best = _attempt("the best of a generation", partial(_recorded, self._run, generation))
        if best is not None:
            file, prompt = best
            for sink in hearers:
                self._tell(sink, partial(sink.sound, "best audio", file, caption=prompt, at=at))

    def _knows(self, at: Moment) -> bool:
        return self._ledger is not None and self._ledger.has(at)

    def _numbers(self, values: Mapping[str, float], at: Moment) -> None:
        """The ledger is told last: what it has, everybody has."""
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        for sink in sorted(self._sinks, key=lambda sink: sink is self._ledger):
            self._tell(sink, partial(sink.numbers, finite, at=at))

    def _tell(self, sink: Sink, say: Callable[[], None]) -> None:
        def said() -> bool:
            say()
            return True

        if sink in self._sinks and not _attempt(sink.name, said, token=self._token):
            self._sinks.remove(sink)


def of(run: rows.Run, folder: Path | None = None) -> Tracker:
    """The tracker of a run, to be used as a context manager.

    folder: for its files; then there is always a CSV file. None: under the state folder, and nothing at all where
    the configuration asks for no tracker.
    """
    wanted = runs.configuration(run).evolution.logger
    if folder is None:
        if not (wanted.wandb or wanted.tensorboard):
            return Tracker(run, [])
        folder = Path(settings.STATE_FOLDER, FOLDER, identity(run))
    token = _token(run) if wanted.wandb else ""
    ledger = _attempt(Ledger.name, partial(Ledger, folder / FILE))
    sinks: list[Sink | None] = [ledger]
    if wanted.tensorboard:
        sinks.append(_attempt("TensorBoard", partial(_tensorboard, folder)))
    if wanted.wandb:
        sinks.append(_attempt("Weights & Biases", partial(_weights_and_biases, run, folder, token), token=token))
    return Tracker(run, [sink for sink in sinks if sink is not None], ledger, token=token)


def _tensorboard(folder: Path) -> Sink:
    from evolution.trackers.tensorboard import TensorBoard  # only who asks for it needs the package

    return TensorBoard(folder / "tensorboard")


def _weights_and_biases(run: rows.Run, folder: Path, token: str) -> Sink:
    from evolution.trackers.weights_and_biases import WeightsAndBiases

    configuration = runs.configuration(run)
    wanted = configuration.evolution.logger
    return WeightsAndBiases(
        folder,
        project=wanted.project,
        identity=identity(run),
        title=f"{run.experiment.name} {run.seed}",
        configuration={**config.dump(configuration), "seed": run.seed},
        token=token,
    )


def _token(run: rows.Run) -> str:
    """Weights & Biases' key; "" where none is configured or its variable is not set: then its own login counts."""
    reference = runs.configuration(run).evolution.logger.wandb_token
    found = _attempt("Weights & Biases' token", partial(config.secrets.resolve, reference)) if reference else None
    return found or ""


def identity(run: rows.Run) -> str:
    """The name of a run outside this database: the same for the same row, so that a resumed run goes on there."""
    content = f"{run.experiment.name} {run.pk} {run.seed} {run.created_at.isoformat()}"
    return blake2b(content.encode(), digest_size=8).hexdigest()


def _attempt(name: str, work: Callable[[], T], *, token: str = "") -> T | None:
    """What `work` gives; None, and one line in the log, when it fails for whatever reason.

    A tracker is somebody else's program, disk or network: any of them may raise anything.
    """
    try:
        return work()
    except Exception as error:
        said = (str(error) or type(error).__name__).splitlines()[0]
        logger.warning("%s: %s; the run goes on without it", name, said.replace(token, "***") if token else said)
        return None


def _moment(generation: rows.Generation) -> Moment:
    round_ = generation.round
    return Moment(
        step=_steps(round_.run, round_.number, upto=generation.number),
        round=round_.number,
        generation=generation.number,
    )


def _steps(run: rows.Run, round_number: int, *, upto: int | None = None) -> int:
    """How many generations the run had after `upto` of this round; None: after the whole round."""
    inside = Q(round__number=round_number) if upto is None else Q(round__number=round_number, number__lte=upto)
    return rows.Generation.objects.filter(Q(round__run=run) & (Q(round__number__lt=round_number) | inside)).count()


def _figures(generation: rows.Generation) -> dict[str, float]:
    likeness, artefacts = zip(*generation.candidates.values_list("likeness", "artefacts"), strict=True)
    return {
        "fitness/average": generation.mean,
        "fitness/best": generation.best,
        "fitness/worst": generation.worst,
        "fitness/median": generation.median,
        "likeness/average": fmean(likeness),
        "artefacts/average": fmean(artefacts),
        "effort/seconds": generation.seconds,
        "effort/player_seconds": generation.player_seconds,
        "effort/played": generation.played,
    }


def _visualizes(run: rows.Run) -> bool:
    return runs.configuration(run).evolution.logger.visualizations


def _recorded(run: rows.Run, generation: rows.Generation) -> tuple[Path, str]:
    """The file of the generation's best candidate, as long as a track, and its prompt."""
    best = generation.candidates.order_by("-fitness", "position")[0]
    seconds = runs.configuration(run).evolution.best_duration
    take = Take(genome=genomes.from_json(best.genome), seed=best.seed, seconds=seconds)
    instruments = runs.instruments(run)
    recording = evaluation.record([take], instruments)[take.key(instruments)]
    return Path(recording.file.path), best.prompt
