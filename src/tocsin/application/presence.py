"""
Who is there: told to those who may see it, and to nobody else.

A user is there while any connection of theirs is open, and for a few seconds after the last one closed, so that
a reload does not flicker. Who may see it: the partners of their conversations, unless one has blocked the other, and
whom the host lets watch.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tocsin.application.chat import ChatStore
from tocsin.application.ports import Bus
from tocsin.application.presence_nodes import NAMESPACE as NODES
from tocsin.application.presence_nodes import OtherNodes
from tocsin.domain.errors import Invalid, Overloaded, TocsinError
from tocsin.domain.stream import StreamEvent
from tocsin.domain.timestamp import iso, iso_or_none, now_ms
from tocsin.domain.user_id import UserId, parse_user_id, user_id_json

# How long a user may be without a connection and still be there.
OFFLINE_S = 4.0
MAX_PEERS = 1_000
MAX_WATCHED = 500
# How long what is to be stored, or asked of the database, may gather.
GATHER_S = 0.02
SAVE_S = 1.0
AGAIN_S = 1.0
PATIENCE_S = 5.0
NAMESPACES = ("/chat", "/sns")

_MESSAGES = frozenset({"message_received", "message_sent"})

_log = logging.getLogger(__name__)

MayWatch = Callable[[UserId, UserId], bool | Awaitable[bool]]
Greet = Callable[[Sequence[UserId]], None]


@dataclass(slots=True)
class _Present:
    """A user who is there. ``peers`` None: not read yet; nobody is told of them, nor they of anybody, before."""

    peers: set[UserId] | None = None
    to_greet: list[Greet] = field(default_factory=list)
    watches: set[UserId] = field(default_factory=set)
    leaving: asyncio.TimerHandle | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What may be told of a user: ``last_seen_at`` is when they went, None while they are there or nobody knows."""

    user_id: UserId
    is_online: bool
    last_seen_at: int | None

    def json(self) -> dict[str, Any]:
        """Return the JSON object of answers."""
        return {
            "user_id": user_id_json(self.user_id),
            "is_online": self.is_online,
            "last_seen_at": iso_or_none(self.last_seen_at),
        }


