"""Values out of a fuzzer's bytes: any bytes give some, and a changed byte changes few of them."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Reading:
    """
    Takes values off the front of some bytes; where these end, all values are 0, empty or the first.

    Args:
        data: What a fuzzer made.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_over(self) -> bool:
        """Return whether nothing is left."""
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def byte(self) -> int:
        """Return 0 to 255."""
        taken = self.take(1)
        return taken[0] if taken else 0

    def number(self, size: int) -> int:
        """Return an unsigned integer of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def flag(self) -> bool:
        """Return a truth value."""
        return bool(self.byte() & 1)

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of at most 256."""
        return choices[self.byte() % len(choices)]

    def chunk(self) -> bytes:
        """Return up to 255 bytes; their number is in front."""
        return self.take(self.byte())

    def text(self) -> str:
        """Return a text of up to 255 bytes; what is not UTF-8 is left out."""
        return self.chunk().decode(errors="ignore")

    def rest(self) -> bytes:
        """Return everything that is left."""
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken
