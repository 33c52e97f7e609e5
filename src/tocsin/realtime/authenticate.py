"""
Who a connection belongs to: CONNECT with a token, its end, and a newer one.

A connection is one user's from its first accepted CONNECT to its close, over
all namespaces. What a user may do is decided by the use-cases.
"""

import time
from collections.abc import Callable, Collection, Sequence

from tocsin.application.revocations import Revocations
from tocsin.domain.errors import Forbidden, RateLimited, Unauthenticated
from tocsin.domain.principal import Principal
from tocsin.domain.revocation import Revocation
from tocsin.domain.timestamp import iso, now_ms
from tocsin.domain.user_id import UserId
from tocsin.engine import Connection, TimerWheel

EXPIRY_NOTICE_S = 60.0
USER_CONNECTIONS = 20
# The last second that ISO 8601 of four-digit years can tell.
_END_OF_TIME = 253_402_300_799.0


def shown_end(principal: Principal) -> float:
    """Return when a token ends, in seconds since 1970, as far as it can be told."""
    return min(principal.expires_at, _END_OF_TIME)


class Identity:
    """
    The user of one connection and the end of the token; waits on the timer wheel.

    Attributes:
        expires_at: Seconds since 1970, as clients are told.
        since: Milliseconds since 1970, for operators.
        principal: Of the token that the connection lives by, the one that lasts longest.
    """

    __slots__ = ("_connection", "_ends_at", "_is_told", "due_tick", "expires_at", "principal", "since", "user_id")

    def __init__(self, connection: Connection, principal: Principal) -> None:
        self.due_tick = 0
        self.user_id = principal.user_id
        self.principal = principal
        self.expires_at = 0.0
        self.since = now_ms()
        self._connection: Connection | None = connection
        self._ends_at = 0.0
        self._is_told = False

    def prolong(self, principal: Principal) -> float:
        """Take over the token's end and return the seconds until the first notice."""
        self.principal = principal
        self.expires_at = shown_end(principal)
        # Measured off the wall clock once: setting the clock must not disconnect anybody.
        left = self.expires_at - time.time()
        self._ends_at = time.monotonic() + left
        self._is_told = False
        return max(left - EXPIRY_NOTICE_S, 0.0)

    def on_due(self, now: float) -> float | None:  # noqa: ARG002 - an Entry of the wheel gets its time
        """Tell the client that the token ends, or that it has, and close then."""
        connection = self._connection
        if connection is None:
            return None
        left = self._ends_at - time.monotonic()
        if left <= 0:
            self._end(connection, "auth_expired")
            return None
        if not self._is_told:
            self._is_told = True
            self._tell(connection, "auth_expiring")
        return left

    def revoke(self) -> None:
        """Tell the client that its token has ended, and close."""
        if self._connection is not None:
            self.expires_at = min(self.expires_at, time.time())
            self._end(self._connection, "revoked")

    def leave(self) -> None:
        """Let go of the connection, which has ended: the two would keep each other for the garbage collector."""
        self._connection = None

    def _end(self, connection: Connection, reason: str) -> None:
        self._tell(connection, "auth_expired")
        connection.close(reason)

    def _tell(self, connection: Connection, event: str) -> None:
        payload = {"expires_at": iso(int(self.expires_at * 1000))}
        for socket in list(connection.sockets.values()):
            socket.emit(event, payload)


