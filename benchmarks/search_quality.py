"""Does searching pay? Every mode that needs no language model against random search with the same budget.

In one process, with nothing in between: the embedded generator, encoder and aligner, `user` fitness.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from evolution import config
from evolution.search import build
from evolution.search.candidates import Candidate, Generation, Scores
from evolution.search.fitness import TasteFitness
from evolution.search.searcher import Searcher
from evomusic_site.environment import ROOT
from models_store import catalog
from models_store.aligner import shipped
from models_store.evaluation import Evaluations, play
from models_store.taste.base import reference_taste

NOISE_WEIGHT = 0.5
SUBSPACE = 64
GENERATOR = "soundfont"
ENCODER = "spectral"
CONTROL = "random"


@dataclass(frozen=True)
class Budget:
    """What a search may spend. seconds: length of a candidate."""

    users: int
    generations: int
    population: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.users} users x {self.generations} generations of {self.population}, {self.seconds:g} s"

    @property
    def command(self) -> str:
        return (
            f"python -m benchmarks.search_quality --users {self.users} --generations {self.generations} "
            f"--population {self.population} --seconds {self.seconds:g}"
        )


FULL = Budget(users=10, generations=20, population=100, seconds=1.0)
"""The budget that the goal names; candidates are short, so that all modes together take little more than an hour."""

SMALL = Budget(users=2, generations=10, population=60, seconds=1.0)
"""What `make bench` can afford."""


def measure(budget: Budget = SMALL, *, modes: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Final best, mean and median fitness of each mode, averaged over the users; random search first."""
    chosen = [name for name in VARIANTS if not modes or name in modes or name == CONTROL]
    unknown = set(modes) - set(VARIANTS)
    if unknown:
        raise ValueError(f"modes: expected some of {', '.join(VARIANTS)}, got {', '.join(sorted(unknown))}")
    control = _outcome(CONTROL, budget)
    rows = _rows(CONTROL, control, None, budget)
    for name in chosen[1:]:
        rows += _rows(name, _outcome(name, budget), control, budget)
    return rows


@dataclass(frozen=True)
class Outcome:
    """Means over the users. ever: the best of all generations; best, mean, median: of the last."""

    ever: float
    best: float
    mean: float
    median: float


def _outcome(name: str, budget: Budget) -> Outcome:
    found = []
    began = time.monotonic()
    for user in _users(budget.users):
        listener = _Listener(user, budget.seconds)
        search = searcher(name, population=budget.population, seed=user)
        for _ in range(budget.generations):
            last = search.step(listener)
            listener.forget_all_but(last)
        found.append((listener.ever, last.best, last.mean, last.median))
    outcome = Outcome(*(float(value) for value in np.mean(found, axis=0)))
    Console(stderr=True).print(f"[dim]{name}: {outcome}, {time.monotonic() - began:.0f} s[/]", soft_wrap=True)
    return outcome


def _users(count: int) -> list[int]:
    """Reference users from all over the aligner's table."""
    last = shipped.load_for(ENCODER).config.users - 1
    return [round(place * last / max(1, count - 1)) for place in range(count)]


class _Listener:
    """A reference user as an `evaluate`; nobody is played twice in a row."""

    def __init__(self, user: int, seconds: float) -> None:
        self.ever = -np.inf
        self._fitness = TasteFitness(reference_taste(shipped.load_for(ENCODER), user), NOISE_WEIGHT)
        self._seconds = seconds
        self._heard: dict[tuple[bytes, int], tuple[torch.Tensor, torch.Tensor]] = {}

    def __call__(self, candidates: Sequence[Candidate]) -> Scores:
        unheard = {each.identity: each for each in candidates if each.identity not in self._heard}
        if unheard:
            self._hear(list(unheard.values()))
        heard = [self._heard[each.identity] for each in candidates]
        embeddings, artefacts = (torch.stack(parts) for parts in zip(*heard, strict=True))
        scores = self._fitness(Evaluations(embeddings, artefacts))
        self.ever = max(self.ever, float(scores.fitness.max()))
        return scores

    def _hear(self, candidates: Sequence[Candidate]) -> None:
        genomes: Any = [each.genome for each in candidates]
        if not isinstance(genomes[0], str):
            genomes = torch.from_numpy(np.stack(genomes))
        evaluations = play(
            catalog.generator(GENERATOR),
            catalog.encoder(ENCODER),
            genomes,
            seconds=self._seconds,
            seeds=[each.seed for each in candidates],
        )
        for each, embedding, artefacts in zip(candidates, evaluations.embeddings, evaluations.artefacts, strict=True):
            self._heard[each.identity] = embedding, artefacts

    def forget_all_but(self, generation: Generation) -> None:
        kept = {each.identity for each in generation.candidates}
        self._heard = {identity: heard for identity, heard in self._heard.items() if identity in kept}


