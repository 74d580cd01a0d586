"""A real endpoint for chat completions on this machine, as faulty as a test needs it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

WORDS = ("calm", "bright", "dusty", "slow", "quick", "warm", "cold", "odd", "wide", "near", "raw", "soft")
THINGS = ("harp", "piano", "drums", "choir", "cello", "flute", "organ", "banjo", "marimba", "synth", "fiddle", "tuba")


@dataclass(frozen=True)
class Asked:
    """One request. number: how many came before. message: its last message."""

    number: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.body["messages"][-1]["content"])

    @property
    def wanted(self) -> int:
        """How many prompts it asks for."""
        return int(re.findall(r"exactly (\d+) prompt", self.message)[-1])


@dataclass(frozen=True)
class Reply:
    """What is sent back. delay: seconds before it. cut: close the connection in the middle of the body."""

    body: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False


Behaviour = Callable[[Asked], Reply]


def chat(text: str, *, finish_reason: str = "stop", delay: float = 0.0) -> Reply:
    """A chat completion that says `text`."""
    message = {"role": "assistant", "content": text}
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "small",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 11, "total_tokens": 18},
    }
    return Reply(json.dumps(completion), headers={"Content-Type": "application/json"}, delay=delay)


def tagged(prompts: Iterable[str]) -> str:
    return "\n".join(f"<prompt>{prompt}</prompt>" for prompt in prompts)


def prompts_for(asked: Asked, *, count: int | None = None) -> list[str]:
    """Prompts that depend on the message and the seed alone, nearly always different ones."""
    seed = asked.body.get("seed", 0)
    made = []
    for number in range(asked.wanted if count is None else count):
        digest = blake2b(f"{asked.message} {seed} {number}".encode(), digest_size=8).digest()
        words = f"{WORDS[digest[0] % 12]} {WORDS[digest[1] % 12]} {THINGS[digest[2] % 12]}"
        made.append(f"{words} piece {int.from_bytes(digest[3:6], 'big')}")
    return made


def obliging(asked: Asked) -> Reply:
    """As many prompts as are wanted, the same for the same question."""
    return chat(tagged(prompts_for(asked)))


def slowly(seconds: float) -> Behaviour:
    """As `obliging`, after a while."""
    return lambda asked: chat(tagged(prompts_for(asked)), delay=seconds)


def error(status: int, message: str, *, headers: dict[str, str] | None = None, **more: str) -> Reply:
    """A refusal in the shape that OpenAI gives it."""
    body = json.dumps({"error": {"message": message, "type": "error", **more}})
    return Reply(body, status, {"Content-Type": "application/json", **(headers or {})})


class LLMServer:
    """The endpoint, in threads of its own while the `with` lasts.

    behaviour: what it answers once the `script` is used up, whose replies are for the first requests.
    asked: all requests so far. most_at_once: how many were being answered at the same time at most.
    """

    def __init__(self, behaviour: Behaviour = obliging, *, script: Iterable[Reply | Behaviour] = ()) -> None:
        self.behaviour = behaviour
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._script = list(script)
        self._under_way = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def uri(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        with self._lock:
            asked = Asked(len(self.asked), path, headers, json.loads(body))
            self.asked.append(asked)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            scripted = self._script.pop(0) if self._script else self.behaviour
        try:
            reply = scripted if isinstance(scripted, Reply) else scripted(asked)
            time.sleep(reply.delay)
        finally:
            with self._lock:
                self._under_way -= 1
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler(server: LLMServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = server.answer(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            content = reply.body.encode()
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if reply.cut else content)
            except OSError:  # whoever asked has gone away, as the tests of time limits do
                self.close_connection = True
            self.close_connection |= reply.cut

        def log_message(self, *_: object) -> None:
            """Tests have their own output."""

    return Handler
