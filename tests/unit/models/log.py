"""Reads the streams of a database, as another process would."""

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.pool import NullPool


def engine_of(url: str, **options) -> Engine:
    """Return what a host reaches a database with, by the driver that is here."""
    there = make_url(url)
    if there.get_backend_name() == "postgresql":
        return create_engine(there.set(drivername="postgresql+psycopg"))
    return create_engine(there, connect_args=options)


@contextmanager
def hosts_engine(url: str, **options) -> Iterator[Engine]:
    engine = engine_of(url, **options)
    yield engine
    engine.dispose()


class Log:
    def __init__(self, url: str) -> None:
        self._engine = create_engine(engine_of(url).url, poolclass=NullPool)

    def rows(self, statement: str) -> list:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def events(self) -> list:
        """Return (user, namespace, seq, event) in the order of writing."""
        return self.rows("SELECT user_id, namespace, seq, event FROM tocsin_stream_event ORDER BY event_id")

    def payloads(self) -> list:
        found = self.rows("SELECT payload FROM tocsin_stream_event ORDER BY event_id")
        return [orjson.loads(payload) for (payload,) in found]

    def count(self, table: str) -> int:
        return self.rows(f"SELECT count(*) FROM {table}")[0][0]

    def is_without_gaps(self) -> bool:
        """Return whether every stream has each seq from 1 to its head."""
        heads = self.rows("SELECT user_id, namespace, seq FROM tocsin_stream")
        events = set(self.rows("SELECT user_id, namespace, seq FROM tocsin_stream_event"))
        return events == {(user, namespace, seq) for user, namespace, head in heads for seq in range(1, head + 1)}