class Presence:
    """
    Keeps and tells who is there. Belongs to the event loop's thread.

    Whoever is on several nodes is there once. The node that a user comes to or leaves tells the partners, wherever
    they are; of a node that crashed each other node tells its own users.

    Args:
        bus: Carries it.
        chats: Knows who has a conversation with whom, and keeps when users were there last.
        is_shared: Other nodes have users too.
        clock: Milliseconds since 1970.

    Attributes:
        may_watch: The host's word on whether the first user may see the second, sync or async, beside what
            conversations allow. A sync one runs on the event loop and must not block.
    """

    def __init__(
        self, bus: Bus, chats: ChatStore, *, is_shared: bool = False, clock: Callable[[], int] = now_ms
    ) -> None:
        self._bus = bus
        self._chats = chats
        self._clock = clock
        self.may_watch: MayWatch = lambda _watcher, _watched: False
        self._present: dict[UserId, _Present] = {}
        self._is_shared = is_shared
        self._others = OtherNodes(bus, self._present.keys, self._on_came_elsewhere, self._on_gone_elsewhere)
        self._watchers: dict[UserId, set[UserId]] = {}
        self._arrived: list[tuple[UserId, asyncio.Future[None]]] = []
        self._gone: dict[UserId, int] = {}
        self._reader: asyncio.Task[None] | None = None
        self._saver: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to hear of the other nodes."""
        if self._is_shared:
            self._others.start()

    def is_online(self, user_id: UserId) -> bool:
        """Return whether a user is there, as far as this node knows."""
        return user_id in self._present or user_id in self._others

    def on_ephemeral(self, namespace: str, payload: Any) -> bool:
        """Take what another node tells of its users; return whether it was that."""
        if namespace != NODES:
            return False
        if self._is_shared:
            self._others.on_told(payload)
        return True

    def came(self, user_id: UserId) -> None:
        """Take a user's first connection; never waits. Who may see it hears of it once their peers are read."""
        present = self._present.get(user_id)
        if present is not None:
            if present.leaving is not None:
                present.leaving.cancel()
                present.leaving = None
            return
        self._present[user_id] = _Present()
        self._gone.pop(user_id, None)
        if self._is_shared:
            self._others.came(user_id)
        self._read_soon(user_id)

    def left(self, user_id: UserId) -> None:
        """Take the end of a user's last connection; they are there for a few seconds more."""
        present = self._present.get(user_id)
        if present is not None and present.leaving is None:
            present.leaving = asyncio.get_running_loop().call_later(OFFLINE_S, self._leave, user_id)

    async def stop(self) -> None:
        """Store when everybody who is here was here; tell nobody: they come back elsewhere."""
        await self._others.stop()
        now = self._clock()
        for present in self._present.values():
            if present.leaving is not None:
                present.leaving.cancel()
        self._gone |= {user_id: now for user_id in self._present if user_id not in self._others}
        self._present.clear()
        self._watchers.clear()
        for task in (self._reader, self._saver):
            if task is not None:
                task.cancel()
        await asyncio.gather(*[task for task in (self._reader, self._saver) if task], return_exceptions=True)
        await self._save()

    # What may be seen

    async def visible(self, user_id: UserId, others: Sequence[UserId]) -> list[Seen]:
        """Return of some users those that a user may see, with whether they are there."""
        return await self._told(await self._allowed(user_id, others))

    async def watch(self, user_id: UserId, others: Sequence[UserId]) -> list[Seen]:
        """Do the same, and tell the user's devices of changes for as long as they are there."""
        allowed = await self._allowed(user_id, others)
        present = self._present.get(user_id)
        if present is None:
            return await self._told(allowed)
        if len(present.watches.union(allowed)) > MAX_WATCHED:
            raise Invalid(f"at most {MAX_WATCHED} users can be watched")
        for other in allowed:
            present.watches.add(other)
            self._watchers.setdefault(other, set()).add(user_id)
        # Who blocks meanwhile is watched no more.
        return [one for one in await self._told(allowed) if one.user_id in present.watches]

    def greet(self, user_id: UserId, greet: Greet) -> None:
        """Call back, at once or soon, with the partners who are there; whoever comes or goes later is told of."""
        present = self._present.get(user_id)
        if present is None:
            return
        if present.peers is None:
            present.to_greet.append(greet)
        else:
            greet(self._announced(present.peers - {user_id}))

    def _announced(self, users: Iterable[UserId]) -> list[UserId]:
        return [one for one in users if one in self._others or self._is_announced(one)]

    def _is_announced(self, user_id: UserId) -> bool:
        present = self._present.get(user_id)
        return present is not None and present.peers is not None

    async def _allowed(self, user_id: UserId, others: Sequence[UserId]) -> list[UserId]:
        if len(others) > MAX_WATCHED:
            raise Invalid(f"at most {MAX_WATCHED} users can be asked for at a time")
        peers = await self._peers_of(user_id)
        strangers = [other for other in dict.fromkeys(others) if other not in peers]
        by_host = {other for other in strangers if await self._allows(user_id, other)}
        peers = await self._peers_of(user_id)
        return [other for other in dict.fromkeys(others) if other in peers or other in by_host]

    async def _allows(self, user_id: UserId, other: UserId) -> bool:
        allowed = self.may_watch(user_id, other)
        # The host decides among strangers, a block is the user's own word.
        return bool(await allowed if inspect.isawaitable(allowed) else allowed) and await self._chats.may_write(
            user_id, other
        )

    async def _told(self, users: Sequence[UserId]) -> list[Seen]:
        away = [user_id for user_id in users if not self.is_online(user_id)]
        stored = await self._chats.last_seen(away) if away else {}
        return [
            Seen(user_id, is_online=True, last_seen_at=None)
            if self.is_online(user_id)
            else Seen(user_id, is_online=False, last_seen_at=self._gone.get(user_id, stored.get(user_id)))
            for user_id in users
        ]

    # Conversations

    async def _peers_of(self, user_id: UserId) -> set[UserId]:
        present = self._present.get(user_id)
        if present is not None and present.peers is not None:
            return present.peers
        if present is None:
            return set((await self._chats.peers([user_id], MAX_PEERS))[0])
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._read_soon(user_id)
        except TimeoutError:
            raise Overloaded("who may see whom can't be read now", retry_after_s=1.0) from None
        return present.peers or set()

    def _read_soon(self, user_id: UserId) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrived.append((user_id, future))
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(), name="tocsin-presence")
        return future

    async def _read(self) -> None:
        """Read the peers of all who came meanwhile in one trip, and tell these."""
        try:
            while self._arrived:
                await asyncio.sleep(GATHER_S)
                arrived, self._arrived = self._arrived[:100], self._arrived[100:]
                try:
                    found = await self._chats.peers([user_id for user_id, _ in arrived], MAX_PEERS)
                except TocsinError as error:
                    _log.warning("presence of %d users waits: %s", len(arrived), error.detail)
                    self._arrived = arrived + self._arrived
                    await asyncio.sleep(AGAIN_S)
                    continue
                for (user_id, future), peers in zip(arrived, found, strict=True):
                    present = self._present.get(user_id)
                    if present is not None:
                        known, present.peers = present.peers, set(peers)
                        observers = self._observers(user_id) if known is None else present.peers - known
                        # On another node it has been told.
                        if known is not None or user_id not in self._others:
                            self._tell(user_id, "user_online", observers)
                        # A block that came while they were read for the first time.
                        for hidden in self._announced((known or set()) - present.peers):
                            self._tell(hidden, "user_offline", [user_id])
                        for greet in present.to_greet:
                            greet(self._announced(present.peers - {user_id}))
                        present.to_greet.clear()
                    if not future.done():
                        future.set_result(None)
        finally:
            self._reader = None

    def on_events(self, events: Iterable[StreamEvent]) -> None:
        """Follow conversations that begin, and blocks; never waits."""
        for event in events:
            if event.namespace != "/chat":
                continue
            present = self._present.get(event.user_id)
            if event.event == "block_changed":
                payload = orjson.loads(event.payload)
                self._on_block(event.user_id, parse_user_id(payload["user_id"]), is_blocked=payload["is_blocked"])
            elif present is not None and event.event in _MESSAGES:
                payload = orjson.loads(event.payload)
                peer = parse_user_id(payload["to_user_id" if event.event == "message_sent" else "from_user_id"])
                # What is being read just now may be older than this message. And a back end may write between two
                # who have blocked each other: only the database knows.
                if present.peers is None or (peer not in present.peers and len(present.peers) < MAX_PEERS):
                    self._read_soon(event.user_id)

    def _on_block(self, user_id: UserId, peer: UserId, *, is_blocked: bool) -> None:
        pair = ((user_id, peer), (peer, user_id))
        for one, other in pair:
            present = self._present.get(one)
            if present is None:
                continue
            # What is being read just now may be older than this.
            self._read_soon(one)
            if is_blocked and present.peers is not None:
                if other in present.peers and self._announced([other]):
                    self._tell(other, "user_offline", [one])
                present.peers.discard(other)
                self._unwatch(one, other)

    # Telling

    def _observers(self, user_id: UserId) -> set[UserId]:
        present = self._present.get(user_id)
        peers = (present.peers if present is not None else None) or set()
        return (peers | self._watchers.get(user_id, set())) - {user_id}

    def _tell(self, user_id: UserId, event: str, observers: Iterable[UserId]) -> None:
        payload = {"user_id": user_id_json(user_id), "timestamp": iso(self._clock())}
        for observer in self._announced(observers):
            for namespace in NAMESPACES:
                self._bus.publish_ephemeral(observer, namespace, event, payload)

    def _tell_own(self, user_id: UserId, event: str, observers: Iterable[UserId]) -> None:
        self._tell(user_id, event, [one for one in observers if self._is_announced(one)])

    def _leave(self, user_id: UserId) -> None:
        observers = self._observers(user_id)
        present = self._present.pop(user_id)
        for watched in list(present.watches):
            self._unwatch(user_id, watched)
        if self._is_shared:
            self._others.gone(user_id)
        if user_id not in self._others:
            self._tell(user_id, "user_offline", observers)
            self._note_gone([user_id])

    def _note_gone(self, users: Iterable[UserId]) -> None:
        self._gone |= dict.fromkeys(users, self._clock() - int(1000 * OFFLINE_S))
        if self._saver is None:
            self._saver = asyncio.create_task(self._save_soon(), name="tocsin-last-seen")

    # Elsewhere

    def _on_came_elsewhere(self, users: set[UserId], is_snapshot: bool) -> None:
        for user_id in users:
            self._gone.pop(user_id, None)
        # Partners are told by the node that somebody comes to; but what was before this node heard, only it can tell.
        self._tell_changes(users - self._present.keys(), "user_online", has_partners=is_snapshot)

    def _on_gone_elsewhere(self, users: set[UserId], is_crash: bool) -> None:
        gone = users - self._present.keys()
        self._tell_changes(gone, "user_offline", has_partners=is_crash)
        if is_crash:
            self._note_gone(gone)

    def _tell_changes(self, users: set[UserId], event: str, *, has_partners: bool) -> None:
        """Tell the users of this node who watch, or who are partners too, of users elsewhere."""
        for user_id in users:
            self._tell_own(user_id, event, self._watching(user_id))
        if has_partners:
            for observer, present in self._present.items():
                for user_id in users & (present.peers or set()):
                    self._tell_own(user_id, event, [observer])

    def _watching(self, user_id: UserId) -> list[UserId]:
        watchers = self._watchers.get(user_id, ())
        return [one for one in watchers if user_id not in (self._present[one].peers or ())]

    def _unwatch(self, user_id: UserId, watched: UserId) -> None:
        present = self._present.get(user_id)
        if present is not None:
            present.watches.discard(watched)
        if (watchers := self._watchers.get(watched)) is not None:
            watchers.discard(user_id)
            if not watchers:
                del self._watchers[watched]

    async def _save_soon(self) -> None:
        try:
            while self._gone:
                await asyncio.sleep(SAVE_S)
                await self._save()
        finally:
            self._saver = None

    async def _save(self) -> None:
        gone = list(self._gone.items())[:1_000]
        while gone:
            try:
                await self._chats.save_last_seen(gone)
            except TocsinError as error:
                _log.warning("when %d users were last seen is not stored yet: %s", len(gone), error.detail)
                return
            for user_id, seen_at in gone:
                if self._gone.get(user_id) == seen_at:
                    del self._gone[user_id]
            gone = list(self._gone.items())[:1_000]
