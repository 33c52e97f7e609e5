"""``tocsin db`` and ``tocsin prune``: upkeep of the database."""

import typer

from tocsin.adapters.sql import upgrade_schema
from tocsin.application.retention import Retention
from tocsin.bootstrap import explained
from tocsin.cli.store import with_store
from tocsin.settings import Settings

database = typer.Typer(name="db", help="Upkeep of the database.", no_args_is_help=True)


@database.command()
def upgrade() -> None:
    """Bring the schema to this release; `tocsin serve` does so too."""
    url = Settings().database_url
    with explained(url):
        typer.echo(f"schema {upgrade_schema(url)}")


@database.command()
def new_epoch() -> None:
    """
    Begin a new life of the streams after a restore from a backup.

    Every client then refetches instead of resuming from a cursor that means
    something else now. Stop the server first.
    """
    typer.echo(f"epoch {with_store(lambda store: store.new_epoch())}")


def prune() -> None:
    """Drop what is past its retention now; the server does so every ten minutes."""
    dropped = with_store(lambda store: Retention(store).prune())
    typer.echo(", ".join(f"{table} {rows}" for table, rows in dropped.items()) or "nothing")