def _variants() -> dict[str, dict[str, Any]]:
    """What to call a search -> its part of the configuration. All else is as it is by default."""
    spaces: dict[str, dict[str, Any]] = {
        "": {},
        f", subspace {SUBSPACE}": {"subspace": SUBSPACE},
        f", subspace {SUBSPACE}, snap": {"subspace": SUBSPACE, "snap": True},
    }
    alone = {mode: {"mode": mode} for mode in (CONTROL, "prompt GA", "token GA")}
    return alone | {f"{mode}{said}": {"mode": mode, **space} for mode in VECTOR_MODES for said, space in spaces.items()}


VECTOR_MODES = ("GA", "CMAES", "SNES", "PGPE", "XNES", "CEM")
VARIANTS = _variants()


def searcher(variant: str, *, population: int, seed: int) -> Searcher:
    """One of `VARIANTS`, as its configuration builds it. For one seed all begin with the same prompts."""
    search = {**VARIANTS[variant], "population_size": population}
    model = {"input_type": "token_embeddings"} if variant == CONTROL else {}
    configuration = config.parse({"evolution": {"search": search}, "music_generator": model})
    return build.searcher(
        configuration,
        seed=seed,
        lexicon=catalog.lexicon(GENERATOR),
        space=catalog.prompt_space(GENERATOR, input_type=configuration.input_type),
    )


def _rows(name: str, outcome: Outcome, control: Outcome | None, budget: Budget) -> list[dict[str, Any]]:
    """Three rows. A search's best is held against the best that random search ever drew, not its last."""
    compared = {
        "final best": (outcome.best, control.ever if control else None),
        "final mean": (outcome.mean, control.mean if control else None),
        "final median": (outcome.median, control.median if control else None),
    }
    if control is None:
        compared = {"best of all draws": (outcome.ever, None), **compared}
    return [
        {
            "name": f"{name}: {what} fitness ({budget})",
            "value": round(value, 3),
            "unit": "",
            "ahead_of_random": None if against is None else round(value - against, 3),
            "goal": "" if against is None else f"> {against:.3f}, random's",
            "met": against is None or value > against,
            "command": budget.command,
        }
        for what, (value, against) in compared.items()
    ]


def main() -> None:
    """The full budget unless told otherwise: over an hour on two cores. Rows go to the screen and to var/bench/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=FULL.users)
    parser.add_argument("--generations", type=int, default=FULL.generations)
    parser.add_argument("--population", type=int, default=FULL.population)
    parser.add_argument("--seconds", type=float, default=FULL.seconds)
    parser.add_argument("--modes", nargs="*", default=[], metavar="MODE", help=f"some of: {'; '.join(VARIANTS)}")
    given = parser.parse_args()
    budget = Budget(given.users, given.generations, given.population, given.seconds)
    rows = measure(budget, modes=given.modes)
    table = Table("what", "fitness", "against random", "goal", "met")
    for row in rows:
        ahead = "" if row["ahead_of_random"] is None else f"{row['ahead_of_random']:+.3f}"
        table.add_row(row["name"], str(row["value"]), ahead, row["goal"], "yes" if row["met"] else "no")
    Console().print(table)
    folder = ROOT / "var" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "search_quality_full.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
