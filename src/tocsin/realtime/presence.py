"""Presence over sockets: who of one's conversations is there when a page comes, and ``watch`` for others."""

import asyncio
from typing import Annotated

from pydantic import Field

from tocsin.application.presence import MAX_WATCHED, NAMESPACES, Presence
from tocsin.domain.errors import TocsinError
from tocsin.domain.timestamp import iso, now_ms
from tocsin.domain.user_id import parse_user_id, user_id_json
from tocsin.engine import Socket
from tocsin.realtime.client_events import AnyUserId, Arguments, ClientEvents, Result, identity_of


class Watch(Arguments):
    """Whose coming and going is wanted."""

    user_ids: Annotated[list[AnyUserId], Field(min_length=1, max_length=MAX_WATCHED)]


class Greeter:
    """Tells sockets that have just come who is there. Belongs to the event loop's thread."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._tasks: set[asyncio.Task[None]] = set()

    def greet(self, socket: Socket) -> None:
        """Emit ``user_online`` for each partner who is there, soon; never waits."""
        if socket.namespace in NAMESPACES:
            task = asyncio.create_task(self._greet(socket), name="tocsin-greeting")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _greet(self, socket: Socket) -> None:
        try:
            peers = await self._presence.online_peers(identity_of(socket).user_id)
        except TocsinError:
            return  # it is told when they come again
        told = iso(now_ms())
        for peer in peers:
            if not socket.connected:
                return
            socket.emit("user_online", {"user_id": user_id_json(peer), "timestamp": told})

    def stop(self) -> None:
        """Greet nobody any more."""
        for task in self._tasks:
            task.cancel()


def register(events: ClientEvents, presence: Presence) -> None:
    """Let ``/chat`` and ``/sns`` take ``watch``: the ack tells of whom it may."""

    async def watch(socket: Socket, given: Watch) -> Result:
        others = [parse_user_id(user_id, "user_ids") for user_id in given.user_ids]
        seen = await presence.watch(identity_of(socket).user_id, others)
        return {"presence": [one.json() for one in seen]}

    for namespace in NAMESPACES:
        events.take_async(namespace, "watch", Watch, watch)
