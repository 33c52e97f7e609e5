"""
Client event of ``/sns``: ``publish_start`` asks the host to publish a post.

How a post reaches the platforms is the host's business: its handler publishes
``publish_success`` or ``publish_failed`` when it knows. Without a host handler
the request is told to the user's own devices as ``publish_started``.
"""

from typing import Annotated

from pydantic import Field

from tocsin.application.activity import Activity
from tocsin.engine import Socket
from tocsin.realtime.client_events import Arguments, ClientEvents, Result, identity_of
from tocsin.realtime.host_events import HostEvents

NAMESPACE = "/sns"
PUBLISH_START = "publish_start"
MAX_PLATFORMS = 50


class PublishStart(Arguments):
    """Which post is to go to which platforms."""

    post_id: int | Annotated[str, Field(min_length=1, max_length=128)]
    platforms: Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=MAX_PLATFORMS)]


def register(events: ClientEvents, activity: Activity, host: HostEvents) -> None:
    """Let ``/sns`` take ``publish_start``; the host's handler is looked up at each event."""

    async def publish_start(socket: Socket, given: PublishStart) -> Result:
        user_id = identity_of(socket).user_id
        data = given.model_dump()
        handler = host.find(NAMESPACE, PUBLISH_START)
        if handler is None:
            await activity.publish(NAMESPACE, "publish_started", [user_id], data)
            return None
        return await host.call(handler, user_id, socket.id, (data,))

    events.take_async(NAMESPACE, PUBLISH_START, PublishStart, publish_start)
