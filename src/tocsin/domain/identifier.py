"""Ids of our own: UUIDv7 strings (RFC 9562), so that they sort by creation."""

from uuid_utils import uuid7


def new_id() -> str:
    """Return a fresh UUIDv7 in its canonical text form."""
    return str(uuid7())
