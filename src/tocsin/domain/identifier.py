"""Ids of our own: UUIDv7 strings (RFC 9562), so that they sort by creation."""

from hashlib import sha256
from uuid import UUID

from uuid_utils import uuid7


def new_id() -> str:
    """Return a fresh UUIDv7 in its canonical text form."""
    return str(uuid7())


def id_after(earlier: str) -> str:
    """Return a fresh id that sorts after an earlier one, which another clock, or one set back, may have dated ahead."""
    fresh = new_id()
    if fresh > earlier:
        return fresh
    next_instant = (UUID(earlier).int >> 80) + 1
    return str(UUID(int=next_instant << 80 | UUID(fresh).int & (1 << 80) - 1))


def derived_id(instant: int, *parts: str) -> str:
    """Return the UUIDv7 of an instant (milliseconds since 1970) that the same parts always have."""
    digest = sha256("\0".join(parts).encode()).digest()
    high = instant << 16 | 0x7000 | (int.from_bytes(digest[:2]) & 0x0FFF)
    low = 1 << 63 | (int.from_bytes(digest[2:10]) & (1 << 62) - 1)
    return str(UUID(int=high << 64 | low))
