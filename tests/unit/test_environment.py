from __future__ import annotations

import stat

import pytest
from environs import EnvError

from evomusic_site import environment


@pytest.fixture(autouse=True)
def state(monkeypatch, tmp_path):
    monkeypatch.setenv("EVOMUSIC_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("PORT", "70000"), ("PLAYERS", "-1"), ("DEBUG", "perhaps"), ("PORT", "0")]
)
def test_a_bad_value_names_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(EnvError, match=name):
        environment.read()


def test_what_is_not_set_has_its_default(monkeypatch):
    for name in ("PORT", "HOST", "PLAYERS", "DEBUG"):
        monkeypatch.delenv(name, raising=False)
    read = environment.read()
    assert (read.host, read.port, read.players, read.debug) == ("127.0.0.1", 8000, 0, False)


def test_the_secret_is_drawn_once_and_for_its_owner_alone(monkeypatch, state):
    monkeypatch.delenv("SECRET_KEY", raising=False)
    first = environment.read().secret_key
    assert len(first) > 40
    assert environment.read().secret_key == first
    assert stat.S_IMODE((state / "secret_key").stat().st_mode) == 0o600


def test_the_example_file_names_every_variable():
    source = (environment.ROOT / "evomusic_site" / "environment.py").read_text()
    example = (environment.ROOT / ".env.example").read_text()
    names = {part.split('"')[1] for part in source.split("env.")[1:] if part.split("(")[0] in KINDS and '("' in part}
    assert len(names) > 10
    assert {name for name in names if name not in example} == {"EVOMUSIC_ROLE"}


KINDS = {"str", "int", "bool", "path", "list", "log_level"}
