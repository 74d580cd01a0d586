"""What staff do with experiments: make, start, steer, open to people, note and delete them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Literal

from django.db import transaction

from evolution import config, runs
from evolution.config import Configuration
from evolution.models import Experiment, Run
from laboratory import drafts, reference_users, roster
from listening import trials
from listening.models import Listener

MOST_LISTENERS = 100
"""Started at once: each is a run of its own."""

Action = Literal["pause", "resume", "stop"]

_STEERING: dict[Action, tuple[Callable[[Run], bool], tuple[str, ...]]] = {
    "pause": (runs.pause, (Run.Status.RUNNING,)),
    "resume": (trials.resume, (Run.Status.PAUSED, Run.Status.STOPPED, Run.Status.FAILED)),
    "stop": (runs.stop, (Run.Status.RUNNING, Run.Status.PAUSED)),
}

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


class RefusedError(ValueError):
    """What cannot be done to this experiment; the message says why."""


def create(text: str, *, name: str = "", note: str = "", author: str = "") -> Experiment:
    """The experiment that a page's text describes. Raises ConfigurationError as `drafts.check`."""
    configuration = drafts.check(text)
    prompts = drafts.prompts(configuration)
    return runs.create(configuration, name=name, prompts=prompts, author=author, note=note)


def configuration(experiment: Experiment) -> Configuration:
    """The experiment's validated configuration."""
    return config.parse(experiment.configuration)


def reference_listeners(experiment: Experiment, text: str) -> list[int]:
    """The reference users that a text such as `0-4, 17` names, in order, each once.

    Raises RefusedError for another text, for too many, or for a number that the aligner does not have.
    """
    chosen: dict[int, None] = {}
    for part in re.sub(r"\s*[-–]\s*", "-", text).replace(",", " ").split():
        match = _RANGE.fullmatch(part)
        if match is None:
            raise RefusedError(f"expected numbers and ranges such as 0-4, 17, got {part!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first >= MOST_LISTENERS:
            raise RefusedError(f"expected a range of 1 to {MOST_LISTENERS} listeners, got {part!r}")
        chosen |= dict.fromkeys(range(first, last + 1))
    return _checked(experiment, list(chosen))


def drawn_listeners(experiment: Experiment, *, count: int, seed: int) -> list[int]:
    """So many different reference users, drawn by the seed, in order.

    Raises RefusedError when there are not so many.
    """
    known = reference_users.count(configuration(experiment))
    if known is None:
        raise RefusedError("expected an aligner that says how many reference listeners it has: name them by number")
    if count > known:
        raise RefusedError(f"expected at most the {known} reference listeners of the aligner, got {count}")
    return _checked(experiment, sorted(random.Random(seed).sample(range(known), count)))


def start(experiment: Experiment, *, listeners: Sequence[int], seed: int) -> list[Run]:
    """A run for each of these reference users, all with the same seed: they differ by their listeners alone."""
    with transaction.atomic():
        return [trials.begin(experiment, reference_user=user, seed=seed).run for user in listeners]


def open_to_people(experiment: Experiment, *, weight: float) -> None:
    """Let new listeners fall into it, by weight beside the other open ones.

    Raises RefusedError for fitness mode `user`.
    """
    if configuration(experiment).evolution.fitness.mode == "user":
        raise RefusedError(
            "expected fitness.mode dynamic or music: with mode user the search seeks the taste of a reference "
            "listener, and a person is none of them"
        )
    experiment.is_open, experiment.weight = True, weight
    experiment.save(update_fields=["is_open", "weight"])


def close(experiment: Experiment) -> None:
    """No new listener falls into it; those who did go on."""
    experiment.is_open = False
    experiment.save(update_fields=["is_open"])


def steer(run: Run, action: Action) -> bool:
    """Pause, resume or stop a run; False when it was in no state for that.

    Raises RefusedError for resuming what a command works on: nobody would go on with it.
    """
    if action == "resume" and run.conductor == Run.Conductor.COMMAND and run.status in _STEERING["resume"][1]:
        raise RefusedError(
            f"run {run.pk} was begun by a command, which works on it: it goes on with "
            "manage.py evolve --resume --out and the folder of its results"
        )
    return _STEERING[action][0](run)


def steer_all(experiment: Experiment, action: Action) -> int:
    """Pause, resume or stop every run that is in a state for it; how many were. A command's runs are not resumed."""
    act, among = _STEERING[action]
    chosen = experiment.runs.filter(status__in=among).defer("searcher_state").select_related("experiment")
    if action == "resume":
        chosen = chosen.exclude(conductor=Run.Conductor.COMMAND)
    return sum(act(run) for run in chosen)


def note(experiment: Experiment, text: str) -> None:
    """What staff write down about it."""
    experiment.note = text
    experiment.save(update_fields=["note"])


@transaction.atomic
def delete(experiment: Experiment) -> None:
    """Delete it with its runs. Raises RefusedError while one of them runs or rests, and when a person took part."""
    locked = Experiment.objects.select_for_update().get(pk=experiment.pk)
    if roster.has_people(locked):
        raise RefusedError("people took part in it, and their music and ratings are kept")
    going = locked.runs.filter(status__in=[Run.Status.RUNNING, Run.Status.PAUSED]).count()
    if going:
        raise RefusedError(f"{going} of its runs {'is' if going == 1 else 'are'} not over: stop them first")
    Listener.objects.filter(run__experiment=locked).delete()
    locked.runs.all().delete()
    locked.delete()


def _checked(experiment: Experiment, listeners: list[int]) -> list[int]:
    if not listeners:
        raise RefusedError("expected at least one reference listener, got none")
    if len(listeners) > MOST_LISTENERS:
        raise RefusedError(f"expected at most {MOST_LISTENERS} listeners at a time, got {len(listeners)}")
    known = reference_users.count(configuration(experiment))
    if known is not None and max(listeners) >= known:
        raise RefusedError(
            f"expected numbers from 0 to {known - 1}, the aligner's reference listeners, got {max(listeners)}"
        )
    return listeners
