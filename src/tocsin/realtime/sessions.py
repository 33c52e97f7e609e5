"""The connections of this node and its readers, as an operator sees and cuts them. Nobody else may call this."""

from collections.abc import Iterator
from hashlib import blake2b
from heapq import nsmallest
from typing import Any

from tocsin.application.tails import Tail, Tails
from tocsin.domain.user_id import UserId, user_id_json
from tocsin.engine import Connection
from tocsin.realtime.authenticate import Authenticator, Identity, shown_end

CUT = "cut by an operator"


class Sessions:
    """
    Lists and cuts. Belongs to the event loop's thread.

    Args:
        authenticator: Knows whose connection each is.
        tails: The readers without a socket.
    """

    def __init__(self, authenticator: Authenticator, tails: Tails) -> None:
        self._authenticator = authenticator
        self._tails = tails

    def page(self, find: str, after: tuple[str, str], limit: int) -> list[dict[str, Any]]:
        """
        Return connections in the order of user id and session id.

        Looks at every user: some milliseconds for fifty thousand.

        Args:
            find: Stands somewhere in the user id; empty: any.
            after: User id and session id of the last one that is known.
            limit: At most so many.
        """
        users = {*self._authenticator.connected, *self._tails.users}
        wanted = (one for one in users if find in one and one >= after[0])
        rows: list[dict[str, Any]] = []
        # One more: of the one that the page before ended with nothing may be left.
        for user_id in nsmallest(limit + 1, wanted):
            rows += [row for row in self.of(user_id) if (user_id, row["id"]) > after]
            if len(rows) >= limit:
                break
        return rows[:limit]

    def of(self, user_id: UserId) -> list[dict[str, Any]]:
        """Return a user's connections and readers, by session id."""
        rows = [_row(connection, user_id) for connection in self._authenticator.connections(user_id)]
        rows += [_row_of_reader(tail) for tail in self._tails.of(user_id)]
        return sorted(rows, key=lambda row: str(row["id"]))

    def cut(self, user_id: UserId, session_id: str) -> bool:
        """
        Close the transport of a session, or the answer of a reader; return whether it was here.

        Its client comes back by itself, as after a broken link: to keep somebody out revoke the token.
        """
        for connection in self._authenticator.connections(user_id):
            if _public_id(connection) == session_id:
                connection.close(CUT)
                return True
        for tail in self._tails.of(user_id):
            if tail.id == session_id:
                tail.end()
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


def _row_of_reader(tail: Tail) -> dict[str, Any]:
    return {
        "id": tail.id,
        "user_id": user_id_json(tail.key.user_id),
        "transport": "sse",
        "address": tail.address or None,
        "since": tail.since,
        "expires_at": int(shown_end(tail.principal) * 1000),
        # It is read from the log as fast as its client takes it: nothing waits.
        "queued_bytes": 0,
        "sockets": {tail.key.namespace: tail.id},
    }


def _sockets(connection: Connection) -> Iterator[tuple[str, str]]:
    for namespace, socket in connection.sockets.items():
        yield namespace, socket.id
