"""What waits for one server, bounded, and its way there in batches."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from redis.asyncio.connection import AbstractConnection as Connection
from redis.exceptions import MovedError, ResponseError

from tocsin.adapters.bus_redis.channels import key_of
from tocsin.adapters.bus_redis.envelope import Ephemeral, Item
from tocsin.adapters.bus_redis.link import ANSWER_S, RedisLink, ask_all
from tocsin.domain.stream import StreamKey

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 16_777_216
BATCH_ITEMS = 500
BATCH_BYTES = 262_144
PING_S = 10.0

Waiting = tuple[str, Item]


class Outbox:
    """
    Publishes to one server. Belongs to the event loop's thread.

    Putting takes no I/O: what waits is bounded, the oldest goes first, and
    while the server is away only the keys of streams are kept for it.

    Args:
        name: Of its connection.
        link: Knows which connections are down.
        pack: Turns what waits into channels and messages.
        on_dropped: Called with how many items went for want of room.
        on_moved: Called with what the server says belongs to another.

    Attributes:
        is_up: The server takes messages now.
        published: Messages that the server took.
    """

    def __init__(
        self,
        name: str,
        link: RedisLink,
        pack: Callable[[Iterable[Waiting]], list[tuple[str, bytes]]],
        on_dropped: Callable[[int], None],
        on_moved: Callable[[list[Waiting]], None],
    ) -> None:
        self.name = name
        self._link = link
        self._pack = pack
        self._on_dropped = on_dropped
        self._on_moved = on_moved
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._canaries: list[tuple[str, bytes, asyncio.Future[bool]]] = []
        self._has_work = asyncio.Event()
        self._is_settled = asyncio.Event()
        self._is_settled.set()
        self.is_up = False
        self.published = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, waiting: list[Waiting]) -> None:
        """Add what is to be published, in order."""
        if not self.is_up:
            waiting = _keys(waiting)
        if not waiting:
            return
        self._waiting.extend(waiting)
        self._waiting_bytes += sum(map(_size, waiting))
        dropped = 0
        while len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            self._waiting_bytes -= _size(self._waiting.popleft())
            dropped += 1
        if dropped:
            self._on_dropped(dropped)
        self._is_settled.clear()
        self._has_work.set()

    def empty(self) -> list[Waiting]:
        """Take out all that waits: the server has gone for good."""
        waiting, self._waiting, self._waiting_bytes = list(self._waiting), deque(), 0
        self.give_up()
        return waiting

    async def settled(self) -> None:
        """Return once the server has taken all, or is away."""
        await self._is_settled.wait()

    def give_up(self) -> None:
        """Let nobody wait for a server that isn't there."""
        self._is_settled.set()

    def look(self) -> None:
        """Ask now whether the server is still there: another connection to it has ended."""
        self._has_work.set()

    async def carry(self, channel: str, message: bytes) -> bool:
        """Publish a message before all others, and return whether the server took it."""
        if not self.is_up:
            return False
        taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._canaries.append((channel, message, taken))
        self._has_work.set()
        return await taken

    async def send(self, connection: Connection) -> None:
        """Publish what waits, in batches, until the connection ends."""
        command = await self._find_command(connection)
        self._keep_keys()
        self.is_up = True
        self._link.found(self.name)
        batch: list[Waiting] = []
        canaries: list[tuple[str, bytes, asyncio.Future[bool]]] = []
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(PING_S):
                        await self._has_work.wait()
                canaries, self._canaries = self._canaries, []
                batch = self._take()
                messages = self._pack(batch)
                asked = [(channel, message) for channel, message, _ in canaries] + messages
                async with asyncio.timeout(ANSWER_S):
                    answers = await ask_all(connection, [(command, *one) for one in asked] or [("PING",)])
                for _, _, taken in canaries:
                    _settle(taken, answers.pop(0))
                astray = self._check(messages, answers)
                again = [one for one in batch if one[0] in astray]
                batch = []
                if again:
                    self._on_moved(again)
                self.published += len(messages)
                if not self._waiting and not self._canaries:
                    self._has_work.clear()
                    self._is_settled.set()
        finally:
            self.is_up = False
            for _, _, taken in canaries + self._canaries:
                _settle(taken, None)
            self._canaries = []
            self._waiting.extendleft(reversed(batch))
            self._keep_keys()

    @staticmethod
    def _check(messages: list[tuple[str, bytes]], answers: list[object]) -> set[str]:
        """Return the channels that have moved to another server; raise what else a server refuses."""
        refused = [one for one in answers if isinstance(one, ResponseError) and not isinstance(one, MovedError)]
        if refused:
            raise refused[0]
        return {
            channel
            for (channel, _), told in zip(messages, answers, strict=False)  # a PING has no message
            if isinstance(told, MovedError)
        }

    async def _find_command(self, connection: Connection) -> str:
        """Return ``SPUBLISH``, or ``PUBLISH`` where the server does not know it."""
        async with asyncio.timeout(ANSWER_S):
            told = (await ask_all(connection, [("SPUBLISH", "tocsin:probe", "")]))[0]
        if is_unknown_command(told):
            return "PUBLISH"
        if isinstance(told, MovedError):
            # Another server has that channel: this one knows the command.
            self._on_moved([])
        elif isinstance(told, ResponseError):
            raise told
        return "SPUBLISH"

    def _take(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        while self._waiting and len(batch) < BATCH_ITEMS and size < BATCH_BYTES:
            one = self._waiting.popleft()
            size += _size(one)
            batch.append(one)
        self._waiting_bytes -= size
        return batch

    def _keep_keys(self) -> None:
        # Late an event is old news and an ephemeral one wrong: who holds the streams looks into the log.
        self._waiting = deque(dict.fromkeys(_keys(self._waiting)))
        self._waiting_bytes = 0


def is_unknown_command(told: object) -> bool:
    """Return whether an answer says that the server is too old for a command."""
    return isinstance(told, ResponseError) and "unknown command" in str(told).lower()


def _settle(taken: "asyncio.Future[bool]", told: object) -> None:
    if not taken.done():
        # A moved channel is no proof of anything: its subscription moves as well.
        taken.set_result(told is not None and not isinstance(told, ResponseError))


def _keys(waiting: Iterable[Waiting]) -> list[Waiting]:
    return [(channel, key_of(item)) for channel, item in waiting if not isinstance(item, Ephemeral)]


def _size(waiting: Waiting) -> int:
    item = waiting[1]
    return 0 if isinstance(item, StreamKey) else len(item.payload)
