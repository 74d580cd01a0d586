"""How long it takes to learn a taste from some ratings, beside the plain ways, and what the counted work would take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from benchmarks import machine
from benchmarks.machine import Machine, Part
from models_store.aligner import shipped
from models_store.aligner.model import AlignerV2
from models_store.taste import probit
from models_store.taste.base import TasteLearner, reference_taste
from models_store.taste.bayes import Bayes
from models_store.taste.infonce import InfoNCE
from models_store.taste.memory import Memory

COMMAND = "python -m benchmarks taste"
RATINGS = (10, 100, 1000, 10_000)
GOAL_MILLISECONDS = 50.0
GOAL_RATINGS = 1000
MOST_FOR_A_PROCESS = 1000
"""Ratings for which a full Gaussian process is fitted: its time grows with their cube."""

SLIPS = 0.1
REPEATS = 5


def measure() -> list[dict[str, Any]]:
    """Rows of name, value, unit, goal, met and command. Processor time of one thread, the least of some repeats."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        aligner = shipped.load_for("spectral")
        core = machine.measure(torch.device("cpu"), torch.float64)
        return [row for count in RATINGS for row in _rows(aligner, count, core)]
    finally:
        torch.set_num_threads(threads)


def _rows(aligner: AlignerV2, count: int, core: Machine) -> Iterator[dict[str, Any]]:
    memory = _memory(aligner, count)
    bayes = Bayes(aligner)
    milliseconds = _least(lambda: bayes.learn(memory, seed=0))
    goal = f"< {GOAL_MILLISECONDS:g}" if count == GOAL_RATINGS else ""
    yield _row(f"bayes, {count} ratings", milliseconds, goal, milliseconds < GOAL_MILLISECONDS)
    with _counted() as parts:
        bayes.learn(memory, seed=0)
    yield _row(f"bayes, {count} ratings: the counted regressions at the core's full rate", 1e3 * core.floor(parts))
    yield _row(f"infonce, {count} ratings", _of(InfoNCE(aligner), memory))
    if count <= MOST_FOR_A_PROCESS:
        yield _row(f"a full Gaussian process, {count} ratings, hyperparameters given", _process(aligner, memory))


def _of(learner: TasteLearner, memory: Memory) -> float:
    return _least(lambda: learner.learn(memory, seed=0))


def _process(aligner: AlignerV2, memory: Memory) -> float:
    """The Laplace approximation of scikit-learn, over all pairs of songs in the common space."""
    from sklearn.gaussian_process import GaussianProcessClassifier
    from sklearn.gaussian_process.kernels import DotProduct

    def fit() -> None:
        with torch.no_grad():
            places = aligner.project_songs(memory.embeddings).double().numpy()
        GaussianProcessClassifier(9.0 * DotProduct(), optimizer=None).fit(places, memory.ratings.numpy())

    return _least(fit)


def _memory(aligner: AlignerV2, count: int) -> Memory:
    """Songs whose features spread as those of the training songs, and answers with slips."""
    generator = torch.Generator().manual_seed(0)
    config = aligner.config
    drawn = torch.randn(count, config.layers, config.dim, generator=generator)
    songs = aligner.feature_mean + aligner.feature_scale * drawn
    liked = reference_taste(aligner, 0).likeness(songs)[0] > 0
    answers: Tensor = torch.where(liked ^ (torch.rand(count, generator=generator) < SLIPS), 1, -1)
    return Memory(songs, answers, torch.arange(count) // 8)


@contextmanager
def _counted() -> Iterator[list[Part]]:
    """What the regressions inside have to do: two products over the songs in each sweep, and a factorisation."""
    parts: list[Part] = []
    solve = probit._posterior

    def counting(known: probit.Evidence, sites: probit._Sites, copies: Tensor) -> probit._Posterior:
        models, songs, size = known.songs.shape
        products = 4.0 * models * songs * size * size
        read = 2.0 * known.songs.numel() * known.songs.element_size()
        parts.append(Part("songs", read, products))
        parts.append(Part("factor", 8.0 * models * size * size, models * size**3 * 4.0 / 3.0))
        return solve(known, sites, copies)

    probit._posterior = counting
    try:
        yield parts
    finally:
        probit._posterior = solve


def _least(work: Callable[[], Any]) -> float:
    """Milliseconds of processor time, the least of some repeats; long work is not repeated."""
    least = float("inf")
    began = time.perf_counter()
    for _ in range(REPEATS):
        started = time.thread_time()
        work()
        least = min(least, time.thread_time() - started)
        if time.perf_counter() - began > 20.0:
            break
    return 1e3 * least


def _row(name: str, value: float, goal: str = "", met: bool = True) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": "ms", "goal": goal, "met": met, "command": COMMAND}
