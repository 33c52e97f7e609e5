"""What an operator sees of all nodes: the trace of notifications, and the memory and the questions behind it."""

from typing import Any, Protocol

from tocsin.application.admin import MAX_ANSWER, Admin
from tocsin.application.journey_sessions import Witnessed
from tocsin.application.journey_store import JourneyStore
from tocsin.application.journeys import Journeys
from tocsin.application.nodes import Given, Nodes, fitted
from tocsin.application.witness import Witness, is_testimony
from tocsin.domain.errors import Invalid
from tocsin.domain.ladder import Ladders
from tocsin.domain.retention import USUAL, Kept
from tocsin.domain.user_id import UserId


class Sessions(Protocol):
    """The connections of a node; see ``realtime.sessions``."""

    def page(self, find: str, after: tuple[str, str], limit: int) -> list[dict[str, Any]]:
        """Return connections in the order of user id and session id."""

    def of(self, user_id: UserId) -> list[dict[str, Any]]:
        """Return a user's connections."""

    def cut(self, user_id: UserId, session_id: str) -> bool:
        """Close the transport of a session; return whether it was here."""


class Sockets(Protocol):
    """What is asked of a node's sockets."""

    @property
    def sessions(self) -> Sessions:
        """Return the connections of the node."""

    def witnessed(self, notification_id: str, user_id: UserId, seq: int) -> dict[str, Any]:
        """Return what this node has seen of one notification, as ``Witness.tell`` does."""


class Insight:
    """
    Belongs to the event loop's thread.

    Args:
        store: What is kept of notifications.
        ladders: Which channels are climbed when.
        nodes: Asks every node.
        admin: What the dashboard shows and does.
        kept: How long the log and the steps are kept.

    Attributes:
        nodes: See there.
        witness: What this node remembers.
        journeys: The trace.
        admin: The dashboard.
    """

    def __init__(self, store: JourneyStore, ladders: Ladders, nodes: Nodes, admin: Admin, kept: Kept = USUAL) -> None:
        self.nodes = nodes
        self.witness = Witness()
        self.admin = admin
        self.journeys = Journeys(store, ladders, self._ask_witnesses, kept=kept)

    def watch(self, sockets: Sockets) -> None:
        """Answer from now on what nodes ask of this one."""

        def witnessed(given: Given) -> dict[str, Any]:
            match given:
                case {"id": str(notification_id), "user_id": str(user_id), "seq": int(seq)}:
                    return sockets.witnessed(notification_id, UserId(user_id), seq)
            raise _not_asked_so()

        def sessions(given: Given) -> list[dict[str, Any] | None]:
            match given:
                case {"find": str(find), "after": [str(user_id), str(session_id)], "limit": int(limit)}:
                    return fitted(sockets.sessions.page(find, (user_id, session_id), max(0, min(limit, MAX_ANSWER))))
            raise _not_asked_so()

        def sessions_of(given: Given) -> list[dict[str, Any] | None]:
            match given:
                case {"user_id": str(user_id)}:
                    return fitted(sockets.sessions.of(UserId(user_id))[:MAX_ANSWER])
            raise _not_asked_so()

        def cut(given: Given) -> bool:
            match given:
                case {"user_id": str(user_id), "session_id": str(session_id)}:
                    return sockets.sessions.cut(UserId(user_id), session_id)
            raise _not_asked_so()

        for answerer in (witnessed, sessions, sessions_of, cut):
            self.nodes.answer(answerer.__name__, answerer)

    async def _ask_witnesses(self, notification_id: str, user_id: UserId, seq: int) -> Witnessed:
        given = {"id": notification_id, "user_id": user_id, "seq": seq}
        answers, silent = await self.nodes.survey("witnessed", given)
        nodes = {node: told for node, told in answers.items() if is_testimony(told)}
        # What is no testimony says no more than silence does.
        return Witnessed(nodes, [*silent, *(answers.keys() - nodes.keys())])


def _not_asked_so() -> Invalid:
    return Invalid("this is no question that a node answers")
