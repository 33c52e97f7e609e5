"""The command line of the doctor."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text

from tocsin.cli.doctor import database, keys, machine, push, redis_bus, settings_look, url
from tocsin.cli.doctor.finding import Finding, safely

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(
    url: Annotated[
        str | None, typer.Option(help="A running server as browsers have it: https://app.example.com")
    ] = None,
    token: Annotated[str | None, typer.Option(help="A user's token, to be checked at --url.")] = None,
    idle: Annotated[float, typer.Option(min=0, max=40, help="Seconds to hold a WebSocket at --url.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """
    Look for what is wrong, and say what to do about it.

    Settings, secrets, database, Redis, push, the machine; with --url the way through proxies too. It changes
    nothing and shows no secret. Ends with status 1 where there is a problem.
    """
    found = []
    for finding in examine(url, token, idle):
        found.append(finding)
        if not as_json:
            _print(finding)
    count = {level: sum(one.level == level for one in found) for level in _COLOURS}
    if as_json:
        told: dict[str, Any] = {
            "findings": [one.json() for one in found],
            **{f"{name}s": count[name] for name in count},
        }
        told["ok"] = told.pop("oks")
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    else:
        typer.echo(
            f"{_counted(count['problem'], 'problem')}, {_counted(count['warning'], 'warning')}, {count['ok']} ok"
        )
    raise typer.Exit(1 if count["problem"] else 0)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def examine(address: str | None = None, token: str | None = None, idle_s: float = 0.0) -> Iterable[Finding]:
    """Look at everything, one thing after the other; what fails to be looked at is a problem itself."""
    settings, wrong = settings_look.read()
    yield from wrong
    if settings is not None:
        for look in (settings_look.look, keys.look, machine.look, database.look, redis_bus.look, push.look):
            yield from safely(look.__module__.rpartition(".")[2], partial(look, settings))
    if address is not None:
        yield from safely("url", partial(url.look, address, token, idle_s))


def _print(finding: Finding) -> None:
    console = Console(soft_wrap=True, highlight=False)
    line = Text(f"{finding.level:<8} {finding.area:<10} {finding.text}")
    line.stylize(_COLOURS[finding.level], 0, len(finding.level))
    if finding.advice:
        line.append(f"\n{'':<19} → {finding.advice}", style="dim")
    console.print(line)
