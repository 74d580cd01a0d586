"""LLM evolve: tournaments and a chain of operators that a language model carries out."""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
import torch

from evolution.search import templates
from evolution.search.asking import LLMError
from evolution.search.candidates import NEW_SEED, NOVEL, Candidate, Generation, Scores
from evolution.search.llm_evolve import LLMEvolve
from evolution.search.templates import LLMOperator
from tests.unit.llm_server import Asked, LLMServer, Reply, chat, error, obliging, prompts_for, slowly, tagged
from tests.unit.test_full_llm import BEGINNING, LEXICON, score, writer

CROSS = LLMOperator("cross", "Cross these two:\n{prompts}", input=2, output=1)
SPLIT = LLMOperator("split", "Make three of this:\n{prompts}", input=1, output=3)
TOUCH = LLMOperator("touch", "Change this a little:\n{prompts}", input=1, output=1)


def search(server: LLMServer, size: int = 12, seed: int = 3, **settings: object) -> LLMEvolve:
    settings = {"writer": writer(server), "operators": (CROSS, SPLIT), "beginning": lambda: BEGINNING[:size]} | settings
    return LLMEvolve(lexicon=LEXICON, population_size=size, seed=seed, **settings)  # type: ignore[arg-type]


def steps(
    searcher: LLMEvolve, count: int, evaluate: Callable[[Sequence[Candidate]], Scores] = score
) -> list[Generation]:
    return [searcher.step(evaluate) for _ in range(count)]


def asked_to(server: LLMServer, beginning: str) -> list[Asked]:
    return [asked for asked in server.asked if asked.message.startswith(beginning)]


def given(asked: Asked) -> list[str]:
    """The prompts that an operator was given."""
    return re.findall(r"^- (.*)$", asked.message, re.MULTILINE)


def test_families_pass_through_the_chain_and_no_more_than_are_needed() -> None:
    with LLMServer() as server:
        before, after = steps(search(server, elites=0.1, novel_prompts=0.1), 2)
    # 12 less one elite and one novel prompt are ten children: four families of three.
    crossed, split = asked_to(server, "Cross"), asked_to(server, "Make three")
    assert (len(crossed), len(split), len(asked_to(server, "Invent"))) == (4, 4, 1)
    assert {asked.wanted for asked in crossed} == {1}
    assert {asked.wanted for asked in split} == {3}
    known = {candidate.prompt: position for position, candidate in enumerate(before.candidates)}
    parents = {prompts_for(asked)[0]: tuple(known[prompt] for prompt in given(asked)) for asked in crossed}
    expected = {child: parents[given(asked)[0]] for asked in split for child in prompts_for(asked)}
    children = after.candidates[2:]
    assert len(children) == 10
    for child in children:
        assert child.parents == expected[child.prompt]
        assert child.operators == ("cross", "split")


def test_families_are_told_apart_by_their_tournaments() -> None:
    with LLMServer() as server:
        searcher = search(server, 40, tournament_size=2, sample=False, operators=(CROSS,))
        before, after = steps(searcher, 2)
    pairs = Counter(candidate.parents for candidate in after.candidates if candidate.operators == ("cross",))
    assert len(pairs) > 25
    for first, second in pairs:
        assert before.scores.fitness[first] >= before.scores.fitness[second]


def test_without_sampling_the_best_contestants_are_the_parents() -> None:
    with LLMServer() as server:
        before, after = steps(search(server, tournament_size=12, sample=False), 2)
    best = tuple(before.ranking()[:2])
    assert {candidate.parents for candidate in after.candidates if "cross" in candidate.operators} == {best}


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e9, float("inf")])
def test_selection_is_safe_at_any_temperature(temperature: float) -> None:
    with LLMServer() as server:
        _, after = steps(search(server, temperature=temperature), 2)
    for candidate in after.candidates:
        assert len(set(candidate.parents)) == len(candidate.parents)
    assert len(after.candidates) == 12


def test_a_warm_draw_takes_others_than_the_best() -> None:
    with LLMServer() as server:
        _, after = steps(search(server, 30, operators=(CROSS,), tournament_size=30, temperature=1e6), 2)
    assert len({candidate.parents for candidate in after.candidates}) > 15


