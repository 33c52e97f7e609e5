"""
Every metric: its name, its kind, what it says and its labels.

``docs/reference/metrics.md`` is made from this. A label has few values, all of the server's own making: no id of
a user, no name that a client chose.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """
    One metric.

    Attributes:
        name: As Prometheus sees it; a counter ends in ``_total``.
        kind: A counter counts since the start of the process.
        text: What it says, in one line.
        labels: Names of its labels; with several workers ``worker`` comes before them.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"tocsin_{name}_total", "counter", text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"tocsin_{name}", "gauge", text, labels)


def _histogram(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"tocsin_{name}", "histogram", text, labels)


CATALOGUE: tuple[Metric, ...] = (
    # The process
    _gauge("build_info", "1; the release is in the label.", "version", "python"),
    _gauge("accepting", "1 while the node takes new clients and is not draining."),
    _histogram("loop_delay_seconds", "How late the event loop runs what is due, sampled twice a second."),
    # Connections
    _gauge("connections", "Connected clients.", "transport"),
    _gauge("sockets", "Clients connected to a namespace.", "namespace"),
    _gauge("readers", "Readers of server-sent events, who have no socket.", "namespace"),
    _gauge("users", "Users with a connection to this process, or reading server-sent events of it."),
    _counter("handshakes", "Engine.IO sessions that were opened."),
    _counter("disconnects", "Sessions that ended, by reason; `slow` is a client that did not read.", "reason"),
    _gauge("stalled_connections", "Clients that do not take now what is sent to them.", "transport"),
    _gauge("queued_bytes", "Bytes that wait for clients that do not take them.", "transport"),
    _counter("ephemeral_dropped", "Typing, presence and the like that was not sent to a slow client."),
    # Refusals
    _counter(
        "refusals",
        "What was refused, by door (`engine`, `connect`, `event`, `rest`, `bus`) and reason.",
        "door",
        "reason",
    ),
    # Events
    _counter("events_received", "Client events that a handler was given.", "namespace"),
    _counter("events_sent", "Events given to sockets, one for each.", "namespace"),
    _counter("events_committed", "Events that this process committed to streams.", "namespace"),
    _counter("events_replayed", "Events sent again from the log to clients that came back.", "namespace"),
    _counter("replays", "Clients that came back and were behind."),
    _counter("resyncs", "Clients told to fetch anew because their cursor could not be resumed, by reason.", "reason"),
    _counter("repairs", "Times that a wake-up was lost and the log was read instead."),
    # Streams
    _gauge("streams", "Streams that have sockets in this process.", "namespace"),
    _gauge("stream_lag_events", "Events that were sent and not yet acknowledged, over all streams.", "namespace"),
    _gauge("stream_lag_max_events", "The same of the stream that is farthest behind.", "namespace"),
    # The store
    _histogram("commit_seconds", "How long a transaction took, with its commit."),
    _histogram("commit_batch_size", "Writes that shared a transaction."),
    _counter("commits_retried", "Transactions that failed as a whole and were done again or refused one by one."),
    _gauge("store_queue", "Writes that wait for the writer."),
    _gauge("store_queue_bytes", "What they hold, about."),
    # Pushes
    _counter("deliveries", "Steps of the push ladder, by channel and outcome, as in traces.", "channel", "result"),
    _gauge("deliveries_under_way", "Deliveries that this process is at."),
    _gauge("delivery_late_seconds", "How long ago what was claimed last had become due."),
    _counter("push_targets", "Devices, browsers and channels sent to, by what came of it.", "channel", "result"),
    _histogram("push_seconds", "How long a provider took to answer.", "channel"),
    # REST
    _counter("http_requests", "Requests of the API; status 0: the client left first.", "method", "route", "status"),
    _histogram("http_request_seconds", "How long an answer took.", "route"),
    # The bus
    _gauge("bus_connected", "1 while every connection to Redis is up and heard; there without Redis, too."),
    _histogram("bus_echo_seconds", "How long a message takes through Redis and back, measured every five seconds."),
    _gauge("bus_waiting", "Messages that wait for Redis."),
    _gauge("bus_channels", "Channels that this process listens to."),
    _counter("bus_published", "Messages that Redis took."),
    _counter("bus_received", "Messages of other nodes."),
    _counter("bus_reconnects", "Times that a connection to Redis was made again."),
    # Upkeep
    _counter("retention_dropped", "Rows that were past their time, by table.", "table"),
    _counter("retention_failures", "Rounds of retention that failed."),
)

PROCESS_TEXT = "Of the process, as the client library of Prometheus tells them (on Linux)."
PROCESS_METRICS: tuple[str, ...] = (
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
)
