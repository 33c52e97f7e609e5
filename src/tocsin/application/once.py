"""A write that happens once, however often it is asked for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Once:
    """
    Makes a write happen once: the same key of one principal gives the first answer again.

    Attributes:
        owner: Whose key it is (the principal's user id and scopes as one string).
        key: The client's ``Idempotency-Key``.
        fingerprint: Digest of the request; another one under the same key is refused.
    """

    owner: str
    key: str
    fingerprint: bytes
