"""Reads the streams of a database file, as another process would."""

import sqlite3

import orjson


class Log:
    def __init__(self, path: str) -> None:
        self._path = path

    def rows(self, statement: str) -> list:
        connection = sqlite3.connect(self._path)
        found = connection.execute(statement).fetchall()
        connection.close()
        return found

    def events(self) -> list:
        """Return (user, namespace, seq, event) in the order of writing."""
        return self.rows("SELECT user_id, namespace, seq, event FROM tocsin_stream_event ORDER BY rowid")

    def payloads(self) -> list:
        found = self.rows("SELECT payload FROM tocsin_stream_event ORDER BY rowid")
        return [orjson.loads(payload) for (payload,) in found]

    def count(self, table: str) -> int:
        return self.rows(f"SELECT count(*) FROM {table}")[0][0]

    def is_without_gaps(self) -> bool:
        """Return whether every stream has each seq from 1 to its head."""
        heads = self.rows("SELECT user_id, namespace, seq FROM tocsin_stream")
        events = set(self.rows("SELECT user_id, namespace, seq FROM tocsin_stream_event"))
        return events == {(user, namespace, seq) for user, namespace, head in heads for seq in range(1, head + 1)}
