"""Whom a configuration may have asked: nobody in the operator's own network."""

from __future__ import annotations

import asyncio
import socket

import httpx2
import pytest

from evolution.search import reach


@pytest.fixture
def public():
    reach.allow(["public"])
    yield
    reach.allow(["*"])


@pytest.fixture
def named():
    reach.allow(["localhost:8080", "models.example"])
    yield
    reach.allow(["*"])


def ask(url: str) -> httpx2.Request:
    request = httpx2.Request("POST", url)
    asyncio.run(reach.permit(request))
    return request


INSIDE = [
    "http://localhost/v1",
    "http://127.0.0.1:6379/",
    "http://10.1.2.3/v1",
    "http://192.168.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://2130706433/",
    "http://0x7f.1/",
]


@pytest.mark.parametrize("url", INSIDE)
def test_what_is_inside_is_refused_however_it_is_written(public, url):
    with pytest.raises(reach.OutOfReachError, match="LLM_HOSTS"):
        ask(url)


def test_a_name_that_leads_inside_is_refused(public, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.7", 80))])
    with pytest.raises(reach.OutOfReachError, match=r"rebound\.example"):
        ask("http://rebound.example/v1")


def test_a_name_of_which_one_address_is_inside_is_refused(public, monkeypatch):
    both = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(reach.OutOfReachError):
        ask("http://both.example/v1")


def test_the_address_that_was_checked_is_the_one_that_is_asked(public, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("93.184.216.34", 443))])
    request = ask("https://models.example/v1")
    assert request.url.host == "93.184.216.34"
    assert request.extensions["sni_hostname"] == "models.example"
    assert request.headers["Host"] == "models.example"


def test_named_hosts_alone_are_asked_wherever_they_are(named):
    assert ask("http://localhost:8080/v1").url.host == "localhost"
    assert ask("https://MODELS.example/v1").url.host == "models.example"
    for url in ("http://localhost:6379/", "https://api.openai.com/v1", "http://models.example.evil.org/"):
        with pytest.raises(reach.OutOfReachError, match="expected a host of LLM_HOSTS"):
            ask(url)


def test_on_one_s_own_machine_everything_may_be_asked():
    assert ask("http://127.0.0.1:11434/v1").url.host == "127.0.0.1"


@pytest.mark.parametrize("hosts", [[], [" "], ["*", "models.example"], ["public", "*"]])
def test_a_rule_that_says_nothing_or_two_things_is_refused(hosts):
    with pytest.raises(ValueError, match="LLM_HOSTS: expected"):
        reach.allow(hosts)


def test_the_writer_asks_nobody_inside_and_does_not_try_again(public):
    from evolution.search.prompt_writer import LLMError, PromptWriter

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        writer = PromptWriter(api_key="", model="m", api_uri=f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        with pytest.raises(LLMError, match="LLM_HOSTS must name it"):
            writer.check()
        with pytest.raises(TimeoutError):
            server.accept()
    assert writer.usage.requests == 1
