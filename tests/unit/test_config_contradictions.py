"""Values that are well formed and do not go together: each is told with path, value and expectation."""

from __future__ import annotations

from typing import Any

import pytest

from evolution import config
from evolution.config import ConfigurationError

LANGUAGE = {"evolution": {"LLM": {"model": "any"}}}
TEXT_MODES = ["full LLM", "LLM evolve", "prompt GA"]
VECTOR_MODES = ["GA", "CMAES", "SNES", "PGPE", "XNES", "CEM"]


def refusal(mapping: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        config.parse(mapping)
    return str(refused.value)


def evolve(**search: Any) -> dict[str, Any]:
    return {**LANGUAGE, "search": {"mode": "LLM evolve", **search}}


def operator(**how: Any) -> dict[str, Any]:
    return {"name": "vary", "prompt": "vary {prompts}", **how}


@pytest.mark.parametrize("mode", TEXT_MODES)
@pytest.mark.parametrize("given", ["token_embeddings", "embeddings"])
def test_a_text_search_makes_no_embeddings(mode: str, given: str) -> None:
    message = f"music_generator.input_type: expected text for evolution.search.mode '{mode}', got '{given}'"
    assert refusal({**LANGUAGE, "search": {"mode": mode}, "music_generator": {"input_type": given}}) == message


@pytest.mark.parametrize("mode", [*VECTOR_MODES, "token GA"])
def test_a_search_on_tokens_makes_no_text(mode: str) -> None:
    assert "token_embeddings" in refusal({"search": {"mode": mode}, "music_generator": {"input_type": "text"}})
    assert config.parse({"search": {"mode": mode}}).input_type == "token_embeddings"


def test_the_token_ga_knows_no_embeddings_that_are_no_tokens() -> None:
    given = {"search": {"mode": "token GA"}, "music_generator": {"input_type": "embeddings"}}
    assert "expected token_embeddings for evolution.search.mode 'token GA', got 'embeddings'" in refusal(given)


@pytest.mark.parametrize("given", ["text", "token_embeddings"])
def test_the_control_draws_whatever_is_played(given: str) -> None:
    assert config.parse({"search": {"mode": "random"}, "music_generator": {"input_type": given}}).input_type == given


@pytest.mark.parametrize("mode", ["full LLM", "LLM evolve"])
def test_a_language_search_needs_a_language_model(mode: str) -> None:
    assert refusal({"search": {"mode": mode}}) == (
        f"evolution.LLM: expected a section for search.mode '{mode}', got none"
    )
    config.parse({**LANGUAGE, "search": {"mode": mode}})


def test_an_initialisation_needs_what_it_takes_its_prompts_from() -> None:
    assert "evolution.LLM: expected a section for initialization 'LLM'" in refusal(
        {"evolution": {"initialization": "llm"}}
    )
    assert "evolution.init_file: expected a file of prompts" in refusal({"evolution": {"initialization": "File"}})
    assert "evolution.init_file: expected initialization 'file' beside it" in refusal(
        {"evolution": {"init_file": "prompts.txt"}}
    )


def test_the_likeness_to_music_needs_music() -> None:
    assert refusal({"fitness": {"mode": "music", "target_music": " "}}) == (
        "fitness.target_music: expected an audio file for fitness.mode 'music', got none"
    )


def test_there_are_as_many_users_as_the_amount_says() -> None:
    users = [{"user_type": "synth", "target_user_id": number} for number in (1, 2)]
    assert refusal({"user_model": {"users": users, "user_conf": {"amount": 3}}}) == (
        "user_model.user_conf.amount: expected 2, one for each of users, got 3"
    )
    assert config.parse({"user_model": {"users": users}}).user_model.user_conf.amount == 2
    assert config.parse({"user_model": {"user_conf": {"amount": 3}}}).user_model.users == ()


def test_a_known_taste_is_somebodys() -> None:
    assert "users[0].target_user_id: expected the number" in refusal(
        {"user_model": {"users": [{"user_type": "synth"}]}}
    )
    person = {"user_model": {"users": [{"user_type": "real"}]}}
    config.parse(person)
    assert refusal({**person, "fitness": {"mode": "user"}}) == (
        "user_model.users[0].target_user_id: "
        "expected the number of a reference listener for fitness.mode 'user', got none"
    )


def test_an_operators_children_feed_the_next_one_exactly() -> None:
    chain = [operator(name="cross", input=2, output=2), operator()]
    assert "LLM_genetic_operators[1].input: expected 2, as many as 'cross' before it makes, got 1" in refusal(
        evolve(LLM_genetic_operators=chain)
    )
    config.parse(evolve(LLM_genetic_operators=[operator(name="cross", input=2), operator(output=3)]))


def test_an_operator_that_is_not_always_applied_makes_no_more_than_it_takes() -> None:
    assert "LLM_genetic_operators[0].output: expected at most the 1 of input" in refusal(
        evolve(LLM_genetic_operators=[operator(output=3, probability=0.5)])
    )
    config.parse(evolve(LLM_genetic_operators=[operator(output=3, probability=1)]))


def test_a_tournament_holds_the_parents_of_the_first_operator() -> None:
    given = evolve(tournament_size=2, LLM_genetic_operators=[operator(input=3)])
    assert refusal(given) == "search.tournament_size: expected at least 3, the parents that 'vary' takes, got 2"


def test_operators_have_names_of_their_own() -> None:
    assert "LLM_genetic_operators[1].name: expected a name of its own" in refusal(
        evolve(LLM_genetic_operators=[operator(), operator()])
    )


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("change it", "expected {prompts} in the text, got it without {prompts}"),
        ("{prompts} {prompt}", "expected no placeholder but {prompts}, got {prompt}"),
        ("{prompts} in <Prompt>tags</Prompt>", "expected no <prompt> tags"),
    ],
)
def test_an_operator_asks_what_can_be_filled_in_and_found_again(prompt: str, message: str) -> None:
    assert message in refusal(evolve(LLM_genetic_operators=[operator(prompt=prompt)]))


