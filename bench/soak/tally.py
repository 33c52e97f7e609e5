"""
Who was to show what, and has: the four counts of ``tocsin prove`` for millions of events.

The posts to one user are numbered from 0. A client keeps a bit for each that it
has shown, whoever posts a bit for each that was acknowledged: an hour of it
fits in memory, and no journal has to be read again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b


class Bits:
    """A growing set of small numbers."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = bytearray(data)

    def add(self, number: int) -> bool:
        """Put a number in; False when it is there already."""
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._data):
            self._data.extend(bytes(place + 64 - len(self._data)))
        if self._data[place] & bit:
            return False
        self._data[place] |= bit
        return True

    @property
    def value(self) -> int:
        """Return the set as one integer, a bit a number."""
        return int.from_bytes(self._data, "little")

    def hex(self) -> str:
        """Return what ``from_hex`` reads."""
        return self._data.hex()

    @classmethod
    def from_hex(cls, text: str) -> "Bits":
        """Return the set again."""
        return cls(bytes.fromhex(text))


@dataclass(slots=True)
class Shown:
    """
    What one client has shown.

    Attributes:
        numbers: Of the posts to its user.
        count: Events shown, also those that are no post.
        last_seq: Of the last of them; 0 before the first.
        twice: Posts that it showed again.
        misordered: Events that are not the successor of the one before.
        chain: Digest of every ``seq`` and ``event_id`` in order: the same for all clients of a user that show the same.
    """

    numbers: Bits = field(default_factory=Bits)
    count: int = 0
    last_seq: int = 0
    twice: int = 0
    misordered: int = 0
    chain: bytes = b""

    def add(self, seq: int, event_id: str, number: int | None) -> None:
        """Take note of an event; ``number`` is None where it is no post."""
        self.count += 1
        if seq != self.last_seq + 1:
            self.misordered += 1
        self.last_seq = seq
        if number is not None and not self.numbers.add(number):
            self.twice += 1
        self.chain = blake2b(self.chain + b"%d %b" % (seq, event_id.encode()), digest_size=8).digest()


@dataclass(slots=True)
class Counts:
    """The four counts; see ``tocsin.cli.prove.checker``."""

    lost: int = 0
    twice: int = 0
    misordered: int = 0
    phantom: int = 0

    @property
    def are_kept(self) -> bool:
        """Return whether all four are 0."""
        return not (self.lost or self.twice or self.misordered or self.phantom)


def count(sent: Mapping[int, int], acked: Mapping[int, Bits], clients: Iterable[tuple[int, Shown]]) -> Counts:
    """
    Judge all clients.

    Args:
        sent: How many posts were sent to a user.
        acked: Which of them were acknowledged.
        clients: A user, and what a client of it has shown from the first event on.
    """
    counts = Counts()
    chains: dict[tuple[int, int], bytes] = {}
    for user, shown in clients:
        numbers = shown.numbers.value
        was_acked = acked[user].value if user in acked else 0
        counts.lost += (was_acked & ~numbers).bit_count()
        counts.phantom += (numbers >> sent.get(user, 0)).bit_count()
        counts.twice += shown.twice
        counts.misordered += shown.misordered
        # One user's clients that have come as far have shown the same, in the same order.
        if chains.setdefault((user, shown.last_seq), shown.chain) != shown.chain:
            counts.misordered += 1
    return counts
