"""What is in a line of the log, and what must never be."""

from __future__ import annotations

import json
import logging

import pytest

from evomusic_site import log_context, logs

PROMPT = "slow fado about my lost brother Tomas"


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    monkeypatch.setenv("LLM_API_KEY", "correct-horse-battery")
    monkeypatch.setenv("EVOMUSIC_METRICS_TOKEN", "scrape-me-scrape-me")
    logs._secrets.cache_clear()
    yield
    logs._secrets.cache_clear()


def record(message, *args, error=None, **extra):
    return logging.getLogger("evolution.playing").makeRecord(
        "evolution.playing",
        logging.WARNING,
        __file__,
        1,
        message,
        args,
        (type(error), error, error.__traceback__) if error else None,
        extra=extra,
    )


def both(message, *args, **more):
    made = record(message, *args, **more)
    return logs.LineFormatter().format(made), logs.RecordFormatter().format(made)


def test_a_line_tells_whose_work_it_is_about():
    with log_context.knowing({"round": 7, "run": 3, "request": "4f2a"}):
        line, text = both("it is sent again")
    assert "WARNING evolution.playing [run 3 round 7 request 4f2a]: it is sent again" in line
    told = json.loads(text)
    assert (told["run"], told["round"], told["request"], told["message"]) == (3, 7, "4f2a", "it is sent again")
    assert (told["level"], told["logger"]) == ("WARNING", "evolution.playing")


def test_outside_of_any_work_no_id_is_told():
    line, text = both("started")
    assert "evolution.playing: started" in line
    assert not set(log_context.NAMES) & set(json.loads(text))


def test_ids_of_inner_work_are_forgotten_when_it_is_over():
    with log_context.knowing({"round": 7}):
        with log_context.knowing({"task": "ab"}):
            assert log_context.current() == {"round": 7, "task": "ab"}
        assert log_context.current() == {"round": 7}
    assert log_context.current() == {}


def test_a_name_that_no_log_knows_is_refused():
    with pytest.raises(ValueError, match="email"):
        log_context.begin({"email": "ada@example.org"})


def test_who_asked_is_told_as_soon_as_that_is_known():
    who = {}
    with log_context.knowing({"request": "4f2a"}, who=lambda: who):
        assert log_context.current() == {"request": "4f2a"}
        who |= {"user": 5, "listener": 11}
        assert log_context.current() == {"listener": 11, "user": 5, "request": "4f2a"}


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("the client sent Authorization: Bearer abcdefgh12345678", ()),
        ("asked %s", ("https://api.example.org/v1?api_key=abcdefgh12345678",)),
        ("asked with %s", ({"api_key": "abcdefgh12345678"},)),
        ("the model's key is %s", ("sk-abcdefgh12345678",)),
        ("no connection to %s", ("postgresql://evo:abcdefgh12345678@db:5432/evo",)),
        ("Not Found: %s", ("/duets/join/abcdefgh12345678/",)),
    ],
)
def test_what_opens_a_door_is_in_no_line(message, args):
    for text in both(message, *args):
        assert "abcdefgh12345678" not in text
        assert logs.HIDDEN in text


def test_values_of_secret_variables_are_in_no_line_wherever_they_come_from():
    error = RuntimeError("401 for correct-horse-battery")
    for text in both("%s was refused", "scrape-me-scrape-me", error=error, answer={"said": ["correct-horse-battery"]}):
        assert "correct-horse-battery" not in text
        assert "scrape-me" not in text


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("the prompt %.80r was refused: %s", (PROMPT, f"too long: {PROMPT}")),
        ("Prompts: %s", ([PROMPT],)),
        ("it failed: %s", (ValueError(f"expected words, got {PROMPT!r}"),)),
        ("it failed: %s", (ValueError(f'expected words, got "{PROMPT}"'),)),
    ],
)
def test_what_somebody_wrote_is_in_no_line(message, args):
    for text in both(message, *args):
        assert "brother" not in text
        assert "Tomas" not in text
        assert "characters>" in text


def test_what_somebody_wrote_is_in_no_extra_and_no_error():
    line, text = both("it failed", error=ValueError(f"got {PROMPT!r}"), prompt=PROMPT, title=PROMPT)
    assert "Tomas" not in line + text
    assert "ValueError" in line
    assert "ValueError" in json.loads(text)["exc_info"]


def test_plain_sentences_names_and_numbers_stay_as_they_are():
    message = "%s: expected %r, got 'musicgen'; key: expected a word; population_size=200"
    line, text = both(message, "user_model.api_key", "soundfont")
    told = "user_model.api_key: expected 'soundfont', got 'musicgen'; key: expected a word; population_size=200"
    assert line.endswith(told)
    assert json.loads(text)["message"] == told


def test_a_format_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="expected line or json, got 'xml'"):
        logs.configuration("xml", "INFO")


def test_a_whole_configuration_writes_json_with_extras(capfd):
    import logging.config

    before = logging.root.handlers[:], logging.root.level
    try:
        logging.config.dictConfig(logs.configuration("json", "INFO"))
        logging.getLogger("uvicorn.error").info("started", extra={"color_message": "\x1b[1mstarted"})
        logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "192.0.2.7:5", "/ws/listen/")
        logging.getLogger("uvicorn.error").info("connection open")
        logging.getLogger("evolution").warning("memory ran out", extra={"event": "out_of_memory"})
    finally:
        logging.root.handlers[:], logging.root.level = before
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["message"] for line in lines] == ["started", "memory ran out"]
    assert lines[1]["event"] == "out_of_memory"
    assert lines[0]["role"] == "command"
    assert "color_message" not in lines[0]
