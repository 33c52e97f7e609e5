"""Users who are being erased; a row goes when nothing of its user is left."""

from sqlalchemy import BigInteger, Column, Table, Text

from tocsin.adapters.sql.schema.registry import metadata

erasure = Table(
    "tocsin_erasure",
    metadata,
    Column("user_id", Text, primary_key=True),
    # Stands for the user where a row of somebody else's has to name them.
    Column("alias", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    # When somebody has to go on with it: whoever does holds it until then.
    Column("due_at", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
)
