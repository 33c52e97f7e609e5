"""What a fault is."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar

from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.scene import Scene
from tocsin.cli.prove.stack import Stack

_WANTING = {
    "sqlite": "it is one of SQLite",
    "nodes": "it needs more than one node (--cluster)",
    "postgres": "it needs a PostgreSQL that it may end (--cluster)",
    "valkey": "it needs a Valkey that it may end (--cluster)",
    "root": "it needs root",
    "netns": "it needs network namespaces",
}


class Fault(ABC):
    """
    One row of the table of faults in the delivery contract.

    Stateless but for what one run needs: an instance is used for one run.

    Attributes:
        number: Of the row.
        title: Of the row, short.
        needs: What the stack or the machine must have: words of ``Stack.has``.
        catch_up_s: Seconds after the fault's end within which every client must have shown everything.
        limit_s: Seconds after which the whole fault is given up, and failed.
    """

    number: ClassVar[int]
    title: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    catch_up_s: ClassVar[float] = 15.0
    limit_s: ClassVar[float] = 1_200.0

    @classmethod
    def obstacle(cls, has: frozenset[str]) -> str | None:
        """Return why it does not apply where there is only ``has``, or None."""
        return "; ".join(_WANTING[need] for need in sorted(cls.needs - has)) or None

    def plan(self, plan: Plan) -> Plan:
        """Return the plan that this fault wants instead of the usual one."""
        return plan

    @contextlib.asynccontextmanager
    async def arrange(self, stack: Stack) -> AsyncIterator[None]:  # noqa: ARG002 - for who needs it
        """
        Prepare what must be there before the nodes start, and clear it away after they have stopped.

        The database and the bus of the stack are running; its URLs and the
        nodes' environment may be changed.
        """
        yield

    @abstractmethod
    async def inject(self, scene: Scene) -> None:
        """
        Do it, under load; return when it is over and everything runs again.

        Raises:
            Exception: It could not be carried out; the run fails.
        """