def test_an_operator_that_is_not_applied_passes_its_first_inputs_on() -> None:
    never = (LLMOperator("cross", "Cross:\n{prompts}", 2, 1, 0.0), LLMOperator("touch", "Touch:\n{prompts}", 1, 1, 0.0))
    with LLMServer() as server:
        before, after = steps(search(server, operators=never, novel_prompts=0.0, tournament_size=12, sample=False), 2)
        assert server.asked == []
    best = before.ranking()[0]
    for child in after.candidates[1:]:
        assert (child.prompt, child.parents, child.operators) == (BEGINNING[best], (best,), (NEW_SEED,))
    assert len({candidate.seed for candidate in after.candidates}) == 12


def test_each_operator_is_applied_with_its_probability() -> None:
    chain = (LLMOperator("cross", "Cross:\n{prompts}", 2, 1, 0.5), LLMOperator("touch", "Touch:\n{prompts}", 1, 1, 0.2))
    with LLMServer() as server:
        _, after = steps(search(server, 40, operators=chain, elites=0.0, novel_prompts=0.0), 2)
        made = Counter(candidate.operators for candidate in after.candidates)
        assert len(server.asked) == sum(count * len(set(names) - {NEW_SEED}) for names, count in made.items())
    assert set(made) == {("cross",), ("touch",), ("cross", "touch"), (NEW_SEED,)}
    assert 10 <= made["cross",] + made["cross", "touch"] <= 30
    assert all(len(each.parents) == (2 if "cross" in each.operators else 1) for each in after.candidates)


def test_a_generation_lasts_as_long_as_one_answer_for_each_operator() -> None:
    with LLMServer(slowly(0.2)) as server:
        searcher = search(server, 30, novel_prompts=0.2)
        searcher.step(score)
        began = time.perf_counter()
        searcher.step(score)
        took = time.perf_counter() - began
    assert len(server.asked) > 14
    assert 0.4 <= took < 1.4  # 2.8 s and more, one after another


def test_an_answer_with_too_few_prompts_is_asked_again_for_the_missing_ones() -> None:
    def at_most_two(asked: Asked) -> Reply:
        return chat(tagged(prompts_for(asked, count=min(2, asked.wanted))))

    with LLMServer(at_most_two) as server:
        _, after = steps(search(server), 2)
        assert Counter(asked.wanted for asked in asked_to(server, "Make three")) == {3: 4, 1: 4}
    assert len({candidate.prompt for candidate in after.candidates}) == 12


def test_a_duplicate_is_asked_for_again_and_then_taken_with_a_new_seed() -> None:
    def parrot(asked: Asked) -> Reply:
        return chat(tagged(given(asked)[:1])) if asked.message.startswith("Change") else obliging(asked)

    with LLMServer(parrot) as server:
        searcher = search(server, 6, operators=(TOUCH,), novel_prompts=0.0, writer=writer(server, asks_again=2))
        before, after = steps(searcher, 2)
        assert len(server.asked) == 5 * 3
    for child in after.candidates[1:]:
        assert child.prompt == before.candidates[child.parents[0]].prompt
        assert child.operators == ("touch", NEW_SEED)
    assert len({candidate.identity for candidate in (*before.candidates, *after.candidates)}) == 11


def test_an_operator_that_gives_back_what_it_got_is_asked_again() -> None:
    def idle_at_first(asked: Asked) -> Reply:
        idle = asked.message.startswith("Change") and "Do not repeat" not in asked.message
        return chat(tagged(given(asked)[:1])) if idle else obliging(asked)

    with LLMServer(idle_at_first) as server:
        _, after = steps(search(server, 6, operators=(CROSS, TOUCH), novel_prompts=0.0), 2)
        crossed = {prompts_for(asked)[0] for asked in asked_to(server, "Cross")}
        assert len(asked_to(server, "Change")) == 10
    assert not crossed & {candidate.prompt for candidate in after.candidates}


def test_children_of_different_families_are_different_prompts() -> None:
    def forgetful(asked: Asked) -> Reply:
        if "Do not repeat" in asked.message:
            return obliging(asked)
        return chat(tagged(["the same idea"]))

    with LLMServer(forgetful) as server:
        _, after = steps(search(server, operators=(TOUCH,), novel_prompts=0.0), 2)
    assert len({candidate.prompt for candidate in after.candidates}) == 12


