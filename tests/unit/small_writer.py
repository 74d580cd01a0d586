"""A prompt writer that asks a server of the tests, and requests for it."""

from __future__ import annotations

import socket

from evolution.search.asking import Request
from evolution.search.prompt_writer import PromptWriter
from tests.unit.llm_server import LLMServer

KEY = "sk-test-0123456789abcdef"


def writer(server: LLMServer | str, **settings: object) -> PromptWriter:
    uri = server if isinstance(server, str) else server.uri
    settings = {"api_key": KEY, "model": "small", "timeout": 5.0, "backoff": 0.01, "retries": 2} | settings
    return PromptWriter(api_uri=uri, **settings)  # type: ignore[arg-type]


def request(count: int = 2, seed: int = 5, **more: object) -> Request:
    return Request(f"Invent {count} prompts.", count, seed, **more)  # type: ignore[arg-type]


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
