"""A model hub on loopback that speaks as much of the protocol as fetching needs."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

SHA = "0123456789abcdef0123456789abcdef01234567"


class HubServer:
    """Serves models, name -> files, until the block ends. gated: names that it gives to nobody."""

    def __init__(self, models: Mapping[str, Mapping[str, bytes]], *, gated: frozenset[str] = frozenset()) -> None:
        self.fetched: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub._answer(self, models, gated, with_content=True)

            def do_HEAD(self) -> None:
                hub._answer(self, models, gated, with_content=False)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
                """The tests' output stays quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(
        self,
        request: BaseHTTPRequestHandler,
        models: Mapping[str, Mapping[str, bytes]],
        gated: frozenset[str],
        *,
        with_content: bool,
    ) -> None:
        path = request.path.split("?")[0].removeprefix("/api/models").strip("/")
        name = "/".join(path.split("/")[:2])
        status, headers, content = 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if name in gated:
            status, headers = 403, {"X-Error-Code": "GatedRepo"}
        elif name in models and request.path.startswith("/api/"):
            siblings = [{"rfilename": file} for file in models[name]]
            told = {"id": name, "modelId": name, "sha": SHA, "siblings": siblings, "private": False}
            if "/tree/" in request.path:
                told = [{"type": "file", "path": file, "size": len(data), "oid": sha1(data).hexdigest()}  # noqa: S324
                        for file, data in models[name].items()]  # type: ignore[assignment]  # fmt: skip
            status, headers, content = 200, {"Content-Type": "application/json"}, json.dumps(told).encode()
        elif name in models:
            file = path.split("/", 4)[-1]
            content = models[name][file]
            status, headers = 200, {"ETag": f'"{sha1(content).hexdigest()}"', "X-Repo-Commit": SHA}  # noqa: S324
            if with_content:
                self.fetched.append(f"{name}/{file}")
        request.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            request.send_header(key, value)
        request.end_headers()
        if with_content:
            request.wfile.write(content)
