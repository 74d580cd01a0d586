"""The example client: its rule, and what it does when the server is away, says no, or says not now."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from examples.client import listen as client


class Answers(BaseHTTPRequestHandler):
    """Answers with what stands in `planned`, in order, and keeps what was asked."""

    planned: list[tuple[int, dict[str, str], object]]
    asked: list[tuple[str, str, object]]

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, json.loads(body) if body else None))
        status, headers, content = self.planned.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the test tells what matters."""


@pytest.fixture
def api() -> Iterator[object]:
    Answers.planned, Answers.asked = [], []
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield client.Api(f"http://127.0.0.1:{server.server_port}/", "evo_token")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("prompt", "value"), [("calm Jazz", 1), ("fast techno", -1)])
def test_words_decide_what_is_liked(prompt: str, value: int):
    for otherwise in (0.0, 1.0):
        rule = client.by_words(["jazz"], ["techno"], otherwise=otherwise, seed=0)
        assert rule({"prompt": prompt}) == value


def test_what_no_word_decides_is_drawn_by_the_seed():
    drawn = [
        [rule({"prompt": "folk"}) for _ in range(40)]
        for rule in (client.by_words([], [], otherwise=0.5, seed=seed) for seed in (1, 1, 2))
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert set(drawn[0]) == {1, -1}


def test_it_comes_again_when_it_is_told_to(api: object):
    Answers.planned += [(429, {"Retry-After": "0"}, {"error": "x"}), (200, {}, {"name": "grace"})]
    assert api.get("me") == {"name": "grace"}
    assert [path for _, path, _ in Answers.asked] == ["/api/v1/me"] * 2


def test_it_does_not_ask_again_for_what_is_refused(api: object):
    Answers.planned += [(404, {}, {"error": "There is no such playlist.", "field": None})]
    with pytest.raises(client.ApiError, match="404: There is no such playlist"):
        api.get("playlists/x")
    assert len(Answers.asked) == 1


def test_it_asks_for_a_playlist_only_where_none_is_being_made(api: object):
    made, busy = {"id": "2", "number": 2, "tracks": []}, {"status": "evolving"}
    Answers.planned += [
        (200, {}, {"playlist": None, "round": None}),
        (202, {}, {"round": busy}),
        (200, {}, {"playlist": None, "round": busy}),
        (200, {}, {"playlist": "2", "round": {"status": "done"}}),
        (200, {}, made),
    ]
    assert list(client.playlists(api, most=1, between=0.0)) == [made]
    assert [method for method, path, _ in Answers.asked if path == "/api/v1/evolve"] == ["GET", "POST", "GET", "GET"]


def test_every_track_is_rated_under_an_id_of_its_own(api: object):
    Answers.planned += [(201, {}, {})]
    tracks = [{"id": str(number), "prompt": prompt, "seconds": 3.0} for number, prompt in enumerate(["jazz", "noise"])]
    assert client.rate(api, {"tracks": tracks}, client.by_words(["jazz"], ["noise"], otherwise=0.5, seed=0)) == 1
    _, path, said = Answers.asked[0]
    assert path == "/api/v1/ratings"
    assert [(one["track"], one["value"]) for one in said] == [("0", 1), ("1", -1)]
    assert len({one["id"] for one in said}) == 2