def test_the_template_of_full_llm_shows_the_ranking_and_asks_for_a_number() -> None:
    told = refusal(evolve(full_LLM_prompt="{ranking} {count}"))
    assert "got it without {num_generate}" in told
    assert "got {count}" in told
    config.parse(evolve(full_LLM_prompt='{ranking}, {num_generate} of them, as {"json": 1}'))


@pytest.mark.parametrize("mode", ["prompt GA", "token GA", "random"])
def test_a_subspace_is_for_the_searches_over_embeddings(mode: str) -> None:
    told = refusal({"search": {"mode": mode, "subspace": 8, "snap": True}})
    assert "search.subspace: expected search.mode to be one of GA, CMAES" in told
    assert "search.snap: expected search.mode to be one of GA, CMAES" in told
    config.parse({"search": {"mode": "cmaes", "subspace": 8, "snap": True}})


def test_only_tokens_can_be_snapped_to() -> None:
    given = {"search": {"mode": "SNES", "snap": True}, "music_generator": {"input_type": "embeddings"}}
    assert "expected token_embeddings for evolution.search.snap" in refusal(given)


def test_contradictions_of_all_sections_are_told_at_once() -> None:
    told = refusal(
        {
            "search": {"mode": "full LLM", "elites": 1.0, "snap": True},
            "fitness": {"mode": "music"},
            "user_model": {"users": [{"user_type": "synth"}]},
            "music_generator": {"input_type": "embeddings"},
        }
    )
    assert sorted(line.split(":")[0] for line in told.splitlines()) == [
        "evolution.LLM",
        "fitness.target_music",
        "music_generator.input_type",
        "search.elites",
        "search.elites + novel_prompts",
        "search.snap",
        "user_model.users[0].target_user_id",
    ]


@pytest.mark.parametrize("key", ["population_size", "tournament_size"])
def test_a_number_that_no_machine_holds_is_refused(key: str) -> None:
    assert f"search.{key}: expected at most 1000000" in refusal({"search": {"mode": "GA", key: 10**30}})


def test_a_section_alone_refuses_its_contradictions_too() -> None:
    with pytest.raises(ValueError, match="elites: expected less than 1"):
        config.Search(elites=1.0)
