"""
The command line: one small module a command, none of which decides a rule.

What can't work is told in one line on stderr, with exit status 1; with 2 where only another setting or
argument would help, so that a supervisor need not try again.
"""

import sys

import typer

from tocsin.bootstrap import StartError
from tocsin.cli.database import database, prune
from tocsin.cli.demo import demo
from tocsin.cli.prove.command import prove
from tocsin.cli.prove.stack import CannotProve
from tocsin.cli.send import send
from tocsin.cli.serve import serve
from tocsin.cli.token import token
from tocsin.cli.trace import trace
from tocsin.domain.errors import TocsinError
from tocsin.settings import SettingsError

app = typer.Typer(
    name="tocsin",
    help="Real-time notifications that are never lost and never repeated.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (serve, demo, token, send, trace, prune, prove):
    app.command()(command)
app.add_typer(database)


def main() -> None:
    """Run the command line; the entry point of ``tocsin``."""
    try:
        app()
    except SettingsError as error:
        typer.echo(f"tocsin: {error}", err=True)
        sys.exit(2)
    except (CannotProve, StartError, TocsinError) as error:
        sys.exit(f"tocsin: {error}")
