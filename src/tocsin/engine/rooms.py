"""
Who is in which room of one namespace.

A socket knows its own rooms, so leaving costs what *it* joined, never a scan.
Most rooms are one user with one device: such a room is one dict entry and no
container of its own. Sending lives in ``server.py``.
"""

from collections.abc import Collection, Hashable
from typing import Generic, Protocol, TypeVar


class Member(Protocol):
    """What can be in rooms; it keeps the rooms that it is in for ``Rooms``."""

    joined: "tuple[Hashable, ...] | set[Hashable]"


M = TypeVar("M", bound=Member)

_FEW = 4


class Rooms(Generic[M]):
    """The rooms of one namespace; an empty room does not exist."""

    __slots__ = ("_rooms",)

    def __init__(self) -> None:
        # A lone member stands for itself; a dict keeps the order of several.
        self._rooms: dict[Hashable, M | dict[M, None]] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def join(self, member: M, room: Hashable) -> None:
        """Put the member into the room; without effect when it is there."""
        joined = member.joined
        if room in joined:
            return
        if isinstance(joined, set):
            joined.add(room)
        elif len(joined) < _FEW:
            member.joined = (*joined, room)
        else:
            member.joined = {*joined, room}
        present = self._rooms.get(room)
        if present is None:
            self._rooms[room] = member
        elif isinstance(present, dict):
            present[member] = None
        else:
            self._rooms[room] = {present: None, member: None}

    def leave(self, member: M, room: Hashable) -> None:
        """Take the member out of the room; without effect when it is not there."""
        joined = member.joined
        if room not in joined:
            return
        if isinstance(joined, set):
            joined.discard(room)
        else:
            member.joined = tuple(other for other in joined if other != room)
        self._remove(member, room)

    def leave_all(self, member: M) -> None:
        """Take the member out of its rooms."""
        joined = member.joined
        member.joined = ()
        for room in joined:
            self._remove(member, room)

    def members(self, room: Hashable) -> Collection[M]:
        """Return who is in the room now; a view or snapshot, empty when nobody is."""
        present = self._rooms.get(room)
        if present is None:
            return ()
        if isinstance(present, dict):
            return present.keys()
        return (present,)

    def _remove(self, member: M, room: Hashable) -> None:
        present = self._rooms[room]
        if not isinstance(present, dict):
            del self._rooms[room]
            return
        del present[member]
        if len(present) == 1:
            self._rooms[room] = next(iter(present))
