"""What an operator sees of all nodes: the trace of notifications, and the memory and the questions behind it."""

from typing import Any, Protocol

from tocsin.application.journey_store import JourneyStore
from tocsin.application.journeys import Journeys, Witnessed
from tocsin.application.nodes import Given, Nodes
from tocsin.application.witness import Witness, is_testimony
from tocsin.domain.errors import Invalid
from tocsin.domain.ladder import Ladders
from tocsin.domain.user_id import UserId


class Sockets(Protocol):
    """What is asked of this node's sessions."""

    def witnessed(self, notification_id: str, user_id: UserId, seq: int) -> dict[str, Any]:
        """Return what this node has seen of one notification, as ``Witness.tell`` does."""


class Insight:
    """
    Belongs to the event loop's thread.

    Args:
        store: What is kept of notifications.
        ladders: Which channels are climbed when.
        nodes: Asks every node.

    Attributes:
        witness: What this node remembers.
        journeys: The trace.
    """

    def __init__(self, store: JourneyStore, ladders: Ladders, nodes: Nodes) -> None:
        self.nodes = nodes
        self.witness = Witness()
        self.journeys = Journeys(store, ladders, self._ask_witnesses)

    def watch(self, sockets: Sockets) -> None:
        """Answer from now on what nodes ask of this one."""

        def witnessed(given: Given) -> dict[str, Any]:
            match given:
                case {"id": str(notification_id), "user_id": str(user_id), "seq": int(seq)}:
                    return sockets.witnessed(notification_id, UserId(user_id), seq)
            raise Invalid("this is no question that a node answers")

        self.nodes.answer("witness", witnessed)

    async def _ask_witnesses(self, notification_id: str, user_id: UserId, seq: int) -> Witnessed:
        given = {"id": notification_id, "user_id": user_id, "seq": seq}
        return {node: told for node, told in (await self.nodes.ask("witness", given)).items() if is_testimony(told)}
