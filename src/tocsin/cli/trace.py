"""``tocsin trace``: why somebody did, or didn't, get a notification, from the database alone."""

import sys
from typing import Annotated
from unicodedata import category

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.application.journeys import Journeys
from tocsin.bootstrap.core import open_journeys
from tocsin.cli.store import with_store
from tocsin.domain.journey import Journey, Step
from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import parse_user_id
from tocsin.settings import Settings

_MARKS = {
    "stored": "●",
    "read": "✓",
    "seen": "✓",
    "acked": "✓",
    "arrived": "✓",
    "planned": "…",
    "not_acked": "?",
}


def trace(
    notification_id: Annotated[str, typer.Argument(metavar="ID", help="The notification's id.")],
    user: Annotated[str | None, typer.Option(help="Whose it is: finds more of one that was deleted.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The JSON of GET /api/notifications/{id}/trace.")] = False,
) -> None:
    """
    Tell the way of one notification over every device and channel, and why one was skipped.

    It reads the database, with and without a running server. Which sessions were connected only the servers know:
    the dashboard, and GET /api/notifications/{id}/trace, ask them.
    """
    settings = Settings()
    owner = None if user is None else parse_user_id(user, "--user")

    async def find(journeys: Journeys) -> Journey:
        return await journeys.trace(notification_id, owner)

    journey = with_store(lambda store: find(open_journeys(store, settings)), reads_only=True)
    if as_json:
        sys.stdout.write(orjson.dumps(journey.json(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _show(journey, Console(highlight=False))


def _show(journey: Journey, console: Console) -> None:
    record, told = journey.record, journey.json()
    console.print(Text(_visible(str(told["title"] or record.notification_id)), "bold"))
    about = [f"to {record.user_id}", *(str(told[name]) for name in ("type", "category", "priority") if told[name])]
    console.print(Text(_visible(" · ".join([*about, journey.state, record.notification_id])), "dim"))
    console.print()
    console.print(Text(_visible(journey.verdict), "bold green" if journey.verdict.startswith("Yes") else "bold yellow"))
    console.print()
    table = Table.grid(padding=(0, 2))
    for width in (1, 24, 8):
        table.add_column(min_width=width, no_wrap=True)
    table.add_column(overflow="fold")
    for step in journey.timeline:
        table.add_row(*_row(step))
    console.print(table)
    for sentence in journey.unknown:
        console.print(Text(_visible(f"? {sentence}"), "dim"))


def _row(step: Step) -> tuple[Text, Text, Text, Text]:
    mark = "✗" if step.is_bad else _MARKS.get(step.kind, "·")
    where = f" [{step.label}]" if step.label else ""
    style = "yellow" if step.is_bad else ""
    return (
        Text(mark, style),
        Text("" if step.at is None else iso(step.at), "dim"),
        Text(step.channel, "cyan"),
        Text(_visible(step.text + where), style),
    )


def _visible(text: str) -> str:
    """Return it without control characters: a title or a device's name must not speak to the operator's terminal."""
    return "".join("\N{REPLACEMENT CHARACTER}" if category(one) == "Cc" else one for one in text)
