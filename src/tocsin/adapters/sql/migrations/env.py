"""Alembic's entry: runs the steps on the connection that ``migrate`` opened."""

from alembic import context

from tocsin.adapters.sql.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
