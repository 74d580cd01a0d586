"""Runs that are there without having been evolved: rows as the search writes them, from a seed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from statistics import median

from django.utils import timezone

from evolution import runs
from evolution.models import Candidate, Generation, Round, Run
from listening import listeners
from listening.models import Listener, Playlist, Rating, TasteSnapshot

WORDS = ("calm jazz with piano", "fast techno with synthesiser", "sad folk with guitar", "bright pop with organ")


def make(
    *,
    name: str = "small",
    rounds: int = 2,
    generations: int = 3,
    population: int = 6,
    seed: int = 0,
    rounds_planned: int | None = 3,
    status: str = Run.Status.RUNNING,
    **search: object,
) -> Listener:
    """A synthetic listener whose run has finished `rounds` rounds of `generations` generations.

    Of every population the first candidate is an elite from position 1 of the generation before; candidate 2 is a child
    of 1 and 3. Each round has a taste whose Spearman correlation rises by 0.1.
    """
    settings = {
        "epochs": rounds_planned or 1,
        "evolution": {
            "generations": generations,
            "duration": 1.0,
            "best_duration": 2.0,
            "fitness": {"mode": "user"},
            "search": {"population_size": population, **search},
        },
    }
    experiment = runs.experiment(name=name, configuration=settings)
    listener = listeners.make_synthetic(reference_user=seed, seed=seed, experiment=experiment, rounds=rounds_planned)
    luck = random.Random(seed)
    for number in range(1, rounds + 1):
        round_ = make_round(listener, number, generations=generations)
        for step in range(1, generations + 1):
            add_generation(round_, step, population=population, luck=luck)
    Run.objects.filter(pk=listener.run_id).update(status=status)
    listener.run.refresh_from_db()
    return listener


def make_round(listener: Listener, number: int, *, generations: int, status: str = Round.Status.DONE) -> Round:
    """A round of the listener's run, with what was learned at its beginning."""
    began = timezone.now()
    round_ = Round.objects.create(
        run=listener.run,
        number=number,
        status=status,
        generations_planned=generations,
        started_at=began,
        finished_at=began + timedelta(seconds=2.0 * generations + 1.0),
    )
    figures = {"spearman": 0.1 * number, "auc": 0.5 + 0.05 * number, "cosine": 0.8, "loss": 1.0 / number, "spread": 0.2}
    TasteSnapshot.objects.create(
        listener=listener,
        round=round_,
        learner="infonce",
        embedding=[1.0, 0.0],
        ratings=4 * (number - 1),
        seconds=0.5,
        figures=figures,
        created_at=began,
    )
    return round_


def add_generation(round_: Round, number: int, *, population: int, luck: random.Random) -> Generation:
    """The next generation of a round; every one is a little fitter than the one before."""
    before = Generation.objects.filter(round__run=round_.run).count()
    likeness = [round(luck.uniform(-0.3, 0.3) + 0.05 * before, 4) for _ in range(population)]
    artefacts = [round(luck.uniform(0.0, 0.2), 4) for _ in range(population)]
    fitness = [one - 0.5 * other for one, other in zip(likeness, artefacts, strict=True)]
    generation = Generation.objects.create(
        round=round_,
        number=number,
        best=max(fitness),
        mean=sum(fitness) / population,
        median=median(fitness),
        worst=min(fitness),
        seconds=2.0,
        player_seconds=1.5,
        played=population - (1 if before else 0),
    )
    Candidate.objects.bulk_create(
        Candidate(
            generation=generation,
            position=position,
            prompt=f"{luck.choice(WORDS)}, no. {position}",
            genome=f"{luck.choice(WORDS)}, no. {position}",
            seed=2**62 + position,
            parents=_parents(position) if before else [],
            operators=["crossover", "mutation"] if before and position == 2 else [],
            elite=bool(before) and position == 0,
            fitness=fitness[position],
            likeness=likeness[position],
            artefacts=artefacts[position],
        )
        for position in range(population)
    )
    return generation


def _parents(position: int) -> list[int]:
    return {0: [1], 2: [1, 3], 3: [0]}.get(position, [])


def rate(playlist: Playlist, opinions: Sequence[int]) -> None:
    """Rate the playlist's first tracks."""
    for place, value in zip(playlist.places.all(), opinions, strict=False):
        Rating.objects.create(
            id=uuid.uuid4(),
            listener=playlist.listener,
            track=place.track,
            value=value,
            seconds=1.0,
            given_at=timezone.now(),
        )
