"""Our tables in a host's own database, made by the host's migrations."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, Text
from sqlalchemy.dialects.postgresql import TEXT

from tocsin.adapters.sql import schema

if TYPE_CHECKING:
    from flask import Flask


def add_tables(metadata: MetaData) -> None:
    """
    Copy our tables into a host's metadata, for ``flask db migrate`` and ``create_all``.

    The copies have plain types: the migrations made from them need nothing of
    ours. Tables that are there already are left. On PostgreSQL their text sorts
    by bytes, as on SQLite, whatever the language of the database.
    """
    for table in schema.metadata.sorted_tables:
        if table.name not in metadata.tables:
            for column in table.to_metadata(metadata).c:
                if isinstance(column.type, Text):
                    column.type = Text().with_variant(TEXT(collation="C"), "postgresql")


def add_tables_of(app: "Flask") -> None:
    """
    Do so for the Flask-SQLAlchemy of an application, now or as soon as it is there.

    ``db.init_app(app)`` may come later: it is looked for in each application
    context, in one of which every command and every request runs.
    """

    def look(*_: object, **__: Any) -> bool:
        database = app.extensions.get("sqlalchemy")
        if database is None:
            return False
        add_tables(database.metadata)
        return True

    if not look():
        from flask import appcontext_pushed  # noqa: PLC0415 only hosts with Flask have it

        appcontext_pushed.connect(look, app, weak=False)
