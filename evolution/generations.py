"""One generation after the other: the searcher steps, the players play, the rows are kept with the searcher's state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from django.conf import settings
from django.db import transaction

from evolution import evaluation, genomes, runs
from evolution import models as rows
from evolution.search import build
from evolution.search.candidates import Candidate, Generation, Scores
from evolution.search.fitness import Fitness
from evolution.search.searcher import Searcher
from evolution.takes import Instruments, Take
from models_store import catalog, checkpoints
from models_store.evaluation import Evaluations

Waiting = Callable[[str], None] | None


def instruments(run: rows.Run) -> Instruments:
    """What plays and hears in a run."""
    name = runs.configuration(run).music_model
    parameters = {"soundfont_path": settings.SOUNDFONT} if name == "soundfont" and settings.SOUNDFONT else {}
    return Instruments(generator=name, parameters=parameters)


def open_searcher(run: rows.Run) -> Searcher:
    """The run's searcher, where its last stored generation left it."""
    configuration = runs.configuration(run)
    searcher = build.searcher(
        configuration,
        seed=run.seed,
        lexicon=catalog.lexicon(configuration.music_model),
        vocabulary=catalog.vocabulary(configuration.music_model),
    )
    if run.searcher_state:
        searcher.restore(checkpoints.from_bytes(bytes(run.searcher_state)))
    return searcher


def evolve(round_: rows.Round, fitness: Fitness, *, on_wait: Waiting = None) -> Iterator[rows.Generation]:
    """Step through the generations that the round still lacks; each is stored before it is given."""
    run = rows.Run.objects.select_related("experiment").get(pk=round_.run_id)
    done = round_.generations.count()
    if done >= round_.generations_planned:
        return
    searcher = open_searcher(run)
    player = _Player(run, fitness, on_wait)
    for number in range(done + 1, round_.generations_planned + 1):
        started = time.monotonic()
        generation = searcher.step(player.scores)
        yield _store(round_, run, number, generation, player, searcher, seconds=time.monotonic() - started)


class _Player:
    """The searcher's `evaluate`: stored evaluations, scored by the fitness of this round."""

    def __init__(self, run: rows.Run, fitness: Fitness, on_wait: Waiting) -> None:
        self.instruments = instruments(run)
        self.seconds = runs.configuration(run).evolution.duration
        self.fitness = fitness
        self.on_wait = on_wait

    def take(self, candidate: Candidate) -> Take:
        return Take(genome=candidate.genome, seed=candidate.seed, seconds=self.seconds)

    def scores(self, candidates: Sequence[Candidate]) -> Scores:
        takes = [self.take(candidate) for candidate in candidates]
        stored = evaluation.evaluate(takes, self.instruments, on_wait=self.on_wait)
        return self.fitness(heard([stored[take.key(self.instruments)] for take in takes]))


def heard(evaluations: Sequence[rows.Evaluation]) -> Evaluations:
    """Stored rows as one batch: embeddings [N, layers, dim] and artefacts [N, faults]."""
    if not evaluations:
        raise ValueError("heard: expected at least one evaluation, got none")
    embeddings = [np.frombuffer(row.embedding, dtype="<f4").reshape(row.layers, row.dim) for row in evaluations]
    return Evaluations(
        embeddings=torch.from_numpy(np.stack(embeddings).astype(np.float32)),
        artefacts=torch.tensor([row.artefacts for row in evaluations], dtype=torch.float32),
    )


@transaction.atomic
def _store(
    round_: rows.Round,
    run: rows.Run,
    number: int,
    generation: Generation,
    player: _Player,
    searcher: Searcher,
    *,
    seconds: float,
) -> rows.Generation:
    """The generation, its candidates and the searcher's state: all or nothing, so that a kill repeats the step."""
    stored = rows.Generation.objects.create(
        round=round_,
        number=number,
        best=generation.best,
        mean=generation.mean,
        median=generation.median,
        worst=generation.worst,
        seconds=seconds,
    )
    rows.Candidate.objects.bulk_create(
        rows.Candidate(
            generation=stored,
            position=position,
            prompt=candidate.prompt,
            genome=genomes.to_json(candidate.genome),
            seed=candidate.seed,
            parents=list(candidate.parents),
            operators=list(candidate.operators),
            elite=candidate.elite,
            evaluation_id=player.take(candidate).key(player.instruments),
            fitness=float(generation.scores.fitness[position]),
            likeness=float(generation.scores.likeness[position]),
            artefacts=float(generation.scores.artefacts[position]),
        )
        for position, candidate in enumerate(generation.candidates)
    )
    run.searcher_state = checkpoints.to_bytes(searcher.state())
    run.save(update_fields=["searcher_state"])
    return stored
