"""
The process that speaks to Firebase: ``python -m tocsin.adapters.fcm.worker``, started by the sender.

A socket of the sender is its standard input. It gets the key first, then
messages, and answers each. It ends with the sender.
"""

import asyncio
import logging
import os
import signal
import socket
from typing import Any

from tocsin.adapters.fcm.client import FcmClient
from tocsin.adapters.fcm.wire import Outgoing, receive
from tocsin.domain.push import Outcome, PushMessage

_LOOK_S = 1.0
# Nobody looks at a device's answer within this.
_GATHER_S = 0.005


async def serve(connection: socket.socket) -> None:
    """Answer until the other side closes."""
    reader, writer = await asyncio.open_connection(sock=connection)
    messages = await receive(reader)
    if not messages:
        return
    opening = messages.pop(0)
    client = FcmClient(opening["key"], opening["url"], timeout_s=opening["timeout_s"])
    answers = Outgoing(writer, _GATHER_S)
    answering: set[asyncio.Task[None]] = set()
    while True:
        for message in messages:
            task = asyncio.create_task(_answer(client, message, answers))
            answering.add(task)
            task.add_done_callback(answering.discard)
        if not (messages := await receive(reader)):
            return


async def _answer(client: FcmClient, asked: dict[str, Any], answers: Outgoing) -> None:
    targets = [(kind, token) for kind, token in asked["targets"]]
    try:
        if "retract" in asked:
            outcomes = await client.retract(asked["retract"], targets)
        else:
            outcomes = await client.send(PushMessage(**asked["message"]), targets)
    except Exception as error:  # noqa: BLE001 the others are answered all the same; its text may hold anything
        outcomes = [Outcome("retry", type(error).__name__)] * len(targets)
    told = [[one.kind, one.reason, one.retry_after_s, one.provider_id] for one in outcomes]
    answers.put({"id": asked["id"], "outcomes": told})


async def _end_with(parent: int) -> None:
    # A process that was forked from the sender's may hold its end of the socket open.
    while os.getppid() == parent:  # noqa: ASYNC110 nothing tells of it
        await asyncio.sleep(_LOOK_S)
    os._exit(0)


async def _run() -> None:
    watcher = asyncio.create_task(_end_with(os.getppid()))
    await serve(socket.socket(fileno=os.dup(0)))
    watcher.cancel()


if __name__ == "__main__":
    # Sent to all processes of a service that stops: what it still pushes while it drains needs this one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Where processors are scarce the server's sockets come first.
    os.nice(5)
    # What the libraries would say may hold tokens; all that is to be known stands in the outcomes.
    logging.disable(logging.CRITICAL)
    asyncio.run(_run())
    # Without waiting for a thread that may still ask for an access token.
    os._exit(0)
