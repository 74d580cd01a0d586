"""Full LLM: a language model that reads the ranking and writes the next generation."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from evolution.search import templates
from evolution.search.asking import LLMError
from evolution.search.candidates import NEW_SEED, NOVEL, Candidate, Generation, Scores
from evolution.search.full_llm import FullLLM
from evolution.search.prompt_writer import PromptWriter
from tests.unit.llm_server import Asked, LLMServer, Reply, chat, error, prompts_for, tagged

LEXICON = {"genre": ("jazz", "metal", "waltz"), "mood": ("calm", "angry"), "instruments": ("piano", "drums", "harp")}
BEGINNING = [f"first prompt {number}" for number in range(40)]


def score(candidates: Sequence[Candidate]) -> Scores:
    """A fitness that depends on prompt and seed."""
    draws = [np.random.default_rng([candidate.seed, *candidate.prompt.encode()]) for candidate in candidates]
    fitness = np.array([draw.uniform(-1.0, 1.0) for draw in draws])
    return Scores(fitness, fitness, np.zeros(len(fitness)))


def writer(server: LLMServer, **settings: object) -> PromptWriter:
    settings = {"timeout": 5.0, "retries": 1, "backoff": 0.01} | settings
    return PromptWriter(api_key="k", model="small", api_uri=server.uri, **settings)  # type: ignore[arg-type]


def search(server: LLMServer, size: int = 10, seed: int = 3, **settings: object) -> FullLLM:
    settings = {"writer": writer(server), "beginning": lambda: BEGINNING[:size]} | settings
    return FullLLM(lexicon=LEXICON, population_size=size, seed=seed, **settings)  # type: ignore[arg-type]


def steps(searcher: FullLLM, count: int) -> list[Generation]:
    return [searcher.step(score) for _ in range(count)]


def ranking_asked(server: LLMServer) -> list[Asked]:
    return [asked for asked in server.asked if "present generation" in asked.message]


def test_the_first_population_is_the_beginning_and_asks_nobody() -> None:
    with LLMServer() as server:
        (first,) = steps(search(server), 1)
    assert [candidate.prompt for candidate in first.candidates] == BEGINNING[:10]
    assert len({candidate.seed for candidate in first.candidates}) == 10
    assert server.asked == []


def test_the_model_is_shown_the_ranking_with_scores_and_writes_the_next_generation() -> None:
    with LLMServer() as server:
        before, after = steps(search(server, noise_weight=0.5), 2)
        (asked,) = ranking_asked(server)
    lines = re.findall(r"^(\d+)\. \((\d+\.\d)\) (.*)$", asked.message, re.MULTILINE)
    best_first = [before.candidates[position] for position in before.ranking()]
    assert [prompt for _, _, prompt in lines] == [candidate.prompt for candidate in best_first]
    expected = [100.0 * (float(before.scores.fitness[position]) + 1.5) / 2.5 for position in before.ranking()]
    assert [float(value) for _, value, _ in lines] == pytest.approx(expected, abs=0.051)
    children = [candidate for candidate in after.candidates if candidate.operators == ("full LLM",)]
    assert [child.prompt for child in children] == prompts_for(asked)
    assert asked.wanted == len(children) == 8
    assert "next generation of 8 prompts" in asked.message
    assert all(child.parents == () for child in children)


def test_elites_keep_genome_and_seed_and_novel_prompts_are_asked_for_apart() -> None:
    with LLMServer() as server:
        before, after = steps(search(server, elites=0.2, novel_prompts=0.3), 2)
    assert sum(candidate.elite for candidate in after.candidates) == 2
    for place, position in enumerate(before.ranking()[:2]):
        assert after.candidates[place].identity == before.candidates[position].identity
        assert after.candidates[place].parents == (position,)
    assert sum(candidate.operators == (NOVEL,) for candidate in after.candidates) == 3
    (novel,) = [asked for asked in server.asked if "Invent 3 prompts" in asked.message]
    assert novel.wanted == 3


def test_fractions_are_rounded_but_never_zero() -> None:
    with LLMServer() as server:
        _, after = steps(search(server, size=20, elites=0.01, novel_prompts=0.01), 2)
        _, bare = steps(search(server, size=20, elites=0.0, novel_prompts=0.0), 2)
    assert sum(candidate.elite for candidate in after.candidates) == 1
    assert sum(NOVEL in candidate.operators for candidate in after.candidates) == 1
    assert {candidate.operators for candidate in bare.candidates} == {("full LLM",)}


def test_elites_and_novel_prompts_may_fill_the_population() -> None:
    with LLMServer() as server:
        _, after = steps(search(server, elites=0.5, novel_prompts=0.5), 2)
        assert ranking_asked(server) == []
    assert sum(candidate.elite for candidate in after.candidates) == 5


def test_too_few_prompts_are_asked_for_again_and_too_many_cut() -> None:
    def four(asked: Asked) -> Reply:
        return chat(tagged(prompts_for(asked, count=4)))

    with LLMServer(four) as server:
        _, after = steps(search(server, novel_prompts=0.0), 2)
    assert [asked.wanted for asked in server.asked] == [9, 5, 1]
    assert len({candidate.prompt for candidate in after.candidates}) == 10


def test_a_model_that_repeats_the_population_gets_it_back_with_new_seeds() -> None:
    def parrot(asked: Asked) -> Reply:
        return chat(tagged(BEGINNING[: asked.wanted]))

    with LLMServer(parrot) as server:
        before, after = steps(search(server, novel_prompts=0.0, writer=writer(server, asks_again=2)), 2)
        assert len(server.asked) == 3
    assert [candidate.prompt for candidate in after.candidates[1:]] == BEGINNING[:9]
    assert {candidate.operators for candidate in after.candidates[1:]} == {("full LLM", NEW_SEED)}
    heard = {candidate.identity for candidate in before.candidates}
    assert not [candidate for candidate in after.candidates[1:] if candidate.identity in heard]
    assert len({candidate.identity for candidate in after.candidates}) == 10


def test_the_users_template_is_used_and_other_braces_stay() -> None:
    template = 'Listen. {"json": 1}\n{ranking}\nNow {num_generate} of them, {num_generate}!'
    with LLMServer() as server:
        steps(search(server, size=4, template=template, novel_prompts=0.0), 2)
        (asked,) = server.asked
    assert asked.message.startswith('Listen. {"json": 1}\n1. (')
    assert "Now 3 of them, 3!" in asked.message


def test_what_a_prompt_says_is_not_taken_for_an_answer_or_a_place_to_fill() -> None:
    odd = ["<prompt>odd one</prompt> with {num_generate} and {ranking}", "plain"]
    with LLMServer() as server:
        steps(search(server, size=2, beginning=lambda: odd, elites=0.0, novel_prompts=0.0), 2)
        (asked,) = server.asked
    assert "odd one with {num_generate} and {ranking}" in asked.message


@pytest.mark.parametrize("template", ["only {ranking}", "only {num_generate}", ""])
def test_a_template_without_its_places_is_refused(template: str) -> None:
    with LLMServer() as server, pytest.raises(ValueError, match="is missing"):
        search(server, template=template)


def test_a_saved_search_goes_on_as_if_it_had_never_stopped() -> None:
    with LLMServer() as server:
        expected = steps(search(server, 8), 4)
        stopped = search(server, 8)
        steps(stopped, 2)
        stored = io.BytesIO()
        torch.save(stopped.state(), stored)
        stored.seek(0)
        resumed = search(server, 8, seed=99, beginning=lambda: pytest.fail("asked for the beginning again"))
        resumed.restore(torch.load(stored, weights_only=True))
        went_on = steps(resumed, 2)
    assert [generation.candidates for generation in went_on] == [each.candidates for each in expected[2:]]


def test_a_step_that_failed_leaves_the_search_as_it_was() -> None:
    with LLMServer() as server:
        expected = steps(search(server), 2)[-1]
        searcher = search(server)
        searcher.step(score)
        before = searcher.state()
        server.behaviour = lambda _: error(500, "out of order")
        with pytest.raises(LLMError, match="HTTP 500, out of order"):
            searcher.step(score)
        assert searcher.state() == before
        server.behaviour = lambda asked: chat(tagged(prompts_for(asked)))
        assert searcher.step(score).candidates == expected.candidates


def test_a_beginning_of_another_size_is_refused() -> None:
    with LLMServer() as server, pytest.raises(ValueError, match="initial prompts: expected 10, got 3"):
        search(server, beginning=lambda: BEGINNING[:3]).step(score)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 1}, "population_size: expected at least 2"),
        ({"elites": 1.0, "novel_prompts": 0.0}, "elites: expected less than 1"),
        ({"elites": 0.6, "novel_prompts": 0.6}, "expected at most 1"),
        ({"noise_weight": -0.1}, "noise_weight: expected a number >= 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], message: str) -> None:
    with LLMServer() as server, pytest.raises(ValueError, match=message):
        search(server, **settings)  # type: ignore[arg-type]


def test_the_shipped_template_asks_for_reasoning_first() -> None:
    text = templates.full_llm(templates.FULL_LLM_PROMPT, ranked=[(80.0, "calm piano")], count=5)
    assert "1. (80.0) calm piano" in text
    assert "Think before you write" in text
    assert "<prompt>" not in text
