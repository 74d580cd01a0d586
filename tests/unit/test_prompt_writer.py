"""The language model's client, against a real endpoint on this machine."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from evolution.search.asking import LLMError
from tests.unit.llm_server import Asked, LLMServer, Reply, chat, error, prompts_for, slowly, tagged
from tests.unit.small_writer import KEY, request, unused_port, writer


def test_every_request_is_answered_in_its_place() -> None:
    with LLMServer() as server:
        written = writer(server).write([request(2, 1), request(3, 2)])
    assert [len(prompts) for prompts in written] == [2, 3]
    by_seed = {asked.body["seed"]: asked for asked in server.asked}
    assert written == [tuple(prompts_for(by_seed[1])), tuple(prompts_for(by_seed[2]))]


def test_model_key_temperature_and_seed_are_sent() -> None:
    with LLMServer() as server:
        writer(server, temperature=0.25).write([request(seed=77)])
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert (asked.body["model"], asked.body["temperature"], asked.body["seed"]) == ("small", 0.25, 77)


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/chat/completions/", "/chat/completions?version=3"])
def test_base_and_full_addresses_are_the_same(ending: str) -> None:
    with LLMServer() as server:
        writer(server.uri + ending).write([request()])
    assert server.asked[0].path.partition("?")[0] == "/v1/chat/completions"
    assert server.asked[0].path.endswith("?version=3") == ending.endswith("?version=3")


def test_requests_run_at_once_but_not_more_than_allowed() -> None:
    with LLMServer(slowly(0.1)) as server:
        began = time.perf_counter()
        writer(server, concurrency=4).write([request(1, seed) for seed in range(12)])
        took = time.perf_counter() - began
    assert server.most_at_once == 4
    assert 0.3 <= took < 0.9


def test_the_same_requests_give_the_same_prompts_whatever_the_order_of_answers() -> None:
    def at_leisure(asked: Asked) -> Reply:
        return chat(tagged(prompts_for(asked)), delay=0.05 if asked.number % 3 == 0 else 0.0)

    requests = [request(2, seed) for seed in range(8)]
    with LLMServer() as one, LLMServer(at_leisure) as other:
        assert writer(one).write(requests) == writer(other, concurrency=3).write(requests)


def test_missing_prompts_are_asked_for_again() -> None:
    with LLMServer(lambda asked: chat(tagged(prompts_for(asked, count=2)))) as server:
        (prompts,) = writer(server).write([request(5)])
    assert len(set(prompts)) == 5
    assert [asked.wanted for asked in server.asked] == [5, 3, 1]
    assert prompts[0] in server.asked[1].message


def test_more_prompts_than_wanted_are_cut_to_the_first() -> None:
    with LLMServer(lambda _: chat(tagged(["one", "two", "three"]))) as server:
        assert writer(server).write([request(2)]) == [("one", "two")]


def test_duplicates_are_asked_for_again() -> None:
    first = chat(tagged(["Calm  piano", "calm PIANO", "taken one", "..."]))
    with LLMServer(script=[first, chat(tagged(["calm piano", "loud drums", "quick harp"]))]) as server:
        assert writer(server).write([request(3)], taken=["Taken One"]) == [("Calm piano", "loud drums", "quick harp")]
    assert [asked.wanted for asked in server.asked] == [3, 2]


def test_requests_do_not_repeat_each_other_unless_they_may() -> None:
    def same(asked: Asked) -> Reply:
        return chat(tagged(["same", f"other {asked.number}"]))

    with LLMServer(same) as server:
        unique = writer(server).write([request(1, 1), request(1, 2), request(1, 3)])
        assert len(set(unique)) == 3
        asked = len(server.asked)
        shared = writer(server).write([request(1, 1, unique=False), request(1, 2, unique=False)])
        assert shared == [("same",), ("same",)]
        assert len(server.asked) == asked + 2


def test_a_model_that_only_repeats_itself_is_asked_a_bounded_number_of_times() -> None:
    with LLMServer(lambda _: chat(tagged(["the same"] * 3))) as server:
        asking = writer(server, asks_again=2)
        assert asking.write([request(3)]) == [("the same",) * 3]
        assert len(server.asked) == 3
        with pytest.raises(LLMError, match="expected 3 different prompts of the language model, got 1"):
            asking.write([request(3)], repeats=False)


def test_usage_is_counted() -> None:
    with LLMServer() as server:
        asking = writer(server)
        asking.write([request(1, seed) for seed in range(3)])
    usage = asking.usage
    assert (usage.requests, usage.retries, usage.prompt_tokens, usage.completion_tokens) == (3, 0, 21, 33)


def test_many_threads_and_a_running_event_loop_may_write() -> None:
    with LLMServer(slowly(0.05)) as server:
        asking = writer(server)
        found: dict[int, list[tuple[str, ...]]] = {}
        threads = [
            threading.Thread(target=lambda seed=seed: found.update({seed: asking.write([request(1, seed)])}))
            for seed in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        async def inside() -> list[tuple[str, ...]]:
            return asking.write([request(1, 0)])

        # In a thread of its own: a browser test before this one may have left a loop running here.
        with ThreadPoolExecutor(max_workers=1) as pool:
            assert pool.submit(lambda: asyncio.run(inside())).result() == found[0]
    assert len(found) == 4
    assert asking.usage.requests == 5


def test_no_thread_or_connection_is_left_behind() -> None:
    with LLMServer() as server:
        before = set(threading.enumerate())
        writer(server).write([request()])
        deadline = time.monotonic() + 3.0
        while set(threading.enumerate()) - before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not set(threading.enumerate()) - before  # the server's thread ends with its connection


def test_a_check_passes_with_one_tiny_request() -> None:
    with LLMServer() as server:
        writer(server).check()
    assert len(server.asked) == 1
    assert len(server.asked[0].message) < 500


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (error(401, "who are you"), "the API key was not accepted"),
        (error(404, "unknown model"), "no such model or no such address"),
        (Reply("<html>hello</html>"), "text that is not JSON: '<html>hello</html>'"),
        (chat("I like trains."), "an answer without a usable <prompt>: 'I like trains.'"),
    ],
)
def test_a_check_says_what_is_wrong(reply: Reply, message: str) -> None:
    with LLMServer(lambda _: reply) as server, pytest.raises(LLMError, match=message):
        writer(server).check()


def test_a_check_of_nobody_says_so_soon() -> None:
    port = unused_port()
    with pytest.raises(
        LLMError, match=f"'small' at 127.0.0.1:{port} for 1 prompt in 2 attempts, .* the connection failed"
    ):
        writer(f"http://127.0.0.1:{port}/v1").check()


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with LLMServer() as server:
        writer(server).check()


def test_the_key_is_in_no_log_no_error_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    padding = "x" * 100  # so that shortening the message cuts through the key
    replies = [error(401, f"{padding} {KEY}"), Reply(f"{padding[:90]} {KEY}"), chat(f"{padding[:95]} {KEY}")]
    replies += [error(500, KEY), error(429, KEY), Reply(KEY, cut=True)]
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "httpx2", "httpcore2", "openai._base_client", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    said = []
    for reply in replies:
        with LLMServer(lambda _, reply=reply: reply) as server, pytest.raises(LLMError) as caught:
            writer(server, retries=1).write([request()])
        lineage = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert lineage[1:] == [None, None]
        said += [repr(lineage[0]), "".join(traceback.format_exception(caught.value))]
    said += [repr(writer("http://localhost/v1")), str(writer("http://localhost/v1")), caplog.text]
    assert caplog.text.count("127.0.0.1") >= 2
    assert not [text for text in said if KEY[:10] in text]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"concurrency": 0}, "LLM.concurrency: expected at least 1, got 0"),
        ({"retries": -1}, "LLM.retries: expected at least 0"),
        ({"timeout": 0.0}, "LLM.timeout: expected seconds > 0"),
        ({"timeout": float("nan")}, "LLM.timeout: expected seconds > 0"),
        ({"temperature": -0.1}, "LLM.temperature: expected a number >= 0"),
        ({"model": " "}, "LLM.model: expected the name of a model"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        writer("http://localhost/v1", **settings)


@pytest.mark.parametrize("key", ["sk-gehéim-0123", "sk-two words", "sk-line\nbreak", "sk-\x00null"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match=r"LLM\.api_key: expected printable ASCII") as caught:
        writer("http://localhost/v1", api_key=key)
    assert key[3:6] not in str(caught.value)


def test_an_endpoint_may_need_no_key() -> None:
    with LLMServer() as server:
        writer(server, api_key="").check()


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "http://host:99999/v1",
        "localhost:11434",
        "ftp://host/v1",
        "http://",
        "http://[::1/v1",
        "http://a b/v1",
        "http://a/\x7f",
        f"http://ü{'x' * 80}.de/v1",
    ],
)
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"LLM\.api_uri: expected an address like"):
        writer(uri)


def test_a_password_in_the_address_is_not_shown() -> None:
    with pytest.raises(LLMError) as caught:
        writer(f"http://me:hidden@127.0.0.1:{unused_port()}/v1", retries=0).check()
    assert "hidden" not in str(caught.value)
