"""The socket of a run's page: its state at once then every generation as it comes.

With ?only=heard nothing but what became of candidates that somebody asked to hear.
"""

from __future__ import annotations

import json
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import get_user_model

from evolution import events
from evolution.models import Run
from laboratory import outcomes

LONGEST_MESSAGE = 1000  # characters
NOTHING_HERE = 4401
"""Closes a socket for good: the browser does not come back after it."""


class RunConsumer(AsyncJsonWebsocketConsumer):
    """One browser of one member of staff, on one run."""

    group: str | None = None

    async def connect(self) -> None:
        await self.accept()
        run_id = int(self.scope["url_route"]["kwargs"]["run_id"])
        if await self.run(run_id) is None:
            await self.close(code=NOTHING_HERE)
            return
        self.run_id, self.group = run_id, events.group(run_id)
        await self.channel_layer.group_add(self.group, self.channel_name)
        self.only_heard = b"only=heard" in self.scope["query_string"]
        if not self.only_heard:
            await self.tell("state", outcomes.state)

    async def disconnect(self, code: int) -> None:
        if self.group is not None:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        try:
            if text_data is None or len(text_data) > LONGEST_MESSAGE:
                raise ValueError(f"expected a JSON text of at most {LONGEST_MESSAGE} characters")
            content = json.loads(text_data)
            wanted = content.get("type") if isinstance(content, dict) else None
            if wanted not in ("state", "pulse"):
                raise ValueError(f"type: expected state or pulse, got {str(wanted)[:40]!r}")
        except (ValueError, RecursionError) as error:
            await self.send_json({"type": "error", "message": str(error)})
            return
        await self.tell(wanted, outcomes.state if wanted == "state" else outcomes.pulse)

    async def generation_stored(self, event: dict[str, Any]) -> None:
        if not self.only_heard:
            await self.tell("generation", lambda run: _grown(run, event["generation"]))

    async def run_changed(self, event: dict[str, Any]) -> None:
        if not self.only_heard:
            await self.tell("pulse", outcomes.pulse)

    async def candidate_ready(self, event: dict[str, Any]) -> None:
        await self.tell_candidate(event)

    async def candidate_failed(self, event: dict[str, Any]) -> None:
        await self.tell_candidate(event)

    async def tell_candidate(self, event: dict[str, Any]) -> None:
        if await self.run(self.run_id) is None:
            await self.close(code=NOTHING_HERE)
            return
        await self.send_json(event)

    async def tell(self, kind: str, read: Any) -> None:
        """Send what `read` reads of the run now; the socket closes when the run was deleted, or its watcher left."""
        run = await self.run(self.run_id)
        if run is None:
            await self.close(code=NOTHING_HERE)
            return
        await self.send_json({"type": kind, **await database_sync_to_async(read)(run)})

    async def run(self, run_id: int) -> Run | None:
        """The run, for somebody who is staff at this moment; None else."""
        return await database_sync_to_async(_run)(run_id, watcher=self.scope["user"].pk)


def _run(run_id: int, *, watcher: int | None) -> Run | None:
    # A socket outlives what was true when it was opened: who was dismissed since sees no more.
    if watcher is None or not get_user_model().objects.filter(pk=watcher, is_active=True, is_staff=True).exists():
        return None
    try:
        return outcomes.run(run_id)
    except Run.DoesNotExist:
        return None


def _grown(run: Run, generation_id: int) -> dict[str, Any]:
    return {**outcomes.pulse(run), "generations": outcomes.generations(run, only=generation_id)}
