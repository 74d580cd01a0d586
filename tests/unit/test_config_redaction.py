"""A text that is shown again holds no secret that was written into it, and everything else as it was."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolution import config
from evolution.config import ConfigurationError
from evolution.config.redaction import redacted

PLAIN = "verysecret123"
KEY = f"sk-{PLAIN}"
ROOT = Path(__file__).parents[2]

VALID = [
    f"apikey: {KEY}\n",
    f"API_KEY: {PLAIN}\n",
    f"evolution:\n  LLM:\n    API-Key: {PLAIN}\n",
    f"evolution:\n  LLM:\n    api_kye: {PLAIN}\n",
    f"evolution:\n  LLM:\n    api_key: [{PLAIN}]\n    model: m\n",
    f"evolution:\n  LLM:\n    api_key: {{a: {PLAIN}}}\n",
    f"evolution:\n  LLM:\n    api_key: {{{PLAIN}: a}}\n",
    f"evolution:\n  LLM:\n    api_key: !!str {PLAIN}\n",
    f"evolution:\n  LLM:\n    api_key: |\n      {PLAIN}\n    model: m\n",
    f'evolution:\n  LLM:\n    "api\\u005fkey": {PLAIN}\n',
    f"evolution:\n  LLM: {PLAIN}\n",
    f"evolution:\n  LLM:\n    model: {KEY}\n",
    f"evolution:\n  LLM:\n    api_uri: https://u:{PLAIN}@h/v1\n",
    f"evolution:\n  LLM:\n    api_uri: https://h/v1?api-key={PLAIN}\n",
    f"evolution:\n  logger:\n    wandb_token: {PLAIN}\n",
    f"evolution:\n  logger:\n    wandb: {'0123456789' * 4}\n",
    f"x: &a {PLAIN}\nevolution:\n  LLM:\n    api_key: *a\n",
    f"epochs: 2\n# api_key: {PLAIN}\n",
    f"epochs: 2 # apikey={PLAIN}\n",
    f"# was {KEY}\nepochs: 2\n",
    f"evolution:\n  LLM:\n    # api_key: {PLAIN} (old)\n    model: m\n",
]
BROKEN = [
    f"evolution: [\n  LLM:\n    api_key: {PLAIN}\n",
    f'evolution: [\n  LLM:\n    api_key: "sk-abc\n      {PLAIN}"\n    model: m\n',
    f'evolution:\n  LLM:\n    api_key: "sk-abc\n      {PLAIN}\n    model: m\n',
    f'evolution: [\n  LLM:\n    api_key: "sk-abc\n{PLAIN}\n    model: m\n',
    f"evolution: [\n  LLM:\n    api_key: >-\n      {PLAIN}\n    model: m\n",
    f"evolution: [\n  LLM:\n    api_key:\n\n      {PLAIN}\n    model: m\n",
    f"evolution: [\n  LLM:\n    api_key:\n    - {PLAIN}\n    model: m\n",
    f"evolution: [\n  LLM:\n    api_key:  # mine\n      {PLAIN}\n    model: m\n",
    f"evolution: {{LLM: {{wandb-token: ${{A_TOKEN}}, 'api_key': '{PLAIN}', model: m}}\n",
    f"evolution: [\n  # apikey: {PLAIN}\n",
    f"evolution: [\n  api_uri: https://u:{PLAIN}@h/v1\n",
    f"{{ LLM: {{ apiKey: |\n {PLAIN}\n",
]


@pytest.mark.parametrize("text", [*VALID, *BROKEN])
def test_a_secret_is_taken_out_wherever_it_was_written(text: str) -> None:
    shown, found = redacted(text)
    assert found
    assert PLAIN not in shown
    assert "0123456789" not in shown
    if "*a" not in text:  # what is no YAML any more is looked at by its lines
        assert redacted(shown) == (shown, False)


@pytest.mark.parametrize("text", [*VALID, *BROKEN])
def test_no_message_about_such_a_text_holds_the_secret(text: str) -> None:
    told = ""
    try:
        config.parse_text(text, allow_literal_secrets=False)
    except ConfigurationError as refused:
        told = str(refused)
    assert PLAIN not in told
    assert "0123456789" not in told


@pytest.mark.parametrize(
    "text",
    [
        "evolution:\n  LLM:\n    api_key: ${LLM_API_KEY}\n    model: a-long-name-of-a-model\n",
        "evolution:\n  LLM:\n    api_key:\n    temprature: 0.5\n",
        "evolution:\n  LLM:\n    # api_key: ${LLM_API_KEY}\n    # api_key: only where one is asked for\n",
        "search:\n  full_LLM_prompt: |\n    {ranking} {num_generate} in the key: C minor, tokens: 25\n",
        "evolution:\n  init_file: uploads/0123456789abcdef0123456789abcdef01234567.txt\n",
        "# a skylark, jazz-hf-2000, see https://example.org/about@home?page=2\n",
        "evolution: [\n  LLM:\n    api_key:\n    model: m\n    wandb_token: ${MY_TOKEN}\n",
        "evolution: [\n  LLM:\n    api_key: # none\n    model: m\n",
    ],
)
def test_what_is_no_secret_stays_as_it_was(text: str) -> None:
    assert redacted(text) == (text, False)


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_examples_hold_nothing_secret(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert redacted(text) == (text, False)
    assert redacted(f"{text}\n[") == (f"{text}\n[", False)


def test_a_secret_of_wandb_becomes_its_own_reference() -> None:
    shown, _ = redacted(f"evolution:\n  logger:\n    wandb_token: {PLAIN}\n    project: mine\n")
    assert shown == 'evolution:\n  logger:\n    wandb_token: "${EVOMUSIC_WANDB_TOKEN}"\n    project: mine\n'


def test_a_text_made_to_take_long_does_not() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    started = time.monotonic()
    for text in (bomb, "[" * 90_000, "x" * 10**6, "api_key: " * 10**5, "a.-" * 50_000, "https://" * 20_000):
        redacted(text)
    for text in ("api_key: '\n" * 20_000, "?key" * 30_000, "sk-" * 30_000, "# " * 45_000):
        redacted(text)
    assert time.monotonic() - started < 15.0


LINES = st.lists(
    st.sampled_from(["evolution:", "  LLM:", "    model: m", "x: [", "- 1", "# remark", "'", ""]), max_size=5
)
SECRETS = st.sampled_from(["{0}", "'{0}'", '"{0}"', "[{0}]", "{{a: {0}}}", ">\n        {0}", '"x\n        {0}"'])


@settings(max_examples=200, deadline=None)
@given(before=LINES, after=LINES, form=SECRETS, key=st.sampled_from(["api_key", "apikey", "# api_key", "WANDB-Token"]))
def test_a_key_s_line_hides_its_secret_in_any_surroundings(
    before: list[str], after: list[str], form: str, key: str
) -> None:
    if key.startswith("#"):
        form = "{0}"  # a comment ends with its line
    text = "\n".join([*before, f"    {key}: {form.format(KEY)}", *after])
    assert PLAIN not in redacted(text)[0]
