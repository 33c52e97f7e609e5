"""Metrics put together: which parts of a service are read."""

from collections import Counter
from typing import TYPE_CHECKING

from tocsin.adapters.sql.store import SqlStore
from tocsin.metrics import Metrics, Sources

if TYPE_CHECKING:
    from tocsin.bootstrap.service import Service


def open_metrics(service: "Service", committed: Counter[str]) -> Metrics:
    """Return the metrics of a service that is complete and need not have started."""
    store = service.store
    assert isinstance(store, SqlStore)
    return Metrics(
        Sources(
            engine=service.engine,
            realtime=service.realtime,
            tails=service.tails,
            requests=service.rest.requests,
            commits=store.commits,
            committed=committed,
            bus=service.bus,
            relay=service.relay,
            routes=[*service.routes, service.channel_route],
            retention=service.retention,
            is_accepting=lambda: service.is_accepting,
        )
    )
