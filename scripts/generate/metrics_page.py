"""The page of the metrics, from ``tocsin.metrics.catalogue``: nothing about metrics is decided here."""

from tocsin.application.meters import SECONDS, SIZES
from tocsin.metrics.catalogue import CATALOGUE, PROCESS_METRICS, PROCESS_TEXT, Metric

HEAD = """\
# Metrics

<!-- Made by scripts/generate from tocsin.metrics.catalogue. Do not edit. -->

`GET /metrics` tells these, as text for Prometheus or OpenMetrics; [Observe it](../how-to/observe.md) tells how to
read them. With several workers each series has the label `worker`, the number that the log has, too. Counters count
since the start of a process.

A label has few values, all of the server's own making. No id of a user, no path with an id in it and no name that a
client chose is among them.

| metric | kind | labels | |
|---|---|---|---|
"""
TAIL = """
Histograms have ranges up to {seconds} s; that of sizes up to {sizes}.

## Refusals

`tocsin_refusals_total` has a door and a reason. The reasons of `connect`, `event` and `rest` are the
[codes](rest.md#refusals) of the problems that were answered.

| door | what was refused | reasons |
|---|---|---|
"""
ENGINE_REASONS = (
    *("origin", "handshake_rate", "address", "draining", "malformed", "frame_rate", "event_rate", "namespaces"),
    *("header", "connect_timeout", "slow", "sid", "unknown_namespace", "unknown_event", "arguments", "binary"),
    *("bad_request", "method", "overlap", "protocol_version", "transport", "upgraded"),
)
BUS_REASONS = (
    *("wrong_signature", "unsigned", "signed", "malformed", "too_big", "other_version", "other_database"),
    *("not_json", "too_big_to_send", "queue_full", "failed"),
)
DOORS = (
    ("engine", "requests for a session, and sessions that broke a rule of the wire", ENGINE_REASONS),
    ("connect", "CONNECT of a namespace", ("unauthenticated", "forbidden", "rate_limited", "invalid")),
    ("event", "client events", ("rate_limited", "invalid", "not_found", "conflict", "…")),
    ("rest", "requests", ("unauthenticated", "forbidden", "foreign_origin", "invalid", "rate_limited", "…")),
    ("bus", "messages from Redis, and what could not be sent there", BUS_REASONS),
)


def files() -> dict[str, str]:
    """Return the page by its path."""
    return {"docs/reference/metrics.md": render()}


def render() -> str:
    """Return the whole page."""
    rows = [_row(metric) for metric in CATALOGUE]
    rows.append(f"| {' · '.join(f'`{name}`' for name in PROCESS_METRICS)} | | | {PROCESS_TEXT} |\n")
    tail = TAIL.format(seconds=_numbers(SECONDS), sizes=_numbers(SIZES))
    doors = [f"| `{door}` | {what} | {' '.join(f'`{one}`' for one in reasons)} |\n" for door, what, reasons in DOORS]
    return "".join([HEAD, *rows, tail, *doors])


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |\n"


def _numbers(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:g}" for bound in bounds)
