"""Every fault of a text has the line of its key; what is more than plain YAML is refused."""

from __future__ import annotations

import copy
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolution import config
from evolution.config import ConfigurationError

FAULTY = """\
# an experiment
epochs: many
user_model:
  users:
    - user_type: synth
      target_user_id: 1
    -
      target_user_id: 2
search:
  mode: GA
  elites: 2
  GA_operators:
    - name: OnePointCrossOver
      parameters: {tournament_size: 4}
    - parameters:
        stdev: 1
evolution:
  serach: 3
  duration:
    - 1
"""


def faults(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigurationError) as refused:
        config.parse_text(text)
    return [(fault.line, fault.path) for fault in refused.value.faults]


def test_faults_have_the_lines_of_their_keys_and_come_in_their_order() -> None:
    assert faults(FAULTY) == [
        (2, "epochs"),
        (8, "user_model.users[1].user_type"),
        (11, "search.elites"),
        (15, "search.GA_operators[1].name"),
        (18, "evolution.serach"),
        (19, "evolution.duration"),
    ]


def test_a_contradiction_has_the_line_of_the_nearest_key_that_was_written() -> None:
    assert faults("epochs: 1\nevolution:\n  exp_name: x\n  initialization: file\n") == [(2, "evolution.init_file")]
    assert faults("epochs: 1\n\nsearch:\n  mode: full LLM\n") == [(1, "evolution.LLM")]
    assert faults("search:\n  novel_prompts: .6\n  elites: .6\n") == [(3, "search.elites + novel_prompts")]


def test_a_file_tells_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text("epochs: 1\nsearch:\n  elites: 3\n")
    with pytest.raises(ConfigurationError) as refused:
        config.load(file)
    assert str(refused.value) == f"{file}:3: search.elites: expected at most 1.0, got 3"


def test_a_key_given_twice_is_a_fault_beside_the_others() -> None:
    text = "epochs: 2\nsearch:\n  elites: 0.1\n  elites: 0.2\nepochs: 3\nevolution:\n  generations: 0\n"
    assert faults(text) == [(4, "search.elites"), (5, "epochs"), (7, "evolution.generations")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("epochs: 1\nsearch: {", 2, "expected YAML"),
        ("epochs: 1\n\tsearch: 1", 2, "expected YAML"),
        ("epochs: 1\nx: '", 2, "expected YAML"),
        ("epochs: 1\n\nx: \x01", 3, "expected YAML (special characters are not allowed)"),
        ("epochs: 1\n---\nepochs: 2\n", 2, "expected a single document"),
        ("a: &a [1]\nb: *a\n", 2, "got an alias"),
        ("epochs: !!python/object:os.system x", 1, "got another YAML type"),
        ("epochs: !!set {a}", 1, "got another YAML type"),
        ("\nepochs: !!int many", 2, "expected int"),
        ("epochs: " + "9" * 5000, 1, "expected int"),
        ("[1]: 2", 1, "expected text as key"),
        ("yes: 2", 1, "expected text as key, got True"),
        ("\nsearch: " + "[" * 30 + "]" * 30, 2, "expected at most 20 levels"),
        ("- 1\n- 2", 1, "expected keys and values, got [1, 2]"),
        ("just words", 1, "expected keys and values, got 'just words'"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_at_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        config.parse_text(text)
    assert refused.value.faults[0].line == line
    assert message in refused.value.faults[0].message


@pytest.mark.parametrize("character", ["\\0", "\\x01", "\\e", "\\r", "\\x7f", "\\ud800"])
@pytest.mark.parametrize(
    "text",
    [
        'epochs: 1\nevolution: {{exp_name: "a{0}b"}}\n',
        'epochs: 1\nsearch: {{full_LLM_prompt: "{{ranking}} {{num_generate}}{0}"}}\n',
        'epochs: 1\n"search{0}": {{}}\n',
        'epochs: 1\nsearch: {{evotorch: {{optimizer: "a{0}"}}}}\n',
    ],
)
def test_an_escape_brings_no_control_character_in(text: str, character: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        config.parse_text(text.format(character))
    fault = refused.value.faults[0]
    assert fault.line == 2
    assert "without control characters" in fault.message


def test_lines_and_tabs_are_no_control_characters() -> None:
    template = '"{ranking}\\n\\t{num_generate}"'
    read = config.parse_text(f"evolution: {{LLM: {{}}}}\nsearch: {{mode: full LLM, full_LLM_prompt: {template}}}\n")
    assert read.evolution.search.full_LLM_prompt == "{ranking}\n\t{num_generate}"


def test_a_short_text_that_means_gigabytes_is_refused_at_once() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    started = time.monotonic()
    for text in (bomb, "[" * 90_000, "x" * 200_000, "{" * 5_000):
        with pytest.raises(ConfigurationError):
            config.parse_text(text)
    assert time.monotonic() - started < 5.0


def test_a_text_full_of_faults_is_told_the_first_of_them_in_seconds() -> None:
    many = [f"a{number}: 1" for number in range(3000)]
    started = time.monotonic()
    for text in ("\n".join(many), "evotorch: {" + ", ".join(many) + "}\nsearch: {mode: SNES}"):
        with pytest.raises(ConfigurationError) as refused:
            config.parse_text(text)
        assert len(refused.value.faults) == 51
        assert refused.value.faults[-1].message == "and more"
    assert time.monotonic() - started < 10.0


def test_an_error_travels_between_processes_with_its_faults() -> None:
    with pytest.raises(ConfigurationError) as refused:
        config.parse_text("epochs: 0\nx: 1\n")
    again = copy.copy(refused.value)  # as pickling does
    assert (str(again), again.faults) == (str(refused.value), refused.value.faults)


def test_a_list_whose_lines_are_all_commented_out_leaves_the_default() -> None:
    text = "search:\n  GA_operators:\n  #  - name: x\n  evotorch:\n  LLM_genetic_operators:\nuser_model:\n  users:\n"
    assert config.parse_text(text) == config.Configuration()


def test_a_date_is_the_text_that_was_written() -> None:
    assert config.parse_text("evolution: {exp_name: 2026-01-01}").evolution.exp_name == "2026-01-01"


def test_an_empty_text_is_the_listening_demo() -> None:
    assert config.parse_text("") == config.parse_text("# nothing\n") == config.Configuration()


YAML_LIKE = st.lists(
    st.sampled_from(
        ["epochs", "search", "evolution", ":", ": ", "\n", "  ", "- ", "[", "]", "{", "}", "'", "1", "&a", "*a"]
    )
    | st.characters(codec="utf-8"),
    max_size=40,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(YAML_LIKE)
def test_any_text_is_read_or_refused_with_lines_within_it(text: str) -> None:
    told: tuple[config.Fault, ...] = ()
    try:
        config.parse_text(text)
    except ConfigurationError as error:
        told = error.faults
    most = len(text.splitlines()) + 2
    assert all(fault.line is not None and 1 <= fault.line <= most for fault in told)
