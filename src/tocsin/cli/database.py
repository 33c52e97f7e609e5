"""``tocsin db`` and ``tocsin prune``: upkeep of the database."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import make_url

from tocsin.adapters.sql import deliveries, sqlite_path, upgrade_schema
from tocsin.adapters.sql.backup import BackupFailed, back_up
from tocsin.adapters.sql.store import SqlStore
from tocsin.application.retention import Retention
from tocsin.bootstrap import explained, kept_by
from tocsin.cli.store import with_store
from tocsin.settings import Settings

_ROWS_A_TURN = 500

database = typer.Typer(name="db", help="Upkeep of the database.", no_args_is_help=True)


@database.command()
def upgrade() -> None:
    """Bring the schema to this release; `tocsin serve` does so too."""
    url = Settings().database_url
    with explained(url):
        typer.echo(f"schema {upgrade_schema(url)}")


@database.command()
def backup(file: Annotated[Path, typer.Argument(help="A new file, readable by its owner alone.")]) -> None:
    """
    Write a copy of the SQLite file, of one instant, while the server runs.

    PostgreSQL has pg_dump and archiving of its own.
    """
    url = Settings().database_url
    if not url.startswith("sqlite"):
        where = make_url(url).set(drivername="postgresql").render_as_string()
        raise BackupFailed(f"this is for SQLite; of PostgreSQL: pg_dump --format=custom --file={file} '{where}'")
    typer.echo(f"{file}: {back_up(Path(sqlite_path(url)), file):,} bytes")


@database.command()
def new_epoch(
    no_push: Annotated[
        bool, typer.Option("--no-push", help="Push nothing of what waited for it when the backup was made.")
    ] = False,
) -> None:
    """
    Begin a new life of the streams after a restore from a backup.

    Every client then refetches instead of resuming from a cursor that means
    something else now. Stop the server first.
    """

    async def begin(store: SqlStore) -> str:
        if no_push:
            while await store.write(lambda transaction: deliveries.drop(transaction, _ROWS_A_TURN)):
                pass
        return await store.new_epoch()

    typer.echo(f"epoch {with_store(begin)}")


def prune() -> None:
    """Drop what is past its retention now; the server does so every ten minutes."""
    dropped = with_store(lambda store: Retention(store, kept_by(Settings())).prune())
    typer.echo(", ".join(f"{table} {rows}" for table, rows in dropped.items()) or "nothing")
