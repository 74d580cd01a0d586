"""The listener's socket: forwards what happens, answers what is asked."""

from __future__ import annotations

import json
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from listening import api, events, listeners, selectors

LONGEST_MESSAGE = 10_000  # characters
NOT_LOGGED_IN = 4401
FIRST_ERROR = 400  # HTTP status


class ListeningConsumer(AsyncJsonWebsocketConsumer):
    """One browser of one listener."""

    async def connect(self) -> None:
        self.listener = await database_sync_to_async(listeners.of_user)(self.scope["user"])
        await self.accept()
        if self.listener is None:
            await self.close(code=NOT_LOGGED_IN)
            return
        await self.channel_layer.group_add(events.group(self.listener.pk), self.channel_name)
        await self.send_state()

    async def disconnect(self, code: int) -> None:
        if self.listener is not None:
            await self.channel_layer.group_discard(events.group(self.listener.pk), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        try:
            if text_data is None or len(text_data) > LONGEST_MESSAGE:
                raise ValueError(f"expected a JSON text of at most {LONGEST_MESSAGE} characters")
            content = json.loads(text_data)
            if not isinstance(content, dict):
                raise ValueError(f"expected a JSON object with a type, got {type(content).__name__}")
            await self.receive_json(content)
        except (ValueError, RecursionError) as error:
            await self.send_json({"type": "error", "message": str(error)})

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        if content.get("type") == "state":
            await self.send_state()
        elif content.get("type") == "rate":
            answer, status = await database_sync_to_async(api.store_rating)(self.listener, content)
            if status >= FIRST_ERROR:
                raise ValueError(answer["error"])
            await self.send_json({"type": "rating.stored", **answer})
        elif content.get("type") == "listen":
            answer, status = await database_sync_to_async(api.store_listens)(self.listener, content)
            if status >= FIRST_ERROR:
                raise ValueError(answer["error"])
            await self.send_json({"type": "listen.stored", **answer})
        else:
            raise ValueError(f"type: expected state, rate or listen, got {str(content.get('type'))[:40]!r}")

    async def send_state(self) -> None:
        state = await database_sync_to_async(selectors.state)(self.listener)
        await self.send_json({"type": "state", **state})

    async def round_progress(self, event: dict[str, Any]) -> None:
        await self.send_json(event)

    async def playlist_ready(self, event: dict[str, Any]) -> None:
        await self.send_json(event)

    async def listener_gone(self, event: dict[str, Any]) -> None:
        await self.close(code=NOT_LOGGED_IN)

    async def taste_ready(self, event: dict[str, Any]) -> None:
        await self.send_json(event)
