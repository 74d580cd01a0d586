"""Files that were written for the prototype: its README's snippets, put together, and its spellings."""

from __future__ import annotations

from typing import Any

import pytest

from evolution import config

GENERATORS = """
music_generator:
  model: "facebook/musicgen-small"
  input_type: "text"
  output_dir: "generated_audio"
  name: "musicgen"

riffusion_pipeline:
  input_type: "text"
  output_dir: "generated_audio"
  name: "riffusion"
  inference_steps: 50

music_model: "musicgen"
"""

USERS = """
user_model:
  aligner:
    abs_file_path: "usrembeds/checkpoints/AlignerV2_best_model.pt"
  user_conf:
    memory_length: 50
    amount: 1
    init: "rmean" # mean rand rmean
  train_conf:
    lr: 0.001
    epochs: 5

  best_solutions: 10

  users:
    - user_type: "synth"
      target_user_id: 0
"""

EVOLUTION = """
evolution:
  exp_name: "base"

  generations: 5

  max_seq_len: 25
  duration: 1
  best_duration: 3

  device: "cpu"

  initialization: "file"
  init_file: "EvoMusic/music_generation/init_prompts.txt"

  logger:
    wandb: True
    project: "MusicEvo"

    wandb_token: "WANDB_TOKEN"

    visualizations: False

  LLM:
    api_key: "API_KEY"
    temperature: 0.7
    model: "gpt-4o-mini"
    api_uri: "https://api.openai.com/v1/chat/completions"
"""

FITNESS = """
fitness:
  mode: "user"
  target_music: ""
  noise_weight: 0.5
"""

SEARCH = """
search:
  mode: "LLM evolve"
  population_size: 100
  sample: True
  temperature: 0.1
  novel_prompts: 0.1
  elites: 0.1
"""

FULL_LLM_PROMPT = """
full_LLM_prompt: |
  Write {num_generate} music prompts. The last ones and their scores:
  {ranking}
"""

LLM_OPERATORS = """
tournament_size: 5
LLM_genetic_operators:
  - name: "cross over"
    prompt: "mix the two {prompts}"
    input: 2
    output: 1
    probability: 0.5
  - name: "change genere"
    prompt: "another genre {prompts}"
    input: 1
    output: 1
    probability: 0.5
  - name: "random mutation"
    input: 1
    output: 1
    prompt: "change a word {prompts}"
    probability: 0.5
"""

GA = """
evotorch:
  elitist: True

GA_operators:
  - name: "OnePointCrossOver"
    parameters:
      tournament_size: 4
      cross_over_rate: 0.5
  - name: "GaussianMutation"
    parameters:
      stdev: 20
"""

WHOLE = GENERATORS + USERS + EVOLUTION + FITNESS


def indented(fragment: str) -> str:
    return "".join(f"  {line}\n" if line else "\n" for line in fragment.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(WHOLE + SEARCH + FULL_LLM_PROMPT + LLM_OPERATORS + GA, id="as the README prints them"),
        pytest.param(
            WHOLE + SEARCH + indented(FULL_LLM_PROMPT) + indented(LLM_OPERATORS) + indented(GA), id="under search"
        ),
        pytest.param(
            GENERATORS
            + USERS
            + EVOLUTION
            + indented(FITNESS)
            + indented(SEARCH + indented(FULL_LLM_PROMPT) + indented(LLM_OPERATORS) + indented(GA)),
            id="under evolution",
        ),
    ],
)
def test_the_snippets_of_the_prototypes_readme_put_together_are_a_configuration(text: str) -> None:
    read = config.parse_text(text)
    assert (read.music_model, read.input_type, read.music_generator.model) == (
        "musicgen",
        "text",
        "facebook/musicgen-small",
    )
    assert read.riffusion_pipeline.inference_steps == 50
    model, evolution = read.user_model, read.evolution
    assert (model.user_conf.init, model.train_conf.lr, model.train_conf.epochs) == ("rmean", 0.001, 5)
    assert [(user.user_type, user.target_user_id) for user in model.users] == [("synth", 0)]
    assert (evolution.duration, evolution.best_duration, evolution.device) == (1.0, 3.0, "cpu")
    assert (evolution.initialization, evolution.init_file) == ("file", "EvoMusic/music_generation/init_prompts.txt")
    assert (evolution.logger.wandb, evolution.logger.project) == (True, "MusicEvo")
    assert evolution.LLM is not None
    assert evolution.LLM.api_uri == "https://api.openai.com/v1/chat/completions"
    assert (evolution.fitness.mode, evolution.fitness.target_music) == ("user", None)
    search = evolution.search
    assert (search.mode, search.population_size, search.tournament_size) == ("LLM evolve", 100, 5)
    assert search.full_LLM_prompt is not None
    assert [(each.name, each.input, each.output) for each in search.LLM_genetic_operators] == [
        ("cross over", 2, 1),
        ("change genere", 1, 1),
        ("random mutation", 1, 1),
    ]
    assert search.GA_operators[1].parameters == {"stdev": 20}
    assert config.parse_text(config.to_yaml(read)) == read


@pytest.mark.parametrize("mode", ["GA", "ga", "CMAES", "cma-es", "SNES", "snes"])
def test_the_prototypes_vector_searches_are_read_in_any_case(mode: str) -> None:
    text = GENERATORS.replace('"text"', '"token_embdedding"', 1) + f"search:\n  mode: {mode}\n"
    assert config.parse_text(text).input_type == "token_embeddings"


def test_riffusion_plays_what_its_own_section_says() -> None:
    riffusion = {"music_model": "Riffusion", "riffusion_pipeline": {"input_type": "embedding"}}
    assert config.parse({**riffusion, "search": {"mode": "GA"}}).input_type == "embeddings"
    with pytest.raises(config.ConfigurationError, match=r"^riffusion_pipeline.input_type: expected text for"):
        config.parse({**riffusion, "music_generator": {"input_type": "text"}})


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"GA_operators": [{"name": "Gauss"}]}, "GA_operators[0].name: expected 'OnePointCrossOver'"),
        ({"tournament_size": 1}, "tournament_size: expected at least 2, got 1"),
        ({"search": 3, "evotorch": {}}, "search: expected keys and values, got 3"),
        (
            {"search": {"evotorch": {}}, "evotorch": {}},
            "evotorch: expected at the top level or under evolution.search, got both",
        ),
        ({"search": {"mode": "GA"}, "evotorch": {"elitst": True}}, "evotorch.elitst: unknown parameter"),
    ],
)
def test_a_fault_in_a_fragment_is_told_where_it_was_written(mapping: dict[str, Any], message: str) -> None:
    with pytest.raises(config.ConfigurationError) as refusal:
        config.parse(mapping)
    assert str(refusal.value).startswith(message)
    assert len(refusal.value.faults) == 1
