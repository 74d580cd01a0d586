"""The configuration: defaults, the README's spellings, and errors that say where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evolution import config
from evolution.config import ConfigurationError, evotorch_parameters
from evolution.search.vectors import GA_OPERATORS


def test_the_defaults_are_the_listening_demo() -> None:
    demo = config.parse({})
    assert (demo.music_model, demo.input_type) == ("soundfont", "text")
    assert (demo.user_model.best_solutions, demo.user_model.user_conf.memory_length) == (8, 50)
    evolution = demo.evolution
    assert (evolution.generations, evolution.duration, evolution.best_duration) == (3, 4.0, 12.0)
    assert (evolution.fitness.mode, evolution.fitness.noise_weight) == ("dynamic", 0.5)
    assert (evolution.initialization, evolution.LLM, demo.user_model.users) == (None, None, ())
    assert (evolution.search.mode, evolution.search.population_size) == ("prompt GA", 32)


def test_a_configuration_survives_json() -> None:
    given = config.parse({"search": {"mode": "GA", "evotorch": {"elitist": True}}, "epochs": 4})
    assert config.parse(json.loads(json.dumps(given.model_dump()))) == given


def test_a_configuration_survives_yaml() -> None:
    given = config.parse(
        {
            "search": {
                "mode": "LLM evolve",
                "LLM_genetic_operators": [{"name": "vary", "prompt": "vary: {prompts}\n"}],
            },
            "evolution": {"LLM": {"api_key": "${LLM_API_KEY}"}},
            "user_model": {"users": [{"user_type": "synth", "target_user_id": 4}]},
        }
    )
    assert config.parse_text(config.to_yaml(given)) == given
    assert config.parse(config.dump(given)) == given


def test_a_configuration_that_was_stored_before_the_schema_grew_is_still_read() -> None:
    stored = {
        "epochs": 1,
        "music_model": "soundfont",
        "music_generator": {"model": None, "input_type": None},
        "user_model": {
            "aligner": {"abs_file_path": None},
            "user_conf": {"memory_length": 50, "amount": 1, "init": "mean", "rmean": 0.1, "minibatch": False},
            "train_conf": {"lr": 0.05, "epochs": 50, "learner": "infonce"},
            "best_solutions": 8,
            "sample": False,
        },
        "evolution": {
            "exp_name": "listening",
            "generations": 3,
            "fitness": {"mode": "dynamic", "noise_weight": 0.5},
            "search": {"mode": "prompt GA", "population_size": 32, "evotorch": {}},
        },
    }
    assert config.parse(stored) == config.Configuration()


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        config.parse({}).epochs = 3  # type: ignore[misc]


def test_fitness_and_search_may_stand_at_the_top_level() -> None:
    below = {"evolution": {"fitness": {"noise_weight": 0.1}, "search": {"population_size": 10}, "generations": 5}}
    above = {"fitness": {"noise_weight": 0.1}, "search": {"population_size": 10}, "evolution": {"generations": 5}}
    assert config.parse(above) == config.parse(below)
    with pytest.raises(ConfigurationError, match=r"^search: expected at the top level or under evolution, got both"):
        config.parse({**below, "search": {}})


def test_the_spellings_of_the_readme_are_accepted() -> None:
    ga = {"search": {"mode": "ga"}}
    assert config.parse({**ga, "music_generator": {"input_type": "embedding"}}).input_type == "embeddings"
    assert config.parse({**ga, "music_generator": {"input_type": "token_embdedding"}}).input_type == "token_embeddings"
    assert config.parse(ga).input_type == "token_embeddings"
    assert config.parse({"user_model": {"user_conf": {"init": "random"}}}).user_model.user_conf.init == "rand"
    assert config.parse({"search": {"mode": "Prompt ga"}}).evolution.search.mode == "prompt GA"


def test_the_readmes_operators_are_read() -> None:
    written = {
        "search": {
            "mode": "GA",
            "evotorch": {"elitist": True},
            "GA_operators": [
                {"name": "OnePointCrossOver", "parameters": {"tournament_size": 4, "cross_over_rate": 0.5}},
                {"name": "GaussianMutation", "parameters": {"stdev": 20}},
            ],
        }
    }
    operators = config.parse(written).evolution.search.GA_operators
    assert [operator.name for operator in operators] == ["OnePointCrossOver", "GaussianMutation"]
    assert operators[1].parameters == {"stdev": 20}


def test_the_schema_and_the_search_know_the_same_operators() -> None:
    for name in GA_OPERATORS:
        needed = {key: 2 for key, one in evotorch_parameters.OPERATORS[name].items() if one.required}
        config.parse({"search": {"mode": "GA", "GA_operators": [{"name": name, "parameters": needed}]}})


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"evolution": {"search": {"population_sise": 3}}},
            "evolution.search.population_sise: unknown key (value 3); did you mean population_size?",
        ),
        ({"search": {"elitess": 0.1}}, "search.elitess: unknown key (value 0.1); did you mean elites?"),
        ({"music_modle": "x"}, "music_modle: unknown key (value 'x'); did you mean music_model?"),
        ({"epochs": "3"}, "epochs: expected a whole number, got '3'"),
        ({"epochs": True}, "epochs: expected a whole number, got True"),
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"search": {"population_size": 1}}, "search.population_size: expected at least 2, got 1"),
        ({"search": {"elites": 1.5}}, "search.elites: expected at most 1.0, got 1.5"),
        ({"search": {"elites": 1.0, "novel_prompts": 0.0}}, "search.elites: expected less than 1"),
        (
            {"search": {"elites": 0.6, "novel_prompts": 0.6}},
            "search.elites + novel_prompts: expected at most 1 together, got 0.6 + 0.6",
        ),
        ({"search": {"mode": "CMA"}}, "'CEM' or 'random', got 'CMA'; did you mean CMAES?"),
        (
            {"search": {"mode": "GA", "GA_operators": [{"name": "OnePointCrossover"}]}},
            "search.GA_operators[0].name: expected 'OnePointCrossOver'",
        ),
        ({"search": {"GA_operators": [{"parameters": {}}]}}, "search.GA_operators[0].name: expected a value, got none"),
        ({"search": {"GA_operators": []}}, "search.GA_operators: expected at least one operator"),
        ({"search": {"GA_operators": 3}}, "search.GA_operators: expected a list, got 3"),
        (
            {"search": {"evotorch": {"elitist": [1]}}},
            "search.evotorch.elitist: expected a number, a text, true, false or null, got [1]",
        ),
        ({"search": 3}, "search: expected keys and values, got 3"),
        ({"evolution": 4, "search": {}}, "evolution: expected keys and values, got 4"),
        ({"evolution": {"duration": 0.01}}, "evolution.duration: expected at least 0.5, got 0.01"),
        ({"evolution": {"best_duration": 0.49}}, "evolution.best_duration: expected at least 0.5, got 0.49"),
        ({"evolution": {"duration": float("nan")}}, "evolution.duration: expected a finite number, got nan"),
        ({"evolution": {"exp_name": ""}}, "evolution.exp_name: expected some text, got ''"),
        (
            {"music_generator": {"input_type": "token_embeddings"}},
            "music_generator.input_type: expected text for evolution.search.mode 'prompt GA', got 'token_embeddings'",
        ),
        (
            {"search": {"mode": "GA"}, "music_generator": {"input_type": "text"}},
            "expected token_embeddings or embeddings for evolution.search.mode 'GA', got 'text'",
        ),
        (
            {"user_model": {"train_conf": {"lr": "1e-3"}}},
            "user_model.train_conf.lr: expected a number, got '1e-3' (YAML reads that as text; write 1.0e-3)",
        ),
        ({1: 2}, "[1]: expected text as key, got 1"),
    ],
)
def test_a_fault_is_told_with_path_value_and_expectation(mapping: dict[Any, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        config.parse(mapping)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_all_faults_are_told_at_once_one_a_line() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        config.parse({"epochs": "x", "evolution": {"generations": 0}, "serach": {}})
    assert len(refusal.value.faults) == 3
    lines = str(refusal.value).splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["epochs", "evolution.generations", "serach"]


def test_an_empty_section_leaves_the_defaults() -> None:
    assert config.parse({"evolution": None, "search": None}) == config.parse({})


def test_a_file_is_read_and_its_faults_name_it(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text("epochs: 2\nsearch:\n  mode: prompt GA  # without a language model\n  elites: 0.2\n")
    assert config.load(file).evolution.search.elites == 0.2
    file.write_text("")
    assert config.load(file) == config.parse({})
    for content, message in (
        (b"\nepochs: [", "2: expected YAML"),
        (b"\xff\xfe\x00", " expected a readable text file"),
        (b"- 1", r"1: expected keys and values, got \[1\]"),
        (b"\nepochs: many", "2: epochs: expected a whole number, got 'many'"),
    ):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match=f"experiment.yaml:{message}"):
            config.load(file)
    with pytest.raises(ConfigurationError, match=r"absent.yaml: expected a readable text file"):
        config.load(tmp_path / "absent.yaml")


def test_it_can_be_imported_without_torch() -> None:
    code = "import sys, evolution.config; print({'torch', 'numpy', 'evotorch'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert told.strip() == "set()"
