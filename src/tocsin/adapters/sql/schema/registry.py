"""What all tables have in common, and Alembic's own."""

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Alembic's, as it makes it. Here so that a host's autogenerate keeps it; it has
# a row where the migrations of tocsin are at work, none where the host's are.
VERSION_TABLE = "tocsin_version"
version = Table(
    VERSION_TABLE,
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="tocsin_version_pkc"),
)
