"""
What one server tells this node: its subscription, which channels are in it, and the canary that proves it.

A node is deaf when a server takes its messages and does not bring them back, on connections that look well: a
subscription that was lost on the way, or one to another server than the one it publishes to.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from secrets import token_hex

from redis.asyncio.connection import AbstractConnection as Connection
from redis.exceptions import MovedError, ResponseError

from tocsin.adapters.bus_redis.link import ANSWER_S, Again, RedisLink, answer, disconnected, together
from tocsin.adapters.bus_redis.outbox import PING_S, is_unknown_command
from tocsin.application.meters import Histogram
from tocsin.domain.jitter import jitter

CANARY_S = 5.0
TURN_S = 1.0
QUIET_TURNS = 5
PATIENT_TURNS = 60
TURN_MESSAGES = 64


class Inbox:
    """
    The subscription at one server. Belongs to the event loop's thread.

    Args:
        name: Of its connection.
        link: Knows which connections are down.
        find_canary: Returns a channel of this server that nobody else listens to, or None: no channel is there.
        carry: Publishes to a channel of this server; returns whether the server took it.
        on_message: Called with what others publish to the channels.
        on_gap: Called when something may have been missed: the subscription is new, or a channel of it late.
        on_moved: Called with a channel that the server does not bring any more, or never did.
        on_deaf: Called with the inbox when its canary is lost (True), and when one comes back (False).
        echoes: Gets the seconds that each canary took.

    Attributes:
        is_up: All channels that were wanted when the connection began are subscribed.
    """

    def __init__(
        self,
        name: str,
        link: RedisLink,
        find_canary: Callable[[], str | None],
        *,
        carry: Callable[[str, bytes], Awaitable[bool]],
        on_message: Callable[[bytes], None],
        on_gap: Callable[[], None],
        on_moved: Callable[[str], None],
        on_deaf: Callable[["Inbox", bool], None],
        echoes: Histogram,
    ) -> None:
        self.name = name
        self._link = link
        self._find_canary = find_canary
        self._canary = ""
        self._carry = carry
        self._on_message = on_message
        self._on_gap = on_gap
        self._on_moved = on_moved
        self._on_deaf = on_deaf
        self._echoes = echoes
        self._sent_at = 0.0
        self._wanted: set[str] = set()
        self._heard: set[str] = set()
        # A confirmation of these is a gap: somebody could not wait for it.
        self._late: set[str] = set()
        self._to_ask: deque[tuple[bool, str]] = deque()
        self._asked: deque[tuple[bool, str]] = deque()
        self._in_flight: Counter[str] = Counter()
        self._has_work = asyncio.Event()
        self._progress = asyncio.Event()
        self._awaited = b""
        self._is_back = asyncio.Event()
        self._is_old = False
        self._taken = 0
        self._is_connected = False
        self.is_up = False

    def want(self, channel: str, *, is_late: bool = False) -> None:
        """Subscribe a channel, soon; ``is_late``: what was told on it before may have been missed."""
        self._wanted.add(channel)
        if is_late:
            self._late.add(channel)
        self._ask(True, channel)

    def unwant(self, channel: str) -> None:
        """Give a channel up, soon."""
        self._wanted.discard(channel)
        self._late.discard(channel)
        self._heard.discard(channel)
        # Nobody waits for it any more.
        self._progress.set()
        self._ask(False, channel)

    def _ask(self, is_wanted: bool, channel: str) -> None:
        # A connection that is made later asks for all that is wanted then.
        if self._is_connected:
            self._to_ask.append((is_wanted, channel))
            self._in_flight[channel] += 1
            self._has_work.set()

    async def wait_for(self, channels: Iterable[str], timeout_s: float) -> None:
        """
        Return once messages on these channels arrive here, or the server is away, or after some seconds.

        In the last two cases ``on_gap`` follows when they do.
        """
        awaited = set(channels)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.is_up and not awaited & self._wanted <= self._heard:
                    self._progress.clear()
                    await self._progress.wait()
        # Also when the connection is not up: it may be so, and tell of its gap, before these are confirmed.
        self._late |= (awaited & self._wanted) - self._heard

    async def receive(self, connection: Connection) -> None:
        """Hand on what the server tells, until the connection ends."""
        try:
            if (canary := self._find_canary()) is None:
                raise Again
            self._canary = canary
            async with asyncio.timeout(ANSWER_S):
                await self._find_command(connection)
            self._is_connected = True
            for channel in self._wanted:
                self._ask(True, channel)
            await together(self._read(connection), self._tell(connection), self._keep(), self._ping(connection))
        finally:
            self._is_connected = self.is_up = False
            self._heard.clear()
            self._late.clear()
            self._to_ask.clear()
            self._asked.clear()
            self._in_flight.clear()
            self._progress.set()

    async def _find_command(self, connection: Connection) -> None:
        """Subscribe to the canary's channel; remember whether the server knows sharded channels."""
        await connection.send_command("SSUBSCRIBE", self._canary)
        told = await answer(connection)
        self._is_old = is_unknown_command(told)
        if self._is_old:
            await connection.send_command("SUBSCRIBE", self._canary)
            told = await answer(connection)
        if isinstance(told, MovedError):
            self._on_moved(self._canary)
            raise Again
        if isinstance(told, ResponseError):
            raise told

    async def _tell(self, connection: Connection) -> None:
        verbs = ("UNSUBSCRIBE", "SUBSCRIBE") if self._is_old else ("SUNSUBSCRIBE", "SSUBSCRIBE")
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            asked, self._to_ask = self._to_ask, deque()
            self._asked += asked
            # One command a channel: those of a Cluster may name channels of one slot only.
            await connection.send_packed_command(
                connection.pack_commands([(verbs[is_wanted], channel) for is_wanted, channel in asked])
            )

    async def _keep(self) -> None:
        first = set(self._wanted)
        async with asyncio.timeout(ANSWER_S):
            while not first & self._wanted <= self._heard:
                self._progress.clear()
                await self._progress.wait()
        self.is_up = True
        self._late -= self._heard
        self._link.found(self.name)
        # What was told before now this node has not heard.
        self._on_gap()
        while True:
            self._awaited = token_hex(16).encode()
            self._is_back.clear()
            self._sent_at = time.perf_counter()
            if await self._carry(self._canary, self._awaited):
                is_back = await self._comes_back()
                self._on_deaf(self, not is_back)
                if not is_back:
                    raise Again
            await asyncio.sleep(CANARY_S * jitter(0.75, 1.0))

    async def _comes_back(self) -> bool:
        """Return whether the canary does: in five seconds of silence, or in a minute where other messages come."""
        quiet = 0
        # Looked at in turns: a node that was busy has not been waiting, and one that is behind is not deaf.
        for _ in range(PATIENT_TURNS):
            before = self._taken
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
                    await self._is_back.wait()
            if self._is_back.is_set():
                return True
            quiet = quiet + 1 if before == self._taken else 0
            if quiet == QUIET_TURNS:
                return False
        return False

    async def _read(self, connection: Connection) -> None:
        while True:
            # Without a deadline, which would cost as much as the message: see _ping.
            self._take(await answer(connection))
            self._taken += 1
            if self._taken % TURN_MESSAGES == 0:
                # What has arrived already is read without waiting: others on this loop want their turn.
                await asyncio.sleep(0)

    async def _ping(self, connection: Connection) -> None:
        """Ask a server that has said nothing for a while, and end with one that goes on so."""
        while True:
            before = self._taken
            await asyncio.sleep(PING_S)
            if before == self._taken:
                await connection.send_command("PING")
                await asyncio.sleep(PING_S)
                if before == self._taken:
                    raise disconnected(f"silent for {PING_S:.0f} s")

    def _take(self, told: object) -> None:
        match told:
            case [b"message" | b"smessage", channel, bytes(message)]:
                if channel != self._canary.encode():
                    self._on_message(message)
                elif message == self._awaited:
                    self._echoes.observe(time.perf_counter() - self._sent_at)
                    self._is_back.set()
            case [b"subscribe" | b"ssubscribe", bytes(channel), _]:
                self._confirm(True, channel.decode())
            case [b"unsubscribe" | b"sunsubscribe", bytes(channel), _]:
                self._confirm(False, channel.decode())
            case MovedError():
                self._refuse()
            case ResponseError():
                raise told

    def _confirm(self, is_subscribed: bool, channel: str) -> None:
        if channel == self._canary:
            self._on_moved(channel)
            raise Again
        if self._asked and self._asked[0] == (is_subscribed, channel):
            self._asked.popleft()
            self._in_flight[channel] -= 1
            if self._in_flight[channel] > 0:
                return
            del self._in_flight[channel]
            if is_subscribed and channel in self._wanted:
                self._heard.add(channel)
                self._progress.set()
                if channel in self._late and self.is_up:
                    self._late.discard(channel)
                    self._on_gap()
        elif not is_subscribed and channel in self._wanted:
            self._heard.discard(channel)
            self._on_moved(channel)

    def _refuse(self) -> None:
        if not self._asked:
            # To give up a channel that the server has taken back meanwhile, which counted as the answer.
            return
        # Answers come in the order of what was asked.
        _, channel = self._asked.popleft()
        self._in_flight[channel] -= 1
        if not self._in_flight[channel]:
            del self._in_flight[channel]
        if channel in self._wanted:
            self._on_moved(channel)
