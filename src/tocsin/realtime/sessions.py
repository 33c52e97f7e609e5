"""The connections of this node, as an operator sees and cuts them. Nobody else may call this."""

from collections.abc import Iterator
from hashlib import blake2b
from heapq import nsmallest
from typing import Any

from tocsin.domain.user_id import UserId, user_id_json
from tocsin.engine import Connection
from tocsin.realtime.authenticate import Authenticator, Identity

CUT = "cut by an operator"


class Sessions:
    """
    Lists and cuts. Belongs to the event loop's thread.

    Args:
        authenticator: Knows whose connection each is.
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def page(self, find: str, after: tuple[str, str], limit: int) -> list[dict[str, Any]]:
        """
        Return connections in the order of user id and session id.

        Looks at every user: some milliseconds for fifty thousand.

        Args:
            find: Stands somewhere in the user id; empty: any.
            after: User id and session id of the last one that is known.
            limit: At most so many.
        """
        wanted = (one for one in self._authenticator.connected if find in one and one >= after[0])
        rows: list[dict[str, Any]] = []
        # One more: of the one that the page before ended with nothing may be left.
        for user_id in nsmallest(limit + 1, wanted):
            rows += [row for row in self.of(user_id) if (user_id, row["id"]) > after]
            if len(rows) >= limit:
                break
        return rows[:limit]

    def of(self, user_id: UserId) -> list[dict[str, Any]]:
        """Return a user's connections, by session id."""
        rows = (_row(connection, user_id) for connection in self._authenticator.connections(user_id))
        return sorted(rows, key=lambda row: str(row["id"]))

    def cut(self, user_id: UserId, session_id: str) -> bool:
        """
        Close the transport of a session; return whether it was here.

        Its client comes back by itself, as after a broken link: to keep somebody out revoke the token.
        """
        for connection in self._authenticator.connections(user_id):
            if _public_id(connection) == session_id:
                connection.close(CUT)
                return True
        return False


def _public_id(connection: Connection) -> str:
    """Return a name for a connection: its own id is a secret of its client, with which it could be taken over."""
    return blake2b(connection.sid.encode(), digest_size=8).hexdigest()


def _row(connection: Connection, user_id: UserId) -> dict[str, Any]:
    identity: Identity = connection.data
    return {
        "id": _public_id(connection),
        "user_id": user_id_json(user_id),
        "transport": connection.transport_name,
        "address": connection.remote_address,
        "since": identity.since,
        "expires_at": int(identity.expires_at * 1000),
        "queued_bytes": connection.transport.queued if connection.transport.is_stalled else 0,
        "sockets": dict(_sockets(connection)),
    }


def _sockets(connection: Connection) -> Iterator[tuple[str, str]]:
    for namespace, socket in connection.sockets.items():
        yield namespace, socket.id
