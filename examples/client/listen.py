"""A listener that is a program: it waits for playlists, rates them by a rule, and asks for the next.

    EVOMUSIC_TOKEN=evo_... python listen.py http://127.0.0.1:8000 --likes jazz,piano --dislikes techno --playlists 5

Needs Python 3.11 and nothing else. The token is made on the account page; docs/api.md tells of the API.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

Track = dict[str, Any]
Rule = Callable[[Track], int]

PATIENCE = 30.0  # seconds for one answer
BETWEEN = 2.0  # seconds between two looks at what is being made
MAKING = ("queued", "waiting", "learning", "evolving", "composing")
MOST_TRIES = 8
LONGEST_PAUSE = 60.0  # seconds


class ApiError(RuntimeError):
    """The API said no; the message is its own sentence."""


@dataclass
class Api:
    """EvoMusic's API, as a token opens it. A request that failed on its way is sent again: each can be sent twice."""

    address: str
    token: str

    def get(self, path: str) -> Any:
        """What is at `path`."""
        return self._ask("GET", path)

    def send(self, method: str, path: str, content: Any = None) -> Any:
        """Send JSON; gives what is answered."""
        return self._ask(method, path, json.dumps(content).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        for attempt in range(1, MOST_TRIES + 1):
            try:
                return self._once(method, path, body)
            except urllib.error.HTTPError as error:
                pause = _pause(error, attempt)
                if pause is None or attempt == MOST_TRIES:
                    raise ApiError(_sentence(error)) from None
            except (OSError, HTTPException):  # the server is away for a moment
                if attempt == MOST_TRIES:
                    raise
                pause = _backoff(attempt)
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        url = f"{self.address.rstrip('/')}/api/v1/{path}"
        request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310  (the user's own)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return json.load(answer)


def _pause(error: urllib.error.HTTPError, attempt: int) -> float | None:
    """Seconds after which it is worth asking again; None when it is not."""
    if error.code == 429:
        return min(LONGEST_PAUSE, float(error.headers.get("Retry-After") or 1))
    return _backoff(attempt) if error.code >= 500 else None


def _backoff(attempt: int) -> float:
    return min(LONGEST_PAUSE, 0.5 * 2.0**attempt)


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        return f"{error.code}: {json.load(error)['error']}"
    except (ValueError, KeyError, TypeError):
        return f"{error.code}: {error.reason}"


def by_words(likes: list[str], dislikes: list[str], *, otherwise: float, seed: int) -> Rule:
    """A rule: 1 where a liked word is in the prompt and no disliked one, -1 the reverse.

    otherwise: the probability of liking what holds neither or both, drawn by the seed.
    """
    luck = random.Random(seed)

    def rule(track: Track) -> int:
        prompt = track["prompt"].lower()
        liked = any(word in prompt for word in likes)
        disliked = any(word in prompt for word in dislikes)
        if liked != disliked:
            return 1 if liked else -1
        return 1 if luck.random() < otherwise else -1

    return rule


def playlists(api: Api, *, most: int, between: float = BETWEEN) -> Iterator[dict[str, Any]]:
    """The newest playlist, and then each that is made, up to `most`. Asks for one where none is being made."""
    seen = None
    for _ in range(most):
        state = api.get("evolve")
        while state["playlist"] in (None, seen):
            told = state["round"]
            if told is None or told["status"] not in MAKING:
                api.send("POST", "evolve")
            time.sleep(between)
            state = api.get("evolve")
        seen = state["playlist"]
        yield api.get(f"playlists/{seen}")


def rate(api: Api, playlist: dict[str, Any], rule: Rule) -> int:
    """Rate every track of a playlist by the rule; how many are liked."""
    moment = datetime.now(UTC).isoformat()
    opinions = [
        {
            "id": str(uuid.uuid4()),
            "track": track["id"],
            "value": rule(track),
            "seconds": track["seconds"],
            "given_at": moment,
        }
        for track in playlist["tracks"]
    ]
    api.send("POST", "ratings", opinions)
    return sum(opinion["value"] == 1 for opinion in opinions)


def listen(api: Api, rule: Rule, *, most: int, between: float = BETWEEN) -> list[float]:
    """Listen to so many playlists, printing how many tracks of each are liked; gives the shares in [0, 1]."""
    print(f"Listening as {api.get('me')['name']}.")  # noqa: T201
    shares = []
    for playlist in playlists(api, most=most, between=between):
        count = len(playlist["tracks"])
        liked = rate(api, playlist, rule)
        shares.append(liked / max(1, count))
        bar = "#" * liked + "." * (count - liked)
        print(f"playlist {playlist['number']:3d}  [{bar}]  {liked} of {count} liked", flush=True)  # noqa: T201
    return shares


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Listen to EvoMusic as a program, and rate by words in the prompts.")
    parser.add_argument("address", help="of the site, such as http://127.0.0.1:8000")
    parser.add_argument("--likes", default="", help="words, with commas between them")
    parser.add_argument("--dislikes", default="", help="words, with commas between them")
    parser.add_argument("--otherwise", type=float, default=0.3, help="probability of liking what holds none of them")
    parser.add_argument("--playlists", type=int, default=5, help="how many to listen to")
    parser.add_argument("--seed", type=int, default=0, help="of what is left to chance")
    given = parser.parse_args(arguments)
    token = os.environ.get("EVOMUSIC_TOKEN", "")
    if not token:  # not an argument: other users of a machine can read those
        parser.error("put the token, made on the account page, into the variable EVOMUSIC_TOKEN")
    likes, dislikes = (
        [word.strip().lower() for word in text.split(",") if word.strip()] for text in (given.likes, given.dislikes)
    )
    rule = by_words(likes, dislikes, otherwise=given.otherwise, seed=given.seed)
    try:
        listen(Api(given.address, token), rule, most=given.playlists)
    except (ApiError, OSError, HTTPException) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
