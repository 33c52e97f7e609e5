"""
Client event of ``/sns``: ``publish_start`` asks the host to publish a post.

How a post reaches the platforms is the host's business: its handler publishes
``publish_success`` or ``publish_failed`` when it knows. Without a host handler
the request is told to the user's own devices as ``publish_started``.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from pydantic import Field

from tocsin.application.activity import Activity
from tocsin.domain.user_id import UserId, user_id_json
from tocsin.engine import Socket, SocketServer
from tocsin.realtime.client_events import Arguments, Result, identity_of, take_async

NAMESPACE = "/sns"
MAX_PLATFORMS = 50

HostHandler = Callable[[int | str, dict[str, Any]], Awaitable[Result] | Result]


class PublishStart(Arguments):
    """Which post is to go to which platforms."""

    post_id: int | Annotated[str, Field(min_length=1, max_length=128)]
    platforms: Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=MAX_PLATFORMS)]


def register(server: SocketServer, activity: Activity, host_handlers: dict[tuple[str, str], HostHandler]) -> None:
    """Let ``/sns`` take ``publish_start``; ``host_handlers`` is looked up at each event."""

    async def publish_start(socket: Socket, given: PublishStart) -> Result:
        user_id: UserId = identity_of(socket).user_id
        data = given.model_dump()
        handler = host_handlers.get((NAMESPACE, "publish_start"))
        if handler is None:
            await activity.publish(NAMESPACE, "publish_started", [user_id], data)
            return None
        return await call_host(handler, user_id, data)

    take_async(server, NAMESPACE, "publish_start", PublishStart, publish_start)


async def call_host(handler: HostHandler, user_id: UserId, data: dict[str, Any]) -> Result:
    """
    Call a host's handler: an async one on the loop, a sync one in a thread.

    Returns:
        The object it returned, which is added to the ack; anything else is dropped.
    """
    if inspect.iscoroutinefunction(handler):
        answer = await handler(user_id_json(user_id), data)
    else:
        answer = await asyncio.to_thread(handler, user_id_json(user_id), data)
    return answer if isinstance(answer, dict) else None
