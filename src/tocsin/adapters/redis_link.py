"""
How to reach one Redis or Valkey server: connections that are made again when they end.

Knows nothing of what is said over them. An outage is told in one line when it
begins and in one when it ends, whatever number of connections it cuts.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection as Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from tocsin.domain.jitter import jitter

ANSWER_S = 5.0
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
# One that ends sooner is waited for longer and longer: each that begins has the node look into its log.
STEADY_S = 10.0

_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}

log = logging.getLogger(__name__)


class RedisLink:
    """
    The way to one server.

    Args:
        url: ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://``.

    Attributes:
        lost: Which of the connections that are kept are down.
        on_lost: Called with the name whenever one goes down or can't be made.
        reconnects: How often one had to be made again.

    Raises:
        ValueError: The URL can't be read; the message holds nothing of it.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        try:
            pool = ConnectionPool.from_url(f"{_SCHEMES.get(scheme, scheme)}://{rest}")
            self._class = pool.connection_class
            self._options = pool.connection_kwargs | {
                # Deadlines are ours: one of redis-py would end a subscription that has nothing to say.
                "socket_timeout": None,
                "socket_connect_timeout": None,
                "health_check_interval": 0,
                "decode_responses": False,
                "protocol": 2,
            }
            self.connection()
        except (ValueError, TypeError, AttributeError, RedisError):
            # What it says may quote the password.
            raise ValueError(
                "must look like redis://user:password@localhost:6379/0, the password percent-encoded"
            ) from None
        self._password = str(self._options.get("password") or "")
        self._lost_at = 0.0
        self.lost: set[str] = set()
        self.on_lost: Callable[[str], None] = lambda _name: None
        self.reconnects = 0

    def connection(self) -> Connection:
        """Return a connection that isn't made yet."""
        return self._class(**self._options)

    async def keep(self, name: str, use: Callable[[Connection], Awaitable[None]]) -> None:
        """
        Run ``use`` with a connection, and again with a new one whenever it ends; for ever.

        ``use`` calls ``found(name)`` once its connection works.
        """
        longest = FIRST_WAIT_S
        while True:
            connection = self.connection()
            began = time.monotonic()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await connection.connect()  # type: ignore[no-untyped-call]
                await use(connection)
            except TimeoutError:
                self._lose(name, f"no answer in {ANSWER_S:.0f} s")
            except (RedisError, OSError) as error:
                self._lose(name, str(error).partition("\n")[0] or type(error).__name__)
            except Exception:
                log.exception("the connection to Redis failed")
                self._lose(name, "an error of our own")
            finally:
                await connection.disconnect(nowait=True)
            self.reconnects += 1
            longest = FIRST_WAIT_S if time.monotonic() - began >= STEADY_S else min(LONGEST_WAIT_S, longest * 2)
            await asyncio.sleep(jitter(0, longest))

    def found(self, name: str) -> None:
        """Take note that a kept connection works."""
        if name in self.lost:
            self.lost.remove(name)
            if not self.lost:
                log.info("Redis is back after %.1f s", time.monotonic() - self._lost_at)

    def _lose(self, name: str, reason: str) -> None:
        if not self.lost:
            self._lost_at = time.monotonic()
            if self._password:
                reason = reason.replace(self._password, "***")
            log.warning("Redis can't be reached (%s): nodes find each other's events by looking into the log", reason)
        self.lost.add(name)
        self.on_lost(name)


def disconnected(reason: str) -> RedisConnectionError:
    """Return the error that ends a connection for a reason of our own."""
    return RedisConnectionError(reason)
