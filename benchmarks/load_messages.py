"""Numbered messages to listeners' sockets, sent from outside of the web process, as a conductor sends them."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from benchmarks.load_listeners import moments
from evolution import events
from listening.events import group

PLAYLISTS = 6
"""Of so many messages one is a whole playlist; the others say how far a round is."""


@dataclass
class Messages:
    """What was sent to whom: number -> listener."""

    listeners: Sequence[int]
    playlist: dict[str, Any]
    sent: dict[int, int] = field(default_factory=dict)

    @contextmanager
    def sending(self, *, rate: float, seconds: float, seed: int) -> Iterator[None]:
        """So many a second, to anybody, in a thread, until the block is left."""
        thread = threading.Thread(target=self._send, args=(rate, seconds, seed))
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _send(self, rate: float, seconds: float, seed: int) -> None:
        rng, started = random.Random(seed), time.monotonic()
        for at in moments(rate, seconds, rng):
            time.sleep(max(0.0, started + at - time.monotonic()))
            whom, event = self._next(rng.choice(self.listeners))
            events.send(group(whom), event)

    def burst(self, each: int) -> None:
        """So many to every listener, as fast as they can be sent."""
        async_to_sync(self._burst)(each)

    async def _burst(self, each: int) -> None:
        layer = get_channel_layer()
        assert layer is not None
        some = asyncio.Semaphore(8)

        async def send(listener: int) -> None:
            for _ in range(each):
                async with some:
                    whom, event = self._next(listener)
                    await layer.group_send(group(whom), event)

        await asyncio.gather(*map(send, self.listeners))

    def _next(self, listener: int) -> tuple[int, dict[str, Any]]:
        number = len(self.sent)
        self.sent[number] = listener
        numbered = {"load": number, "sent": time.monotonic()}
        if number % PLAYLISTS == 0:
            return listener, {"type": "playlist.ready", "playlist": self.playlist, **numbered}
        return listener, {"type": "round.progress", "round": PROGRESS, **numbered}

    def compared(self, heard: Sequence[Sequence[float]], *, timed: int) -> dict[str, Any]:
        """What became of them: {sent, lost, twice, astray, milliseconds}; the last of the first `timed`, sorted."""
        came = Counter(int(number) for _, number, _ in heard)
        astray = sum(self.sent.get(int(number)) != listener for listener, number, _ in heard)
        return {
            "sent": len(self.sent),
            "lost": len(set(self.sent) - set(came)),
            "twice": sum(count - 1 for count in came.values()),
            "astray": astray,
            "milliseconds": sorted(1000 * delay for _, number, delay in heard if number < timed),
        }


PROGRESS = {
    "number": 4,
    "status": "evolving",
    "message": "New music is evolving towards your taste.",
    "generation": 2,
    "generations": 3,
    "best": [0.2312, 0.3127],
    "seconds_left": 4.2,
    "queue": {"before": 3, "seconds": 6.1},
}
"""As `selectors.round_state` tells a round."""
