"""One generation after the other: the searcher steps, the players play, the rows are kept with the searcher's state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from django.db import transaction

from evolution import evaluation, events, genomes, interruption, runs
from evolution import models as rows
from evolution.config import Configuration
from evolution.search import build
from evolution.search.asking import Writer
from evolution.search.candidates import Candidate, Generation, Scores
from evolution.search.fitness import Fitness
from evolution.search.initial import initial_prompts
from evolution.search.searcher import Searcher, derived_seed
from evolution.takes import Take
from models_store import catalog, checkpoints
from models_store.evaluation import Evaluations
from models_store.generators.base import PromptSpace

Waiting = Callable[[str], None] | None


def open_searcher(run: rows.Run) -> Searcher:
    """The run's searcher, where its last stored generation left it.

    Raises ValueError for a configuration that no search can be built of, and LLMError when a language model that shall
    write the first prompts cannot.
    """
    configuration = runs.configuration(run)
    writer = build.writer(configuration)
    if writer is not None and not run.searcher_state:
        writer.check()  # before anything is generated
    searcher = build.searcher(
        configuration,
        seed=run.seed,
        lexicon=catalog.lexicon(configuration.music_model),
        space=prompt_space(configuration),
        prompts=_first_prompts(run, configuration, writer),
        writer=writer,
    )
    if run.searcher_state:
        searcher.restore(checkpoints.from_bytes(bytes(run.searcher_state)))
    return searcher


def prompt_space(configuration: Configuration) -> PromptSpace | None:
    """How the search of an experiment makes genomes of prompts; None: prompts are its genomes."""
    played = runs.instruments_of(configuration)
    parameters = {"input_type": configuration.input_type, **played.parameters}
    return catalog.prompt_space(played.generator, **parameters)


def _first_prompts(run: rows.Run, configuration: Configuration, writer: Writer | None) -> Sequence[str]:
    """The lines of the init_file, or what a language model wrote: asked once and kept, for it answers differently."""
    if configuration.evolution.initialization != "LLM" or writer is None:
        return list(run.experiment.prompts)
    if not run.first_prompts:
        written = initial_prompts(
            count=configuration.evolution.search.population_size,
            seed=derived_seed(run.seed, "first prompts"),
            lexicon=catalog.lexicon(configuration.music_model),
            writer=writer,
        )
        run.first_prompts = list(written)
        run.save(update_fields=["first_prompts"])
    return list(run.first_prompts)


def evolve(round_: rows.Round, fitness: Fitness, *, on_wait: Waiting = None) -> Iterator[rows.Generation]:
    """Step through the generations that the round still lacks; each is stored before it is given.

    Raises evolution.runs.NotWantedError between two of them when the run was paused or stopped.
    """
    run = rows.Run.objects.select_related("experiment").get(pk=round_.run_id)
    done = round_.generations.count()
    if done >= round_.generations_planned:
        return
    searcher = open_searcher(run)
    player = _Player(run, fitness, on_wait)
    for number in range(done + 1, round_.generations_planned + 1):
        interruption.check()
        runs.still_wanted(run)
        started, player.played = time.monotonic(), {}
        generation = searcher.step(player.scores)
        stored = _store(round_, run, number, generation, player, searcher, seconds=time.monotonic() - started)
        events.generation_stored(stored)
        yield stored


def hear_again(round_: rows.Round, *, on_wait: Waiting = None) -> None:
    """Play the round's candidates again whose evaluations were forgotten while the run rested."""
    forgotten = list(rows.Candidate.objects.filter(generation__round=round_, evaluation=None))
    if not forgotten:
        return
    seconds, played_on = runs.configuration(round_.run).evolution.duration, runs.instruments(round_.run)
    takes = [Take(genomes.from_json(one.genome), one.seed, seconds) for one in forgotten]
    evaluation.evaluate(takes, played_on, on_wait=on_wait)
    for candidate, take in zip(forgotten, takes, strict=True):
        candidate.evaluation_id = take.key(played_on)
    rows.Candidate.objects.bulk_update(forgotten, ["evaluation"], batch_size=500)


class _Player:
    """The searcher's `evaluate`: stored evaluations, scored by the fitness of this round."""

    def __init__(self, run: rows.Run, fitness: Fitness, on_wait: Waiting) -> None:
        self.instruments = runs.instruments(run)
        self.seconds = runs.configuration(run).evolution.duration
        self.fitness = fitness
        self.on_wait = on_wait
        self.played: dict[str, float] = {}
        """What was played in this step, and a player's time for each."""

    def take(self, candidate: Candidate) -> Take:
        return Take(genome=candidate.genome, seed=candidate.seed, seconds=self.seconds)

    def scores(self, candidates: Sequence[Candidate]) -> Scores:
        takes = [self.take(candidate) for candidate in candidates]
        keys = [take.key(self.instruments) for take in takes]
        known = set(rows.Evaluation.objects.filter(pk__in=keys).values_list("pk", flat=True))
        stored = evaluation.evaluate(takes, self.instruments, on_wait=self.on_wait)
        self.played |= {key: row.seconds for key, row in stored.items() if key not in known}
        return self.fitness(heard([stored[key] for key in keys]))


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
        player_seconds=sum(player.played.values()),
        played=len(player.played),
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
