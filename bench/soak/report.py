"""The figures of a soak as Markdown, on the terminal and between two marks of the documentation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGIN = "<!-- soak: written by `python -m bench.soak --publish` -->\n"
END = "<!-- end of soak -->\n"


def markdown(results: Mapping[str, Any]) -> str:
    """Return what was seen, a line each; what is not as it has to be is said so."""
    latency = ", ".join(f"{name} {value:,.1f} ms" for name, value in results["latency_ms"].items())
    answers = ", ".join(f"{name} {value:,.1f} ms" for name, value in results["answer_ms"].items())
    asked = results["arguments"]
    size = f"{asked['minutes']:g} minutes, {asked['clients']:,} clients, {asked['rate']:,.0f} notifications a second"
    lines = [
        f"{size}: {results['sessions']:,} sessions, {results['shown']:,} deliveries",
        "",
        *(f"- {'' if one['is_good'] else '**NOT GOOD** '}{one['text']}" for one in results["sentences"]),
        f"- POST to socket: {latency}",
        f"- POST to its answer, committed: {answers}",
        f"- the loop was late by {results['loop_delay_p99_ms']:.0f} ms at most (p99 of five seconds)",
        f"- {results['database_bytes_an_event']:,.0f} bytes of database a notification",
        f"- {results['reads']:,} inboxes read over REST",
    ]
    return "\n".join(lines) + "\n"


def publish(page: Path, figures: str) -> None:
    """Put the figures and the plot between the marks of a page."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    picture = "![Memory, latency, deliveries and clients over time](../images/soak.svg)"
    page.write_text(f"{before}{begin}\n{picture}\n\n{figures}\n{end}{after}")
