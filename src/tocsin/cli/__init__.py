"""
The command line: one small module a command, none of which decides a rule.

What can't work is told in one line on stderr, with exit status 1; with 2 where only another setting or
argument would help, so that a supervisor need not try again.
"""

import sys
from typing import Annotated, ClassVar

import typer

from tocsin import __version__
from tocsin.cli.lazy import Command, LazyGroup
from tocsin.domain.errors import TocsinError


class Commands(LazyGroup):
    """The commands of ``tocsin``."""

    COMMANDS: ClassVar[dict[str, Command]] = {
        "serve": Command("tocsin.cli.serve:serve", "Serve REST, Socket.IO and the browser client on one port."),
        "demo": Command("tocsin.cli.demo:demo", "Serve the demo page: two users, every event, and plugs to pull."),
        "token": Command("tocsin.cli.token:token", "Print a token that this server accepts."),
        "send": Command("tocsin.cli.send:send", "Store a notification in the database and print its id."),
        "trace": Command(
            "tocsin.cli.trace:trace",
            "Tell the way of one notification over every device and channel, and why one was skipped.",
        ),
        "prune": Command("tocsin.cli.database:prune", "Drop what is past its retention now."),
        "export": Command("tocsin.cli.users:export", "Write everything that is kept of a user as JSON."),
        "erase": Command("tocsin.cli.users:erase", "Erase everything that is kept of a user."),
        "doctor": Command("tocsin.cli.doctor.command:doctor", "Look for what is wrong, and say what to do about it."),
        "prove": Command(
            "tocsin.cli.prove.command:prove",
            "Break servers of its own under load; print what was lost, doubled, misordered.",
        ),
        "db": Command("tocsin.cli.database:database", "Upkeep of the database."),
    }


app = typer.Typer(
    name="tocsin",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"Tocsin {__version__}")
        raise typer.Exit


@app.callback()
def tocsin(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Real-time notifications that are never lost and never repeated."""


def main() -> None:
    """Run the command line; the entry point of ``tocsin``."""
    try:
        app()
    except TocsinError as error:
        sys.exit(f"tocsin: {error}")
    except Exception as error:
        # The classes of what can't work are of modules that not every command loads.
        status = getattr(error, "exit_status", None)
        if status is None:
            raise
        typer.echo(f"tocsin: {error}", err=True)
        sys.exit(status)
