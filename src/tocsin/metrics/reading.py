"""Reads every metric of the catalogue off the parts of a service, at one moment."""

import platform
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tocsin import __version__
from tocsin.application.meters import Histogram
from tocsin.metrics.sources import Sources


class HistogramReading(NamedTuple):
    """
    A histogram at one moment.

    Attributes:
        bounds: Upper bounds of the ranges; above the last there is one more range.
        counts: Values by range.
        total: The sum of all values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @classmethod
    def of(cls, histogram: Histogram) -> "HistogramReading":
        """Return what it holds now."""
        return cls(histogram.bounds, tuple(histogram.counts), histogram.total)


Value = float | HistogramReading
Readings = dict[str, dict[tuple[str, ...], Value]]
"""By name of the metric, by the values of its labels."""

_REFUSED = "refused:"
_CLOSED = "closed:"
_DROPPED = "dropped_"


def read(sources: Sources, loop_delay: Histogram) -> Readings:
    """Return the readings of this process; on the event loop's thread."""
    found: Readings = {}
    for part in (_of_process(sources, loop_delay), _of_engine(sources), _of_realtime(sources), _of_store(sources)):
        found.update(part)
    for part in (_of_pushes(sources), _of_rest(sources), _of_bus(sources), _of_upkeep(sources)):
        found.update(part)
    found["tocsin_refusals_total"] = dict(_refusals(sources))
    return found


def _one(value: Value) -> dict[tuple[str, ...], Value]:
    return {(): value}


def _by(counts: Mapping[str, float]) -> dict[tuple[str, ...], Value]:
    return {(label,): count for label, count in counts.items()}


def _by_pair(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, ...], Value]:
    return {(*labels,): count for labels, count in counts.items()}


def _of_process(sources: Sources, loop_delay: Histogram) -> Readings:
    return {
        "tocsin_build_info": {(__version__, platform.python_version()): 1},
        "tocsin_accepting": _one(int(sources.is_accepting())),
        "tocsin_loop_delay_seconds": _one(HistogramReading.of(loop_delay)),
    }


def _of_engine(sources: Sources) -> Readings:
    engine, stats = sources.engine, sources.engine.stats
    census = engine.census()
    return {
        "tocsin_connections": _by({name: row[0] for name, row in census.items()}),
        "tocsin_stalled_connections": _by({name: row[1] for name, row in census.items()}),
        "tocsin_queued_bytes": _by({name: row[2] for name, row in census.items()}),
        "tocsin_sockets": _by({name: len(place.sockets) for name, place in engine.namespaces.items()}),
        "tocsin_handshakes_total": _one(stats.get("opened", 0)),
        "tocsin_disconnects_total": _by(_after(_CLOSED, stats)),
        "tocsin_ephemeral_dropped_total": _one(stats.get("dropped:ephemeral", 0)),
        "tocsin_events_received_total": _by({name: place.received for name, place in engine.namespaces.items()}),
        "tocsin_events_sent_total": _by({name: place.sent for name, place in engine.namespaces.items()}),
    }


def _of_realtime(sources: Sources) -> Readings:
    realtime = sources.realtime
    stats, lags = realtime.stats, realtime.lags()
    return {
        "tocsin_readers": _by(sources.tails.count()),
        "tocsin_users": _one(stats["users"]),
        "tocsin_replays_total": _one(stats["replays"]),
        "tocsin_repairs_total": _one(stats["repairs"]),
        "tocsin_resyncs_total": _by(realtime.resyncs),
        "tocsin_events_replayed_total": _by({name: realtime.replayed[name] for name in lags}),
        "tocsin_streams": _by({name: row[0] for name, row in lags.items()}),
        "tocsin_stream_lag_events": _by({name: row[1] for name, row in lags.items()}),
        "tocsin_stream_lag_max_events": _by({name: row[2] for name, row in lags.items()}),
    }


def _of_store(sources: Sources) -> Readings:
    commits = sources.commits
    return {
        "tocsin_events_committed_total": _by({name: sources.committed[name] for name in sources.realtime.lags()}),
        "tocsin_commit_seconds": _one(HistogramReading.of(commits.seconds)),
        "tocsin_commit_batch_size": _one(HistogramReading.of(commits.sizes)),
        "tocsin_commits_retried_total": _one(commits.again),
        "tocsin_store_queue": _one(commits.waiting),
        "tocsin_store_queue_bytes": _one(commits.waiting_bytes),
    }


def _of_pushes(sources: Sources) -> Readings:
    relay = sources.relay
    return {
        "tocsin_deliveries_total": _by_pair(relay.attempts),
        "tocsin_deliveries_under_way": _one(relay.under_way),
        "tocsin_delivery_late_seconds": _one(relay.late_s),
        "tocsin_push_targets_total": {
            (route.channel, result): count for route in sources.routes for result, count in route.meters.results.items()
        },
        "tocsin_push_seconds": {
            (route.channel,): HistogramReading.of(route.meters.seconds) for route in sources.routes
        },
    }


def _of_rest(sources: Sources) -> Readings:
    requests = sources.requests
    answered = requests.answered.items()
    return {
        "tocsin_http_requests_total": {(method, route, str(status)): n for (method, route, status), n in answered},
        "tocsin_http_request_seconds": {
            (route,): HistogramReading.of(histogram) for route, histogram in requests.seconds.items()
        },
    }


def _of_bus(sources: Sources) -> Readings:
    bus, stats = sources.bus, sources.bus.stats
    found: Readings = {"tocsin_bus_connected": _one(int(bus.is_connected))}
    if bus.echoes is not None:
        found["tocsin_bus_echo_seconds"] = _one(HistogramReading.of(bus.echoes))
    for name in ("waiting", "channels"):
        if name in stats:
            found[f"tocsin_bus_{name}"] = _one(stats[name])
    for name in ("published", "received", "reconnects"):
        if name in stats:
            found[f"tocsin_bus_{name}_total"] = _one(stats[name])
    return found


def _of_upkeep(sources: Sources) -> Readings:
    return {
        "tocsin_retention_dropped_total": _by(sources.retention.dropped),
        "tocsin_retention_failures_total": _one(sources.retention.rounds.failures),
    }


def _refusals(sources: Sources) -> Iterator[tuple[tuple[str, ...], Value]]:
    doors: dict[str, Mapping[str, int]] = {
        # What handlers of CONNECT refuse is told by code.
        "engine": {name: n for name, n in _after(_REFUSED, sources.engine.stats).items() if name != "connect"},
        "connect": sources.realtime.connect_refusals,
        "event": sources.realtime.event_refusals,
        "rest": sources.requests.refusals,
        "bus": _after(_DROPPED, sources.bus.stats),
    }
    for door, reasons in doors.items():
        for reason, count in reasons.items():
            yield (door, reason), count


def _after(prefix: str, stats: Mapping[str, int]) -> dict[str, int]:
    return {name.removeprefix(prefix): count for name, count in stats.items() if name.startswith(prefix)}
