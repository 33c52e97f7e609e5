"""
Write the page of the metrics: ``docs/reference/metrics.md``.

    python scripts/generate_metrics_page.py            writes the file
    python scripts/generate_metrics_page.py --check    exits 1 when it would change

The catalogue is ``tocsin.metrics.catalogue``; nothing about metrics is decided here.
"""

import argparse
import sys
from pathlib import Path

from tocsin.application.meters import SECONDS, SIZES
from tocsin.metrics.catalogue import CATALOGUE, PROCESS_METRICS, PROCESS_TEXT, Metric

TARGET = Path(__file__).parent.parent / "docs" / "reference" / "metrics.md"

HEAD = """\
# Metrics

<!-- Made by scripts/generate_metrics_page.py from tocsin.metrics.catalogue. Do not edit. -->

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
    *("not_json", "queue_full", "failed"),
)
DOORS = (
    ("engine", "requests for a session, and sessions that broke a rule of the wire", ENGINE_REASONS),
    ("connect", "CONNECT of a namespace", ("unauthenticated", "forbidden", "rate_limited", "invalid")),
    ("event", "client events", ("rate_limited", "invalid", "not_found", "conflict", "…")),
    ("rest", "requests", ("unauthenticated", "forbidden", "foreign_origin", "invalid", "rate_limited", "…")),
    ("bus", "messages from Redis, and what could not be sent there", BUS_REASONS),
)


def main() -> int:
    """Write the file, or compare it; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the page of the metrics.")
    parser.add_argument("--check", action="store_true", help="exit 1 when the file is out of date")
    is_check = parser.parse_args().check
    text = render()
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    if is_check:
        print(f"{TARGET.name} is out of date: run python scripts/generate_metrics_page.py", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
