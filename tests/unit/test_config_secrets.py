"""Secrets: a configuration holds references, and no message, text or dump ever holds a secret."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolution import config
from evolution.config import ConfigurationError, secrets

SECRET = "sk-4f9a1c7be2d8"


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_KEPT", {})


def test_a_secret_in_a_file_is_moved_to_the_memory_of_the_process(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        read = config.parse_text(f"evolution:\n  LLM:\n    api_key: {SECRET}\n  logger:\n    wandb_token: {SECRET}-2\n")
    language = read.evolution.LLM
    assert language is not None
    assert language.api_key == "${EVOMUSIC_LLM_API_KEY}"
    assert read.evolution.logger.wandb_token == "${EVOMUSIC_WANDB_TOKEN}"
    assert secrets.resolve(language.api_key) == SECRET
    assert secrets.resolve("${EVOMUSIC_WANDB_TOKEN}") == f"{SECRET}-2"
    shown = [repr(read), str(read), json.dumps(config.dump(read)), config.to_yaml(read), caplog.text]
    assert not any(SECRET in text for text in shown)


def test_a_reference_is_kept_as_it_is_and_resolved_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    read = config.parse({"evolution": {"LLM": {"api_key": "${MY_API_KEY}"}}})
    assert read.evolution.LLM is not None
    assert read.evolution.LLM.api_key == "${MY_API_KEY}"
    monkeypatch.setenv("MY_API_KEY", f" {SECRET}\n")
    assert secrets.resolve("${MY_API_KEY}") == SECRET


def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="expected the environment variable MY_API_KEY to hold a secret"):
        secrets.resolve("${MY_API_KEY}")
    monkeypatch.setenv("MY_API_KEY", "")
    with pytest.raises(ConfigurationError, match="MY_API_KEY"):
        secrets.resolve("${MY_API_KEY}")
    with pytest.raises(ConfigurationError) as refused:
        secrets.resolve(SECRET)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("blank", ["", "''", "'  '", "null"])
def test_no_key_is_no_key(blank: str) -> None:
    language = config.parse_text(f"evolution:\n  LLM:\n    api_key: {blank}\n    model: local\n").evolution.LLM
    assert language is not None
    assert language.api_key is None


def test_a_configuration_that_is_refused_keeps_nothing() -> None:
    with pytest.raises(ConfigurationError):
        config.parse({"evolution": {"LLM": {"api_key": SECRET}}, "epochs": 0})
    assert secrets._KEPT == {}


@pytest.mark.parametrize("name", ["LLM_API_KEY", "WANDB_TOKEN", "OPENAI_KEY"])
def test_a_page_may_refer_to_the_keys_of_services(name: str) -> None:
    config.parse_text(f"evolution: {{LLM: {{api_key: '${{{name}}}'}}}}", allow_literal_secrets=False)


@pytest.mark.parametrize(
    "value", ["${SECRET_KEY}", "${DJANGO_SECRET_KEY}", "${DATABASE_URL}", "${AWS_SECRET_ACCESS_KEY}", "${HOME}", SECRET]
)
def test_a_page_may_neither_hold_a_secret_nor_refer_to_the_sites_own(value: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        config.parse_text(f"evolution:\n  LLM:\n    api_key: {value}\n", allow_literal_secrets=False)
    (fault,) = refused.value.faults
    assert (fault.path, fault.line) == ("evolution.LLM.api_key", 3)
    assert SECRET not in fault.message


@pytest.mark.parametrize(
    "text",
    [
        f"evolution:\n  LLM: {SECRET}\n",
        f"evolution:\n  LLM: [{SECRET}]\n",
        f"evolution:\n  LLM: {{{SECRET}}}\n",
        f"evolution:\n  LLM:\n    api_key: [{SECRET}]\n",
        f"evolution:\n  LLM:\n    api_key: {{x: {SECRET}}}\n",
        f"evolution:\n  LLM:\n    api_key: ${SECRET}\n",
        f"evolution:\n  LLM:\n    api_key: ${{{SECRET}}}\n",
        f"evolution:\n  LLM:\n    api_key: {SECRET} and more\n",
        f"evolution:\n  LLM:\n    api_kye: {SECRET}\n",
        f"evolution:\n  LLM:\n    temperature: {SECRET}\n",
        f"evolution:\n  LLM:\n    api_uri: {SECRET}\n",
        f"evolution:\n  LLM:\n    api_uri: https://name:{SECRET}@example.org/v1\n",
        f"evolution:\n  LLM:\n    api_uri: https://example.org/v1?key={SECRET}\n",
        f"evolution:\n  LLM:\n    api_key: {SECRET}\n    api_key: {SECRET}\n",
        f"evolution:\n  LLM:\n    api_key: '{SECRET}\n",
        f"evolution:\n  LLM:\n    api_key: @{SECRET}\n",
        f"evolution:\n  LLM:\n    api_key: *{SECRET}\n",
        f"evolution:\n  LLM:\n    api_key: !{SECRET} x\n",
        f"evolution:\n  LLM:\n    api_key: !!int {SECRET}\n",
        f"evolution:\n  logger: {SECRET}\n",
        f"evolution:\n  logger:\n    wandb: {SECRET}\n",
        f"LLM_config:\n  api_key: {SECRET}\n",
        f"api_key: {SECRET}\n",
        f"- evolution: {{LLM: {{api_key: {SECRET}}}}}\n",
        f"epochs: {SECRET}\nevolution: {{LLM: {{api_key: {SECRET}}}}}\n",
    ],
)
def test_no_message_holds_a_secret_wherever_it_was_written(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        config.parse_text(text)
    error: BaseException | None = refused.value
    while error is not None:
        assert SECRET not in f"{error} {error!r} {error.args}"
        error = error.__cause__
    assert SECRET not in "".join(f"{fault.path}{fault.message}" for fault in refused.value.faults)


KEYS = st.sampled_from(["api_key", "model", "api_uri", "temperature", "retries", "wandb", "wandb_token", "x", SECRET])
VALUES = st.sampled_from([SECRET, f"${{{SECRET}}}", "${LLM_API_KEY}", 3, -1.5, None, True])
TREES = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4))


@settings(max_examples=200, deadline=None)
@given(section=st.sampled_from(["LLM", "logger"]), tree=TREES)
def test_whatever_stands_in_a_section_with_secrets_is_read_or_refused_without_telling_them(
    section: str, tree: object
) -> None:
    told = ""
    try:
        config.parse({"evolution": {section: tree}})
    except ConfigurationError as error:
        told = str(error)
    assert SECRET not in told
