"""Who is asking: the verified content of a token."""

from dataclasses import dataclass

from tocsin.domain.errors import Forbidden
from tocsin.domain.user_id import UserId


@dataclass(frozen=True, slots=True)
class Principal:
    """
    The bearer of a verified token.

    Attributes:
        user_id: The token's ``sub``; the only inbox a token without scopes touches.
        scopes: ``publish`` may act for any user, ``admin`` sees the dashboard.
        expires_at: The token's ``exp``, in seconds since 1970.
        token_id: The token's ``jti`` where it has one.
        issued_at: The token's ``iat``, in seconds since 1970, where it has a usable one.
    """

    user_id: UserId
    scopes: frozenset[str]
    expires_at: float
    token_id: str | None = None
    issued_at: float | None = None

    def require(self, scope: str) -> None:
        """Raise Forbidden unless the token carries the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"this needs a token with the scope '{scope}'")
