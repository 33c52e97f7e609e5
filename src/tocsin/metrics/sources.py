"""The parts of a service that count, as the metrics know them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.adapters.sql.group_commit import CommitMeters
from tocsin.application.ports import Bus
from tocsin.application.push import Route
from tocsin.application.relay import Relay
from tocsin.application.retention import Retention
from tocsin.application.tails import Tails
from tocsin.engine import SocketServer
from tocsin.realtime import Realtime
from tocsin.rest.requests import Requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """
    What is read.

    Attributes:
        committed: Events by namespace.
        routes: All that push can be sent to.
        is_accepting: False from the first moment of a drain.
    """

    engine: SocketServer
    realtime: Realtime
    tails: Tails
    requests: Requests
    commits: CommitMeters
    committed: Counter[str]
    bus: Bus
    relay: Relay
    routes: Sequence[Route[Any]]
    retention: Retention
    is_accepting: Callable[[], bool]
