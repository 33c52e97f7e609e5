"""Calling handlers whose result nobody waits for, and what a client is told of one that failed."""

import logging
from typing import TYPE_CHECKING, Any

from tocsin.engine.current import named
from tocsin.engine.namespace import EventRefused, Handler
from tocsin.engine.refusals import INTERNAL

if TYPE_CHECKING:
    from tocsin.engine.client_socket import Socket
    from tocsin.engine.connection import Connection

logger = logging.getLogger(__name__)


def call(connection: "Connection", handler: Handler, *args: Any) -> None:
    """Call a handler, at once if it is sync; what it raises is logged."""
    if handler.is_async:
        connection.server.spawn(_run(connection, handler, args), connection)
        return
    try:
        handler.function(*args)
    except Exception:
        logger.exception("A handler failed", extra=named(connection))


async def _run(connection: "Connection", handler: Handler, args: tuple[Any, ...]) -> None:
    try:
        await handler.function(*args)
    except Exception:
        logger.exception("A handler failed", extra=named(connection))


def problem_of(socket: "Socket", error: Exception) -> dict[str, Any]:
    """Return the problem that an event handler refused with; one that failed is logged, and its client told no more."""
    if isinstance(error, EventRefused):
        return error.problem
    # The name of the event is the client's; the traceback says which handler it was.
    logger.error("An event handler of %s failed", socket.namespace, exc_info=error, extra=named(socket.connection))
    return INTERNAL
