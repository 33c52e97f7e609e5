"""
Connections to Redis or Valkey that are made again when they end.

Knows nothing of what is said over them, nor where the servers are. An outage is told in one line when it
begins and in one when it ends, whatever number of connections it cuts.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection as Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from tocsin.domain.jitter import jitter

ANSWER_S = 5.0
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
# One that ends sooner is waited for longer and longer: each that begins has the node look into its log.
STEADY_S = 10.0

log = logging.getLogger(__name__)


class Again(Exception):
    """The connection is to be made again, for a reason that is told elsewhere: it is no outage."""


class RedisLink:
    """
    Keeps connections.

    Args:
        secrets: What no log line may show.

    Attributes:
        lost: Which of what is kept is down, by name.
        on_lost: Called with the name whenever one goes down or can't be made.
        reconnects: How often one had to be made again.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._secrets = secrets
        self._lost_at = 0.0
        self.lost: set[str] = set()
        self.on_lost: Callable[[str], None] = lambda _name: None
        self.reconnects = 0

    async def keep(
        self, name: str, make: Callable[[], Connection], use: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """
        Run ``use`` with a connection, and again with a new one whenever it ends; for ever.

        ``use`` calls ``found(name)`` once its connection works.
        """
        longest = FIRST_WAIT_S
        while True:
            connection = make()
            began = time.monotonic()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await connection.connect()  # type: ignore[no-untyped-call]
                await use(connection)
            except Again:
                pass
            except Exception as error:
                if not isinstance(error, (RedisError, OSError)):
                    log.exception("the connection to Redis failed")
                self.lose(name, error)
            finally:
                await connection.disconnect(nowait=True)
            self.reconnects += 1
            longest = FIRST_WAIT_S if time.monotonic() - began >= STEADY_S else min(LONGEST_WAIT_S, longest * 2)
            await asyncio.sleep(jitter(0, longest))

    def found(self, name: str) -> None:
        """Take note that what is kept works, or is not wanted any more."""
        if name in self.lost:
            self.lost.remove(name)
            if not self.lost:
                log.info("Redis is back after %.1f s", time.monotonic() - self._lost_at)

    def lose(self, name: str, error: Exception) -> None:
        """Take note that it does not work."""
        if not self.lost:
            self._lost_at = time.monotonic()
            log.warning(
                "Redis can't be reached (%s): nodes find each other's events by looking into the log",
                self._reason(error),
            )
        self.lost.add(name)
        self.on_lost(name)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer in {ANSWER_S:.0f} s"
        if not isinstance(error, (RedisError, OSError)):
            return "an error of our own"
        reason = str(error).partition("\n")[0] or type(error).__name__
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
        return reason


def disconnected(reason: str) -> RedisConnectionError:
    """Return the error that ends a connection for a reason of our own."""
    return RedisConnectionError(reason)


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run until the first ends, which raises what it raised; the others are ended then."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ask_all(connection: Connection, commands: list[tuple[str | bytes, ...]]) -> list[Any]:
    """Send commands at once and return their answers, those that are errors too."""
    # redis-py packs in Python, at ten times the cost.
    await connection.send_packed_command(b"".join([pack_command(command) for command in commands]))  # type: ignore[arg-type]
    return [await answer(connection) for _ in commands]


async def answer(connection: Connection) -> Any:
    """Return the next answer, whenever it comes; one that is an error is returned, too."""
    try:
        return await connection.read_response(disconnect_on_error=False)
    except ResponseError as error:
        return error
