"""LLM evolve: a generation with all its requests at once, against the same requests one after another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from evolution.search.candidates import Candidate, Scores
from evolution.search.llm_evolve import LLMEvolve
from evolution.search.prompt_writer import PromptWriter
from evolution.search.templates import LLMOperator
from models_store import prompt_pool
from models_store.generators.soundfont.vocabulary import LEXICON
from tests.unit.llm_server import LLMServer, slowly

COMMAND = "python -m benchmarks llm"
POPULATION = 100
LATENCY = 0.2
"""Seconds until the endpoint answers."""

GOAL = 15.0
REPETITIONS = 3
OPERATORS = (
    LLMOperator("crossover", "Cross these two prompts:\n{prompts}", input=2, output=1),
    LLMOperator("mutation", "Write three variations of this prompt:\n{prompts}", input=1, output=3),
)


def measure() -> list[dict[str, Any]]:
    """Seconds of one generation, at once (the median of three) and with one request at a time, and their ratio."""
    with LLMServer(slowly(LATENCY)) as server:
        at_once, requests, population = _generation(server)
        repeated = [at_once, *(_generation(server)[0] for _ in range(REPETITIONS - 1))]
        in_turn, same_requests, same_population = _generation(server, concurrency=1)
    if (requests, population) != (same_requests, same_population):
        raise RuntimeError("benchmark: expected the same requests and prompts both ways")
    seconds = float(np.median(repeated))
    what = f"LLM evolve, {POPULATION} candidates, {requests} requests answered after {1000 * LATENCY:.0f} ms"
    return [
        _row(f"{what}: a generation", seconds, "s"),
        _row(f"{what}: a generation, one request after another", in_turn, "s"),
        _row(f"{what}: times faster at once", in_turn / seconds, "x", goal=GOAL),
    ]


def _generation(server: LLMServer, **settings: int) -> tuple[float, int, tuple[Candidate, ...]]:
    """Seconds of the second step, how many requests it took, and the population that it made."""
    writer = PromptWriter(api_key="benchmark", model="small", api_uri=server.uri, **settings)  # type: ignore[arg-type]
    searcher = LLMEvolve(
        writer=writer,
        lexicon=LEXICON,
        beginning=lambda: prompt_pool.draw(POPULATION, lexicon=LEXICON, seed=1),
        population_size=POPULATION,
        seed=1,
        elites=0.0,
        novel_prompts=0.0,
        operators=OPERATORS,
    )
    searcher.step(_score)
    before = writer.usage.requests
    began = time.perf_counter()
    generation = searcher.step(_score)
    return time.perf_counter() - began, writer.usage.requests - before, generation.candidates


def _score(candidates: Sequence[Candidate]) -> Scores:
    """Scores that cost next to nothing and differ."""
    fitness = np.array([candidate.seed / 2**31 for candidate in candidates], dtype=np.float32)
    return Scores(fitness, fitness, np.zeros_like(fitness))


def _row(name: str, value: float, unit: str, goal: float | None = None) -> dict[str, Any]:
    wanted = "" if goal is None else f">= {goal:.0f}"
    met = goal is None or value >= goal
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": wanted, "met": met, "command": COMMAND}


def main() -> None:
    for row in measure():
        print(f"{row['name']}: {row['value']} {row['unit']} {row['goal']}")


if __name__ == "__main__":
    main()
