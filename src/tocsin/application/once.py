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
        takes_over: Instead it takes the place of the former, which is over by then and not asked for again.
    """

    owner: str
    key: str
    fingerprint: bytes
    takes_over: bool = False
