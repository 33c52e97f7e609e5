"""
What waits for one client that does not take it now, in order and bounded.

Exists only while something waits: at rest a connection has none.
"""

from typing import Generic, TypeVar

from tocsin.engine.limits import Limits

Item = TypeVar("Item")


class Outbox(Generic[Item]):
    """
    A bounded queue that gives up ephemeral items first.

    Args:
        limits: ``queue_packets`` and ``queue_bytes`` bound it.
    """

    __slots__ = ("_entries", "_limits", "size")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._entries: list[tuple[Item, int, bool]] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, item: Item, size: int, *, ephemeral: bool, beside: int = 0, room: int = 1) -> bool | None:
        """
        Queue an item.

        Args:
            item: What to queue.
            size: Its bytes.
            ephemeral: It may be dropped when there is no room.
            beside: Bytes that wait for the same client elsewhere.
            room: How many times the bounds there is room for.

        Returns:
            True when queued, False when dropped as ephemeral, None when there is no
            room for what must not be dropped: the client is too slow.
        """
        if self._is_full(size + beside, room):
            if ephemeral:
                return False
            kept = [entry for entry in self._entries if not entry[2]]
            self.size -= sum(entry[1] for entry in self._entries if entry[2])
            self._entries = kept
            if self._is_full(size + beside, room):
                return None
        self._entries.append((item, size, ephemeral))
        self.size += size
        return True

    def take(self, most: int | None = None) -> list[Item]:
        """Return the first ``most`` items, or all, in order, and leave the others."""
        entries = self._entries[:most]
        del self._entries[:most]
        self.size -= sum(entry[1] for entry in entries)
        return [entry[0] for entry in entries]

    def _is_full(self, more: int, room: int) -> bool:
        # One packet bigger than the whole queue still goes to a client that owes nothing.
        return bool(self._entries) and (
            len(self._entries) >= self._limits.queue_packets * room
            or self.size + more > self._limits.queue_bytes * room
        )
