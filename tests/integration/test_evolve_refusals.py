"""What cannot be run is refused before anything is played, in words that help, and without a secret in them."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
from django.core.management import CommandError

from evolution.models import Evaluation, Experiment, Generation
from tests.integration.evolving import changed, evolve, written
from tests.unit.llm_server import LLMServer, Reply, chat, error

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "sk-do-not-show-0123456789abcdef"


def refused(tmp_path, capfd, caplog, content, **options):
    """The message of the refusal; nothing was made, and the key is nowhere."""
    file = written(tmp_path, content)
    with pytest.raises(CommandError) as raised:
        evolve(file, tmp_path / "out", **options)
    assert not Experiment.objects.exists()
    assert not Generation.objects.exists()
    assert not Evaluation.objects.exists()
    assert not (tmp_path / "out").exists()
    said = str(raised.value)
    assert KEY not in said + caplog.text + "".join(capfd.readouterr())
    return said


SEARCH = "evolution__search__"
CROSSOVER = {"name": "OnePointCrossOver", "parameters": {"tournament_size": 4}}
BAD_KEYS = [
    ({f"{SEARCH}population_size": 0}, r"population_size: expected at least 2, got 0"),
    ({f"{SEARCH}population_size": 1}, r"population_size: expected at least 2, got 1"),
    ({f"{SEARCH}elites": 1.0}, r"elites: expected less than 1"),
    ({f"{SEARCH}mode": "GA", f"{SEARCH}GA_operators": [{"name": "ThreePointCrossOver"}]}, r"OnePointCrossOver"),
    (
        {f"{SEARCH}mode": "GA", f"{SEARCH}GA_operators": [{**CROSSOVER, "parameters": {"turnament_size": 4}}]},
        r"turnament_size.*did you mean tournament_size",
    ),
    ({f"{SEARCH}mode": "SNES", f"{SEARCH}evotorch": {"stdev": 1.0}}, r"stdev.*known are .*stdev_init"),
    ({"evolution__durations": 1.0}, r"durations: unknown key.*did you mean duration"),
    ({"evolution__best_duration": 3600.0}, r"best_duration: expected at most the 600 s that soundfont"),
    (
        {"music_model": "musicgen"},
        r"music_generator\.model: the weights of facebook/musicgen-small \(about .*fetch_models",
    ),
    ({"music_model": "musicgen", "music_generator": {"model": "a b"}}, r"model: a b: expected a folder, or the name"),
    ({"music_encoder": "mert"}, r"encoder\.model: the weights of m-a-p/MERT-v1-95M"),
    ({"music_model": "ace-step", f"{SEARCH}mode": "SNES"}, r"input_type: expected text, which ace-step plays"),
    (
        {"music_model": "musicgen", "music_generator": {"inference_steps": 9}},
        r"inference_steps: expected none: musicgen is no diffusion, got 9",
    ),
    ({"music_model": "musicgen", "music_generator": {"device": "cuda:77"}}, r"generator\.device: expected one of this"),
    ({"music_generator": {"input_type": "embeddings"}, f"{SEARCH}mode": "SNES"}, r"input_type: expected .*token_emb"),
    ({"user_model__users": [{"user_type": "synth", "target_user_id": 10**6}]}, r"expected a reference listener .*10"),
    ({"user_model__users": [{"user_type": "real", "target_user_id": 1}]}, r"user_type: expected synth: .* panel"),
    ({"user_model__aligner": {"abs_file_path": "none.pt"}}, r"abs_file_path: expected a checkpoint, got .*none\.pt"),
    ({"evolution__device": "cuda:77"}, r"device: expected one of this machine, got 'cuda:77'"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_KEYS)
def test_a_key_that_cannot_be_is_named_with_what_was_expected(tmp_path, capfd, caplog, changes, message):
    said = refused(tmp_path, capfd, caplog, changed(**changes))
    assert re.search(message, said, re.DOTALL), said
    assert "experiment.yaml" in said


@pytest.mark.parametrize("text", ["- a list", "evolution: [", "evolution:\n\tgenerations: 3"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, capfd, caplog, text):
    assert "experiment.yaml" in refused(tmp_path, capfd, caplog, text)


def test_other_rounds_keep_within_the_schema_s_limits(tmp_path, capfd, caplog):
    said = refused(tmp_path, capfd, caplog, changed(), rounds=2_000_000)
    assert "epochs: expected at most 1000000, got 2000000" in said


def test_a_character_that_no_database_takes_is_refused(tmp_path, capfd, caplog):
    text = 'evolution:\n  exp_name: "a\\0b"\n'
    assert "experiment.yaml:2: evolution.exp_name: expected text without" in refused(tmp_path, capfd, caplog, text)


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"nowhere\.yaml.*expected a readable text file"):
        evolve(tmp_path / "nowhere.yaml", tmp_path / "out")


INIT_FILES = [
    (None, "prompts.txt"),
    (b"", "expected one prompt a line, got none"),
    (b"# only a remark\n", "expected one prompt a line, got none"),
    (b"calm jazz\nloud metal\n", "too short: expected at least 8 prompts"),
    (b"calm jazz\n" * 8, "expected at least 8 different"),
    (b"\x89PNG\r\n\x1a\n\0\0\0", "expected a text in UTF-8"),
]


@pytest.mark.parametrize(("content", "message"), INIT_FILES)
def test_an_init_file_that_cannot_be_used_is_refused(tmp_path, capfd, caplog, content, message):
    if content is not None:
        (tmp_path / "prompts.txt").write_bytes(content)
    start = {"evolution__initialization": "file", "evolution__init_file": "prompts.txt"}
    said = refused(tmp_path, capfd, caplog, changed(**start))
    assert "init_file" in said or "search" in said
    assert message in said


def target(tmp_path, samples):
    soundfile.write(tmp_path / "target.wav", samples, 16_000)


TARGETS = [
    (lambda _: None, "expected an audio file"),
    (lambda folder: (folder / "target.wav").write_bytes(b"not a sound at all" * 100), "expected audio"),
    (lambda folder: (folder / "target.wav").write_bytes(b""), "which is empty"),
    (lambda folder: target(folder, np.zeros(0)), "seconds of sound, got 0"),
    (lambda folder: target(folder, np.zeros(32_000)), "expected audible sound, got silence"),
]


@pytest.mark.parametrize(("make", "message"), TARGETS)
def test_a_target_that_cannot_be_heard_is_refused(tmp_path, capfd, caplog, make, message):
    make(tmp_path)
    fitness = {"mode": "music", "target_music": "target.wav"}
    said = refused(tmp_path, capfd, caplog, changed(evolution__fitness=fitness))
    assert "target_music" in said
    assert message in said


def asking(uri, **more):
    llm = {"api_key": KEY, "api_uri": uri, "model": "small", "retries": 0, "timeout": 5.0, **more}
    return changed(evolution__search={"mode": "LLM evolve", "population_size": 8}, evolution__LLM=llm)


def test_an_llm_that_cannot_be_reached_is_refused(tmp_path, capfd, caplog):
    said = refused(tmp_path, capfd, caplog, asking("http://127.0.0.1:9/v1"))
    assert re.search(r"LLM.*127\.0\.0\.1:9.*connection", said)


ENDPOINTS = [
    (error(401, f"Incorrect API key provided: {KEY}"), "key was not accepted"),
    (error(404, "no such model"), "no such model"),
    (chat("I would rather talk about the weather."), "LLM"),
    (Reply("<html>A login page</html>"), "LLM"),
]


@pytest.mark.parametrize(("reply", "message"), ENDPOINTS)
def test_an_llm_that_refuses_or_talks_nonsense_is_refused(tmp_path, capfd, caplog, reply, message):
    with LLMServer(lambda _: reply) as server:
        said = refused(tmp_path, capfd, caplog, asking(server.uri))
        assert len(server.asked) <= 2
    assert message in said


def test_a_key_that_is_not_set_is_named_and_nobody_is_asked(tmp_path, capfd, caplog, monkeypatch):
    monkeypatch.delenv("NOT_SET_API_KEY", raising=False)
    with LLMServer() as server:
        said = refused(tmp_path, capfd, caplog, asking(server.uri, api_key="${NOT_SET_API_KEY}"))
        assert not server.asked
    assert "NOT_SET_API_KEY" in said


def test_a_key_written_in_the_file_is_used_and_kept_nowhere(tmp_path, caplog):
    with LLMServer() as server:
        evolve(written(tmp_path, asking(server.uri)), tmp_path / "out", rounds=1)
        assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert KEY not in str(Experiment.objects.values()) + caplog.text