def test_the_run_is_the_same_whatever_the_order_and_number_of_answers_at_once() -> None:
    def at_leisure(asked: Asked) -> Reply:
        return chat(tagged(prompts_for(asked)), delay=0.03 * (asked.number % 3))

    with LLMServer() as one, LLMServer(at_leisure, script=[error(500, "hiccup")]) as other:
        undisturbed = steps(search(one), 3)
        disturbed = steps(search(other, writer=writer(other, concurrency=3)), 3)
    assert [each.candidates for each in undisturbed] == [each.candidates for each in disturbed]


def test_seeds_depend_on_the_run_the_step_and_the_place_alone() -> None:
    def other_words(asked: Asked) -> Reply:
        return chat(tagged(f"other {prompt}" for prompt in prompts_for(asked)))

    def same(_: Sequence[Candidate]) -> Scores:
        return score([Candidate("", 0, "")] * 12)

    with LLMServer() as one, LLMServer(other_words) as other:
        seeds = [
            [[each.seed for each in generation.candidates] for generation in steps(search(server, seed=seed), 2, same)]
            for server, seed in ((one, 3), (other, 3), (one, 4))
        ]
    assert seeds[0] == seeds[1] != seeds[2]


def test_a_saved_search_goes_on_as_if_it_had_never_stopped() -> None:
    with LLMServer() as server:
        expected = steps(search(server), 4)
        stopped = search(server)
        steps(stopped, 2)
        stored = io.BytesIO()
        torch.save(stopped.state(), stored)
        stored.seek(0)
        resumed = search(server, seed=99)
        resumed.restore(torch.load(stored, weights_only=True))
        went_on = steps(resumed, 2)
    assert [generation.candidates for generation in went_on] == [each.candidates for each in expected[2:]]


def test_a_step_that_failed_in_the_second_operator_can_be_repeated() -> None:
    def breaks(asked: Asked) -> Reply:
        return error(403, "closed") if asked.message.startswith("Make") else obliging(asked)

    with LLMServer() as server:
        expected = steps(search(server), 2)[-1]
        searcher = search(server)
        searcher.step(score)
        before = searcher.state()
        server.behaviour = breaks
        with pytest.raises(LLMError, match="HTTP 403, closed"):
            searcher.step(score)
        assert searcher.state() == before
        server.behaviour = obliging
        assert searcher.step(score).candidates == expected.candidates


def test_the_shipped_operators_make_a_generation() -> None:
    with LLMServer() as server:
        _, after = steps(search(server, operators=templates.OPERATORS), 2)
    names = {name for candidate in after.candidates for name in candidate.operators}
    assert names <= {*(operator.name for operator in templates.OPERATORS), NOVEL, NEW_SEED}
    assert "crossover" in names
    assert not [operator for operator in templates.OPERATORS if "<prompt>" in operator.prompt]


def test_an_operator_that_names_no_place_gets_its_prompts_at_the_end() -> None:
    text = templates.operation(LLMOperator("odd", "Do {something}.", 1, 1), ["calm {prompts} piano"])
    assert text == "Do {something}.\n- calm {prompts} piano"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"operators": ()}, "expected at least one operator"),
        ({"operators": (SPLIT, TOUCH)}, "'touch': expected the 3 outputs of 'split' as input, got input 1"),
        ({"operators": (LLMOperator("grow", "{prompts}", 1, 2, 0.5),)}, "'grow': expected probability 1"),
        ({"operators": (LLMOperator("odd", "{prompts}", 1, 1, 1.5),)}, "expected .* a probability in"),
        ({"operators": (LLMOperator("none", "{prompts}", 1, 0),)}, "expected input and output >= 1"),
        ({"tournament_size": 1}, "tournament_size: expected at least the 2 parents of 'cross', got 1"),
        ({"temperature": float("nan")}, "temperature: expected a number >= 0"),
        ({"elites": 1.0, "novel_prompts": 0.0}, "elites: expected less than 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], message: str) -> None:
    with LLMServer() as server, pytest.raises(ValueError, match=message):
        search(server, **settings)  # type: ignore[arg-type]
