"""Presence over sockets: who of one's conversations is there when a page comes, and ``watch`` for others."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tocsin.application.presence import NAMESPACES, Presence
from tocsin.application.presence_watches import MAX_WATCHED
from tocsin.domain.timestamp import iso, now_ms
from tocsin.domain.user_id import UserId, parse_user_id, user_id_json
from tocsin.engine import Socket
from tocsin.realtime.client_events import AnyUserId, Arguments, ClientEvents, Result, identity_of


class Watch(Arguments):
    """Whose coming and going is wanted."""

    user_ids: Annotated[list[AnyUserId], Field(min_length=1, max_length=MAX_WATCHED)]


def greet(socket: Socket, presence: Presence) -> None:
    """Emit ``user_online`` for each partner who is there, at once or soon; never waits."""
    if socket.namespace not in NAMESPACES:
        return

    def tell(peers: Sequence[UserId]) -> None:
        told = iso(now_ms())
        for peer in peers:
            if socket.connected:
                socket.emit("user_online", {"user_id": user_id_json(peer), "timestamp": told})

    presence.greet(identity_of(socket).user_id, tell)


def register(events: ClientEvents, presence: Presence) -> None:
    """Let ``/chat`` and ``/sns`` take ``watch``: the ack tells of whom it may."""

    async def watch(socket: Socket, given: Watch) -> Result:
        others = [parse_user_id(user_id, "user_ids") for user_id in given.user_ids]
        seen = await presence.watch(identity_of(socket).user_id, others)
        return {"presence": [one.json() for one in seen]}

    for namespace in NAMESPACES:
        events.take_async(namespace, "watch", Watch, watch)
