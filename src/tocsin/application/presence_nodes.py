"""
Who is there on the other nodes: told by each node of its own users, and held under a lease.

A node says who comes and goes, and every few seconds that it lives. One that is not heard for a while has
crashed or is cut off: its users are gone, until it is heard again and asked who is there. A node that begins asks all.
Messages go over the bus as ephemeral events of a namespace that no client can connect to; a lost one is
mended by the next ``alive``, which tells a digest of all users there are.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf
from secrets import token_hex
from typing import Any, Literal

from tocsin.application.ports import Bus
from tocsin.domain.errors import Invalid
from tocsin.domain.timestamp import now_ms
from tocsin.domain.user_id import UserId, parse_user_id

NAMESPACE = "/:presence"
ALIVE_S = 5.0
LEASE_S = 15.0
ASK_S = (0.05, 0.25, 1.0, 3.0)
GATHER_S = 0.02
# The longest ids take 515 bytes each, and the bus carries 128 KiB.
MAX_USERS = 250
# What nodes of an earlier release tell at once.
MOST_HEARD = 500
# A node that stops says so: its clients have this long to come back elsewhere.
LEAVING_S = 4.0

# How long it takes until all who live have told what was missed.
KNOWN_S = ALIVE_S + 1.0

Kind = Literal["came", "gone", "here", "ask", "alive", "leaving", "changed"]


class _Digest:
    """Of a set of users, whatever their order: equal for equal sets, and for others by a chance of 2^-53."""

    # Any JSON reader takes such an integer for what it is.
    _MASK = 2**53 - 1

    def __init__(self) -> None:
        self.value = 0

    def add(self, users: Iterable[UserId]) -> None:
        self.value = (self.value + sum(map(_number, users))) & self._MASK

    def remove(self, users: Iterable[UserId]) -> None:
        self.value = (self.value - sum(map(_number, users))) & self._MASK


def _number(user_id: UserId) -> int:
    return int.from_bytes(blake2b(user_id.encode(), digest_size=8).digest())


@dataclass(slots=True)
class _Node:
    """
    Another node, and until when it is believed.

    Attributes:
        digest: Of its users.
        doubted: Its users who have not been told of since it was asked; None: it is not asked.
        has_answered: It has told who is there since.
    """

    until: float = 0.0
    users: set[UserId] = field(default_factory=set)
    digest: _Digest = field(default_factory=_Digest)
    doubted: set[UserId] | None = None
    has_answered: bool = False


class OtherNodes:
    """
    Keeps the users of the other nodes, and tells these of our own. Belongs to the event loop's thread.

    Args:
        bus: Reaches the other nodes.
        own: Returns who is there on this node.
        on_came: Called with users who are there on another node, and were on none; True: for how long is not known.
        on_gone: Called with users who are there on none any more; True: their node went without a word, or its
            word was lost.
        on_changed: Called with users whose conversations or blocks have changed, on another node's word.

    Attributes:
        lost_at: When a node was last given up, in milliseconds since 1970; 0: never.
    """

    def __init__(
        self,
        bus: Bus,
        own: Callable[[], Collection[UserId]],
        on_came: Callable[[set[UserId], bool], None],
        on_gone: Callable[[set[UserId], bool], None],
        on_changed: Callable[[set[UserId]], None],
    ) -> None:
        self._bus = bus
        self._own = own
        self._on_came = on_came
        self._on_gone = on_gone
        self._on_changed = on_changed
        self._name = token_hex(8)
        self._nodes: dict[str, _Node] = {}
        self._where: dict[UserId, int] = {}
        self._news: list[tuple[Kind, UserId]] = []
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._digest = _Digest()
        self._known_at = inf
        self.lost_at = 0

    def __contains__(self, user_id: UserId) -> bool:
        return user_id in self._where

    def start(self) -> None:
        """Ask who is there, and begin to say that this node lives."""
        if self._task is None:
            self.on_gap()
            self._task = asyncio.create_task(self._live(), name="tocsin-presence-nodes")

    async def stop(self) -> None:
        """Say that this node stops: its users may be somewhere else in a moment."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            self._tell("leaving")
        self._is_stopped = True

    @property
    def are_known(self) -> bool:
        """Return whether the other nodes are heard, and have been for long enough to know who is there."""
        return self._bus.is_connected and asyncio.get_running_loop().time() >= self._known_at

    def count(self) -> int:
        """Return how many other nodes are heard to live."""
        return len(self._nodes)

    def on_gap(self) -> None:
        """Take that the others may have told something that was not heard."""
        self._known_at = asyncio.get_running_loop().time() + KNOWN_S

    def look_again(self, users: Collection[UserId]) -> None:
        """Let the nodes of some users read whom these may see."""
        if elsewhere := [user_id for user_id in users if user_id in self._where]:
            self._tell("changed", elsewhere)

    def came(self, user_id: UserId) -> None:
        """Tell the others of a user of this node, soon."""
        self._digest.add([user_id])
        self._tell_soon("came", user_id)

    def gone(self, user_id: UserId) -> None:
        """Tell the others that a user is not on this node any more, soon."""
        self._digest.remove([user_id])
        self._tell_soon("gone", user_id)

    def _tell_soon(self, kind: Kind, user_id: UserId) -> None:
        if not self._news:
            asyncio.get_running_loop().call_later(GATHER_S, self._tell_news)
        self._news.append((kind, user_id))

    def _tell_news(self) -> None:
        news, self._news = self._news, []
        if self._is_stopped:
            return
        # In their order: who has come and gone has gone.
        run: list[UserId] = []
        for place, (kind, user_id) in enumerate(news):
            run.append(user_id)
            if place + 1 == len(news) or news[place + 1][0] != kind:
                self._tell(kind, run)
                run = []

    def _tell(self, kind: Kind, users: Iterable[UserId] = ()) -> None:
        told = list(users)
        for start in range(0, max(1, len(told)), MAX_USERS):
            body = {"node": self._name, "kind": kind, "users": told[start : start + MAX_USERS]}
            self._bus.publish_ephemeral(None, NAMESPACE, "node", body | {"digest": self._digest.value})

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        # The bus may not have reached its server yet.
        for pause_s in ASK_S:
            await asyncio.sleep(pause_s)
            self._tell("ask")
        while True:
            before = loop.time()
            await asyncio.sleep(ALIVE_S)
            if loop.time() - before > 2 * ALIVE_S:
                # This node stood still: what it did not hear meanwhile waits for it.
                for node in self._nodes.values():
                    node.until = max(node.until, loop.time() + KNOWN_S)
            # What has happened comes first, so that the others have the digest that we have.
            self._tell_news()
            self._tell("alive")
            for name, node in list(self._nodes.items()):
                if node.until < loop.time():
                    del self._nodes[name]
                    self.lost_at = now_ms()
                    self._remove(node.users, is_late=True)

    def on_told(self, payload: Any) -> None:
        """Take what a node says; what is no such message is passed over."""
        match payload:
            case {"node": str(name), "kind": str(kind), "users": list(told), "digest": int(digest)}:
                pass
            case _:
                return
        if self._is_stopped or name == self._name or len(told) > MOST_HEARD:
            return
        try:
            users = {parse_user_id(one) for one in told}
        except Invalid:
            return
        if kind == "ask":
            self._tell("here", self._own())
        elif kind == "changed":
            self._on_changed(users)
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = _Node()
        self._hear(node, kind, users, digest)

    def _hear(self, node: _Node, kind: str, users: set[UserId], digest: int) -> None:
        left_s = LEAVING_S if kind == "leaving" else LEASE_S
        node.until = asyncio.get_running_loop().time() + left_s
        if kind in {"came", "here"}:
            self._add(node, users, is_late=kind == "here")
        elif kind == "gone":
            self._drop(node, users, is_late=False)
        if node.doubted is not None:
            node.doubted -= users
            node.has_answered |= kind == "here"
        if kind == "alive" and node.digest.value != digest:
            self._doubt(node)
        if node.digest.value == digest:
            node.doubted = None

    def _doubt(self, node: _Node) -> None:
        """Ask: something was lost on the way. Whom the answer did not name has gone."""
        if node.doubted is not None and node.has_answered:
            self._drop(node, node.doubted, is_late=True)
        node.doubted = set(node.users)
        node.has_answered = False
        self._tell("ask")

    def _add(self, node: _Node, users: set[UserId], *, is_late: bool) -> None:
        new = users - node.users
        node.users |= new
        node.digest.add(new)
        came = {one for one in new if one not in self._where}
        for user_id in new:
            self._where[user_id] = self._where.get(user_id, 0) + 1
        if came:
            self._on_came(came, is_late)

    def _drop(self, node: _Node, users: set[UserId], *, is_late: bool) -> None:
        left = users & node.users
        node.users -= left
        node.digest.remove(left)
        self._remove(left, is_late=is_late)

    def _remove(self, users: set[UserId], *, is_late: bool) -> None:
        gone = set()
        for user_id in users:
            self._where[user_id] -= 1
            if not self._where[user_id]:
                del self._where[user_id]
                gone.add(user_id)
        if gone:
            self._on_gone(gone, is_late)
