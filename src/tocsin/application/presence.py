"""
Who is there: told to those who may see it, and to nobody else.

A user is there while any connection of theirs is open, and for a few seconds after the last one closed, so that
a reload does not flicker. Who may see it: the partners of their conversations, unless one has blocked the other, and
whom the host lets watch: that is decided in ``presence_sight``. The users of other nodes are ``presence_nodes``'
concern, how partners are read that of ``presence_partners``, when somebody was there last that of ``presence_seen``.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tocsin.application.chat import ChatStore
from tocsin.application.ports import Bus
from tocsin.application.presence_left import JustLeft
from tocsin.application.presence_nodes import NAMESPACE as NODES
from tocsin.application.presence_nodes import OtherNodes
from tocsin.application.presence_partners import MAX_PEERS, Partners
from tocsin.application.presence_seen import LastSeen, Seen
from tocsin.application.presence_sight import MayWatch, Sight
from tocsin.application.presence_watches import Watches
from tocsin.domain.errors import Overloaded
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.timestamp import iso, now_ms
from tocsin.domain.user_id import UserId, parse_user_id, user_id_json

# How long a user may be without a connection and still be there.
OFFLINE_S = 4.0
# How long an answer waits for partners to be read.
PATIENCE_S = 5.0
NAMESPACES = ("/chat", "/sns")

_MESSAGES = frozenset({"message_received", "message_sent"})

Greet = Callable[[Sequence[UserId]], None]


@dataclass(slots=True)
class _Present:
    """
    A user who is there; ``is_alone``: no other node had them when they came.

    ``is_told``: this node has told the partners. ``peers`` None: not read yet; nobody is told of them, nor they of
    anybody, before.
    """

    is_alone: bool
    is_told: bool = False
    peers: set[UserId] | None = None
    to_greet: list[Greet] = field(default_factory=list)
    leaving: asyncio.TimerHandle | None = None


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
    """

    def __init__(
        self, bus: Bus, chats: ChatStore, *, is_shared: bool = False, clock: Callable[[], int] = now_ms
    ) -> None:
        self._bus = bus
        self._chats = chats
        self._clock = clock
        self._present: dict[UserId, _Present] = {}
        self._is_shared = is_shared
        self._others = OtherNodes(
            bus, self._present.keys, self._on_came_elsewhere, self._on_gone_elsewhere, self._look_again
        )
        self._watches = Watches()
        self._sight = Sight(chats, self._peers_of, self._watches, self._hide)
        self._seen = LastSeen(chats)
        self._partners = Partners(bus, chats, self._on_partners)
        self._just_left = JustLeft()
        # Whose conversations and blocks may have changed without a word.
        self._unsure: set[UserId] = set()

    @property
    def may_watch(self) -> MayWatch:
        """
        The host's word on whether the first user may see the second, beside what conversations allow.

        Sync or async; a sync one runs on the event loop and must not block. A block is stronger.
        """
        return self._sight.may_watch

    @may_watch.setter
    def may_watch(self, may_watch: MayWatch) -> None:
        self._sight.may_watch = may_watch

    def start(self) -> None:
        """Begin to hear of the other nodes."""
        if self._is_shared:
            self._others.start()

    def is_online(self, user_id: UserId) -> bool:
        """Return whether a user is there, as far as this node knows."""
        return user_id in self._present or user_id in self._others

    def is_elsewhere(self, user_id: UserId) -> bool | None:
        """Return whether a user is there on another node; None: what the other nodes have is not known now."""
        if user_id in self._others:
            return True
        return False if not self._is_shared or self._others.are_known else None

    def count_nodes(self) -> int | None:
        """Return how many other nodes live; None: they are not heard now."""
        if not self._is_shared:
            return 0
        return self._others.count() if self._others.are_known else None

    @property
    def node_lost_at(self) -> int:
        """Return when another node was last given up, in milliseconds since 1970; 0: never."""
        return self._others.lost_at

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
        self._just_left.forget(user_id)
        self._present[user_id] = _Present(is_alone=user_id not in self._others)
        self._seen.forget(user_id)
        if self._is_shared:
            self._others.came(user_id)
        self._partners.read_anew(user_id)

    def left(self, user_id: UserId) -> None:
        """Take the end of a user's last connection; they are there for a few seconds more."""
        present = self._present.get(user_id)
        if present is not None and present.leaving is None:
            present.leaving = asyncio.get_running_loop().call_later(OFFLINE_S, self._leave, user_id)

    async def stop(self) -> None:
        """Store when everybody who is here was here; tell nobody: they come back elsewhere."""
        await self._others.stop()
        for present in self._present.values():
            if present.leaving is not None:
                present.leaving.cancel()
            _answer(present, [])
        self._seen.note([user_id for user_id in self._present if user_id not in self._others], self._clock())
        self._present.clear()
        self._just_left.clear()
        self._watches.clear()
        await self._partners.stop()
        await self._sight.stop()
        await self._seen.stop()

    # What may be seen

    async def visible(self, user_id: UserId, others: Sequence[UserId]) -> list[Seen]:
        """Return of some users those that a user may see, with whether they are there."""
        return await self._told(await self._sight.allowed(user_id, others))

    async def seen(self, users: Sequence[UserId]) -> list[Seen]:
        """Return of users whether they are there, for an operator: whose it is to see is not asked."""
        return await self._told(users)

    async def watch(self, user_id: UserId, others: Sequence[UserId]) -> list[Seen]:
        """Do the same, and tell the user's devices of changes for as long as they are there."""
        allowed = await self._sight.allowed(user_id, others)
        if user_id not in self._present:
            return await self._told(allowed)
        self._watches.add(user_id, allowed)
        # Who blocks meanwhile is watched no more.
        return [one for one in await self._told(allowed) if one.user_id in self._watches.watched_by(user_id)]

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

    async def _told(self, users: Sequence[UserId]) -> list[Seen]:
        last_seen = await self._seen.find(users, [user_id for user_id in users if not self.is_online(user_id)])
        return [
            Seen(user_id, is_online=True, last_seen_at=None)
            if self.is_online(user_id)
            else Seen(user_id, is_online=False, last_seen_at=last_seen.get(user_id))
            for user_id in users
        ]

    # Conversations

    async def _peers_of(self, user_id: UserId) -> set[UserId]:
        present = self._present.get(user_id)
        if present is not None and present.peers is not None:
            return present.peers
        if present is None:
            return set((await self._chats.peers([user_id], MAX_PEERS))[0])
        known: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def tell(_partners: Sequence[UserId]) -> None:
            if not known.done():
                known.set_result(None)

        present.to_greet.append(tell)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await known
        except TimeoutError:
            raise Overloaded("who may see whom can't be read now", retry_after_s=1.0) from None
        return present.peers or set()

    def _on_partners(self, user_id: UserId, peers: set[UserId]) -> None:
        present = self._present.get(user_id)
        is_unsure = user_id in self._unsure
        if user_id not in self._partners:
            self._unsure.discard(user_id)
        if present is None:
            return
        known, present.peers = present.peers, peers
        if known is None:
            # Else another node tells. Of two that they came to at once each does: it can't know of the other.
            if present.is_alone or user_id not in self._others:
                present.is_told = True
                self._tell(user_id, "user_online", self._observers(user_id))
        else:
            self._tell(user_id, "user_online", peers - known)
            # A block that came while they were read for the first time, or of which nobody told.
            for hidden in known - peers:
                self._hide(hidden, user_id)
            if is_unsure and (changed := known ^ peers):
                self._look_again(changed)
                self._others.look_again(changed)
        _answer(present, self._announced(peers - {user_id}))

    # What changes

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
                    self._partners.read_soon(event.user_id)

    def on_wake(self, keys: Iterable[StreamKey]) -> None:
        """Look again at users whose conversations or blocks have changed, somehow; never waits."""
        changed = {key.user_id for key in keys if key.namespace == "/chat"}
        self._doubt(changed, {one for user_id in changed for one in (user_id, *self._watches.watchers_of(user_id))})

    def on_gap(self) -> None:
        """Look again at everything: what was told may have been missed; never waits."""
        self._others.on_gap()
        self._doubt(self._present, self._watches)

    def _doubt(self, users: Iterable[UserId], watchers: Iterable[UserId]) -> None:
        here = [user_id for user_id in users if user_id in self._present]
        self._unsure.update(here)
        self._partners.read_again(here)
        self._sight.check(watchers)

    def _look_again(self, users: Iterable[UserId]) -> None:
        self._partners.read_again([user_id for user_id in users if user_id in self._present])

    def _on_block(self, user_id: UserId, peer: UserId, *, is_blocked: bool) -> None:
        for one, other in ((user_id, peer), (peer, user_id)):
            self._sight.on_block(one, other, is_blocked=is_blocked)
            present = self._present.get(one)
            if present is None:
                continue
            # What is being read just now may be older than this.
            self._partners.read_soon(one)
            if is_blocked and present.peers is not None:
                if other in present.peers:
                    self._hide(other, one)
                present.peers.discard(other)
                self._watches.drop(one, other)

    def _hide(self, user_id: UserId, observer: UserId) -> None:
        """Let an observer not see a user any more."""
        if self._announced([user_id]):
            self._tell(user_id, "user_offline", [observer])
        self._watches.drop(observer, user_id)

    # Telling

    def _observers(self, user_id: UserId) -> set[UserId]:
        present = self._present.get(user_id)
        peers = (present.peers if present is not None else None) or set()
        return peers.union(self._watches.watchers_of(user_id)) - {user_id}

    def _tell(self, user_id: UserId, event: str, observers: Iterable[UserId]) -> None:
        payload = {"user_id": user_id_json(user_id), "timestamp": iso(self._clock())}
        for observer in self._listening(observers):
            for namespace in NAMESPACES:
                self._bus.publish_ephemeral(observer, namespace, event, payload)

    def _listening(self, observers: Iterable[UserId]) -> list[UserId]:
        if not self._is_shared or self._others.are_known:
            return self._announced(observers)
        # A node that does not know yet who is elsewhere tells all: the others count on it.
        return [one for one in observers if one not in self._present or self._is_announced(one)]

    def _tell_own(self, user_id: UserId, event: str, observers: Iterable[UserId]) -> None:
        self._tell(user_id, event, [one for one in observers if self._is_announced(one)])

    def _leave(self, user_id: UserId) -> None:
        observers = self._observers(user_id)
        _answer(self._present.pop(user_id), [])
        self._watches.forget(user_id)
        if self._is_shared:
            self._others.gone(user_id)
        if user_id in self._others:
            self._just_left.note(user_id, observers)
        else:
            self._tell_gone(user_id, observers)

    def _tell_gone(self, user_id: UserId, observers: Iterable[UserId]) -> None:
        self._tell(user_id, "user_offline", observers)
        self._note_gone([user_id])

    def _note_gone(self, users: Iterable[UserId]) -> None:
        self._seen.note(users, self._clock() - int(1000 * OFFLINE_S))

    # Elsewhere

    def _on_came_elsewhere(self, users: set[UserId], is_late: bool) -> None:
        for user_id in users:
            self._seen.forget(user_id)
        # Partners are told by the node that somebody comes to; but what was before this node heard, only it can tell.
        self._tell_changes(users - self._present.keys(), "user_online", has_partners=is_late)

    def _on_gone_elsewhere(self, users: set[UserId], is_late: bool) -> None:
        gone = users - self._present.keys()
        self._tell_changes(gone, "user_offline", has_partners=is_late)
        self._note_gone(gone if is_late else ())
        for user_id, observers in self._just_left.take(gone):
            self._tell_gone(user_id, observers)
        # Nodes that had not heard yet that these came here have taken them for gone.
        for user_id in filter(self._is_announced, users - gone):
            if not self._present[user_id].is_told:
                self._present[user_id].is_told = True
                self._tell(user_id, "user_online", self._observers(user_id))

    def _tell_changes(self, users: set[UserId], event: str, *, has_partners: bool) -> None:
        """Tell the users of this node who watch, or who are partners too, of users elsewhere."""
        for user_id in users:
            self._tell_own(user_id, event, self._watching(user_id))
        if has_partners:
            for observer, present in self._present.items():
                for user_id in users & (present.peers or set()):
                    self._tell_own(user_id, event, [observer])

    def _watching(self, user_id: UserId) -> list[UserId]:
        return [one for one in self._watches.watchers_of(user_id) if user_id not in (self._present[one].peers or ())]


def _answer(present: _Present, partners: Sequence[UserId]) -> None:
    """Call back all who wait for a user's partners, with those who are there."""
    for greet in present.to_greet:
        greet(partners)
    present.to_greet.clear()
