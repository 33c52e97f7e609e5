"""Tokens that count no more."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from tocsin.adapters.sql.schema.registry import metadata

# ``kind`` is user or token, ``name`` a user id or a jti.
revocation = Table(
    "tocsin_revocation",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
Index("ix_tocsin_revocation_created_at", revocation.c.created_at)
Index("ix_tocsin_revocation_expires_at", revocation.c.expires_at)