class Authenticator:
    """
    Binds connections to users, a bounded number a user.

    Belongs to the event loop's thread.

    Args:
        wheel: Waits for the ends of tokens.
        user_connections: Connections that one user may hold at a time.
        on_came: Called with a user whose first connection this is.
        on_left: Called with one whose last connection has closed.
    """

    def __init__(
        self,
        tokens: Revocations,
        wheel: TimerWheel,
        *,
        user_connections: int = USER_CONNECTIONS,
        on_came: Callable[[UserId], None] = lambda _: None,
        on_left: Callable[[UserId], None] = lambda _: None,
    ) -> None:
        self._tokens = tokens
        self._wheel = wheel
        self._user_connections = user_connections
        self._connections: dict[UserId, list[Connection]] = {}
        self._on_came = on_came
        self._on_left = on_left

    def is_connected(self, user_id: UserId) -> bool:
        """Return whether the user holds a connection."""
        return user_id in self._connections

    @property
    def connected(self) -> Collection[UserId]:
        """Return the users who hold a connection; a view."""
        return self._connections.keys()

    def connections(self, user_id: UserId) -> Sequence[Connection]:
        """Return a user's connections, the oldest first; a copy."""
        return tuple(self._connections.get(user_id, ()))

    @property
    def users(self) -> int:
        """Return how many users are connected."""
        return len(self._connections)

    def authenticate(self, connection: Connection, token: object) -> UserId:
        """
        Bind the connection to the token's user, or check that it is this user's.

        A later end of another token of the same user counts from now on.

        Raises:
            Unauthenticated: The token is wrong, or the connection has ended.
            Forbidden: The connection is another user's.
            RateLimited: The user holds too many connections, and a client is at each.
        """
        principal = self._verify(connection, token)
        identity: Identity | None = connection.data
        if identity is None:
            self._make_room(principal.user_id)
            held = self._connections.setdefault(principal.user_id, [])
            held.append(connection)
            identity = connection.data = Identity(connection, principal)
            if len(held) == 1:
                self._on_came(principal.user_id)
        self._prolong(identity, principal)
        return identity.user_id

    def _make_room(self, user_id: UserId) -> None:
        held = self._connections.get(user_id, [])
        if len(held) < self._user_connections:
            return
        # One whose link broke between two polls is missed by nobody until its heartbeat fails: a user on a
        # bad link would be locked out by what was theirs.
        unattended = next((one for one in held if one.is_unattended), None)
        if unattended is None:
            raise RateLimited(f"this user has {len(held)} connections, which is the most allowed")
        unattended.close("unattended")

    def close(self, user_id: UserId, reason: str) -> None:
        """Close every connection of a user; they come back by themselves where their tokens let them."""
        for connection in [*self._connections.get(user_id, ())]:
            connection.close(reason)

    def reauthenticate(self, connection: Connection, token: object) -> Identity:
        """
        Let the connection live as long as a newer token of its user.

        Raises:
            Unauthenticated: The token is wrong, or the connection has ended.
            Forbidden: It is another user's.
        """
        identity: Identity | None = connection.data
        if identity is None:
            raise Unauthenticated("the connection has no user")
        self._prolong(identity, self._verify(connection, token))
        return identity

    def _verify(self, connection: Connection, token: object) -> Principal:
        # A request may wait behind another until its client has gone: then nobody would forget it again.
        if connection.closed:
            raise Unauthenticated("the connection has ended")
        return self._tokens.verify(token)

    def _prolong(self, identity: Identity, principal: Principal) -> None:
        if principal.user_id != identity.user_id:
            raise Forbidden("the connection belongs to another user")
        if principal.expires_at > identity.expires_at:
            self._wheel.schedule(identity, identity.prolong(principal))

    def cut(self, revocations: Sequence[Revocation]) -> None:
        """Close the connections that live by a token that was revoked."""
        users = {UserId(one.name) for one in revocations if one.kind == "user"}
        tokens = any(one.kind == "token" for one in revocations)
        # Of a token nobody knows the user: all are looked through, a tenth of a microsecond each.
        held = [*self._connections.values()] if tokens else [self._connections.get(user, []) for user in users]
        identities = [connection.data for connections in held for connection in connections]
        for identity in identities:
            if self._tokens.is_revoked(identity.principal):
                identity.revoke()

    def on_connection_closed(self, connection: Connection) -> None:
        """Forget the connection."""
        identity: Identity | None = connection.data
        if identity is None:
            return
        self._wheel.cancel(identity)
        identity.leave()
        held = self._connections[identity.user_id]
        held.remove(connection)
        if not held:
            del self._connections[identity.user_id]
            self._on_left(identity.user_id)
