"""What a language model's endpoint does wrong, and what the prompt writer makes of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from evolution.search import endpoint
from evolution.search.asking import LLMError
from tests.unit.llm_server import Asked, LLMServer, Reply, chat, error, obliging, prompts_for, slowly, tagged
from tests.unit.small_writer import KEY, request, writer

FAULTS = {
    "429": error(429, "slow down"),
    "429 with Retry-After": error(429, "slow down", headers={"Retry-After": "0.2"}),
    "500": error(500, "oops"),
    "503 in HTML": Reply("<html>Service Unavailable</html>", 503, {"Content-Type": "text/html"}),
    "not JSON": Reply("I am a teapot", headers={"Content-Type": "application/json"}),
    "HTML": Reply("<!doctype html><p>Log in to the hotel's Wi-Fi</p>", headers={"Content-Type": "text/html"}),
    "nothing": Reply("", headers={"Content-Type": "application/json"}),
    "JSON of another shape": Reply('["no", "choices"]', headers={"Content-Type": "application/json"}),
    "no choice": Reply('{"choices": []}', headers={"Content-Type": "application/json"}),
    "no content": Reply('{"choices": [{"message": {"content": null}}]}', headers={"Content-Type": "application/json"}),
    "no tags": chat("Here you go: calm piano"),
    "only thoughts": chat("<think><prompt>calm piano</prompt>"),
    "cut off by the model's limit": chat("<prompt>calm pia", finish_reason="length"),
    "cut off by the connection": Reply(chat(tagged(["calm piano", "loud drums"])).body, cut=True),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_failed_or_malformed_answer_costs_one_retry(fault: str) -> None:
    with LLMServer(script=[FAULTS[fault]]) as server:
        asking = writer(server)
        (prompts,) = asking.write([request(2)])
    assert len(prompts) == 2
    assert (asking.usage.requests, asking.usage.retries) == (2, 1)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_an_error_that_says_what_was_asked_and_what_came(fault: str) -> None:
    with LLMServer(lambda _: FAULTS[fault]) as server, pytest.raises(LLMError) as caught:
        writer(server, retries=1).write([request(2)])
    assert f"'small' at {server.uri.split('/')[2]} for 2 prompts in 2 attempts, at last: " in str(caught.value)
    assert len(server.asked) == 2


def test_retry_after_is_honoured() -> None:
    with LLMServer(script=[error(429, "slow down", headers={"Retry-After": "0.3"})]) as server:
        began = time.perf_counter()
        writer(server).write([request()])
    assert time.perf_counter() - began >= 0.3


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("7", 7.0), ("0.25", 0.25), *((told, 0.0) for told in ("soon", "-4", "nan", "inf", ""))],
)
def test_retry_after_is_read_as_seconds(told: str, seconds: float) -> None:
    assert endpoint.retry_after({"retry-after": told}) == seconds


def test_retry_after_is_read_as_a_date() -> None:
    def told(seconds: float) -> dict[str, str]:
        return {"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)}

    assert 25.0 <= endpoint.retry_after(told(30.0)) <= 30.0
    assert endpoint.retry_after(told(-30.0)) == 0.0
    assert endpoint.retry_after({"retry-after": "Mon, 01 Jan 2024 00:00:00 -0000"}) == 0.0


def test_nobody_waits_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    with LLMServer(script=[error(429, "tomorrow", headers={"Retry-After": "86400"})]) as server:
        monkeypatch.setattr("evolution.search.prompt_writer.asyncio.sleep", note)
        writer(server).write([request()])
    assert waited == [60.0]


def test_waits_double_and_are_spread() -> None:
    with LLMServer(lambda _: error(500, "oops")) as server:
        began = time.perf_counter()
        with pytest.raises(LLMError):
            writer(server, retries=3, backoff=0.1).write([request()])
        took = time.perf_counter() - began
    assert 0.35 <= took < 1.6  # between half and all of 0.1 + 0.2 + 0.4, and four requests


def test_a_slow_answer_is_given_up_and_asked_for_again() -> None:
    with LLMServer(script=[slowly(1.5)]) as server:
        began = time.perf_counter()
        (prompts,) = writer(server, timeout=0.3).write([request(2)])
        assert time.perf_counter() - began < 1.2
    assert len(prompts) == 2
    with LLMServer(slowly(0.6)) as server, pytest.raises(LLMError, match=r"no answer within 0\.2 s"):
        writer(server, timeout=0.2, retries=0).write([request(2)])


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (error(401, f"Incorrect API key provided: {KEY}"), r"the API key was not accepted \(HTTP 401, .*\*\*\*"),
        (error(403, "not for you"), r"the API key was not accepted \(HTTP 403, not for you\)"),
        (error(404, "The model `small` does not exist"), r"no such model or no such address \(HTTP 404, The model"),
        (error(400, "context too long"), r"HTTP 400, context too long"),
        (error(429, "You exceeded your quota", code="insufficient_quota"), r"HTTP 429, You exceeded your quota"),
    ],
)
def test_what_waiting_cannot_mend_ends_at_once(reply: Reply, message: str) -> None:
    with LLMServer(lambda _: reply) as server, pytest.raises(LLMError, match=message):
        writer(server).write([request()])
    assert len(server.asked) == 1


def test_the_first_failure_ends_the_other_requests() -> None:
    def fails_once(asked: Asked) -> Reply:
        return error(401, "no") if asked.body["seed"] == 3 else chat(tagged(prompts_for(asked)), delay=3.0)

    with LLMServer(fails_once) as server:
        began = time.perf_counter()
        with pytest.raises(LLMError):
            writer(server).write([request(1, seed) for seed in range(6)])
        assert time.perf_counter() - began < 2.0


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("name", ["seed", "temperature"])
def test_an_endpoint_that_refuses_a_parameter_is_asked_without_it(status: int, name: str) -> None:
    def strict(asked: Asked) -> Reply:
        return error(status, f"Unrecognized request argument: {name}") if name in asked.body else obliging(asked)

    with LLMServer(strict) as server:
        asking = writer(server, retries=0)
        assert [len(prompts) for prompts in asking.write([request(2), request(2, 9)])] == [2, 2]
        before = len(server.asked)
        asking.write([request(2)])
        assert len(server.asked) == before + 1
    assert asking.usage.retries == 0


def test_a_malformed_answer_is_asked_for_again_with_another_seed_and_an_outage_with_the_same() -> None:
    with LLMServer(script=[error(500, "oops"), chat("no tags")]) as server:
        writer(server).write([request(seed=5)])
    first, second, third = (asked.body["seed"] for asked in server.asked)
    assert first == second == 5
    assert third != 5
