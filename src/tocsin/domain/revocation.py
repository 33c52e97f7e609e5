"""What makes a token count no more before its time: it was revoked, or all of its user were."""

from dataclasses import dataclass
from typing import Literal

from tocsin.domain.errors import Invalid

MAX_TOKEN_ID = 512
# Nobody here knows how long the tokens of a user live: this is more than a year.
KEPT_MS = 400 * 86_400_000

Kind = Literal["user", "token"]


@dataclass(frozen=True, slots=True)
class Revocation:
    """
    The end of one token, or of all that a user had until an instant.

    Attributes:
        kind: What ``name`` is.
        name: A user id, or the ``jti`` of a token.
        created_at: When, in milliseconds since 1970; a user's tokens issued until then are revoked.
        expires_at: When no such token can be alive any more, in milliseconds since 1970.
    """

    kind: Kind
    name: str
    created_at: int
    expires_at: int

    @property
    def valid_from(self) -> int:
        """
        Return the least ``iat`` of a token that counts, in whole seconds as issuers write them.

        One of the same second may be older: it is revoked too.
        """
        return self.created_at // 1_000 + 1


def check_token_id(token_id: str) -> str:
    """
    Return a ``jti`` that can be revoked.

    Raises:
        Invalid: It is empty, too long or has a NUL, which no database keeps.
    """
    if not 1 <= len(token_id) <= MAX_TOKEN_ID or "\0" in token_id:
        raise Invalid(f"jti must have 1 to {MAX_TOKEN_ID} characters, and no NUL")
    return token_id
