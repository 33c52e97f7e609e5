"""
A part of ours in a transaction of a host's session: it wakes nobody before the commit.

What is written in it is said by who uses it. All of it belongs to the
session's thread.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, SessionTransaction

from tocsin.adapters.sql.host_transaction import HostTransaction
from tocsin.bootstrap import bridge_here, settings_here
from tocsin.domain.errors import Conflict, Invalid, NotInitialized
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import now_ms
from tocsin.settings import SettingsError

_IN_SESSION = "tocsin"
_NO_TABLE = re.compile('no such table: tocsin_|relation "tocsin_[a-z_]+" does not exist')

_log = logging.getLogger(__name__)


class HostSession:
    """
    What is remembered of a host's session, till its outermost transaction ends.

    Attributes:
        grown: Streams to wake after the commit. A savepoint that is rolled back leaves its own
            here: they are woken in vain, which harms nobody.
        told: What the flush that runs has told of already; None between flushes.
        spoilt: Transactions with a half of one of our writes in them, which must not be committed.
    """

    def __init__(self, session: Session) -> None:
        self.grown: dict[StreamKey, None] = {}
        self.told: set[int] | None = None
        self.spoilt: set[SessionTransaction] = set()
        event.listen(session, "before_commit", self._refuse_half)
        event.listen(session, "after_commit", self._wake)
        event.listen(session, "after_transaction_end", self._forget)

    @classmethod
    def of(cls, session: Session) -> "HostSession":
        """Return the one of a session."""
        known: HostSession | None = session.info.get(_IN_SESSION)
        if known is None:
            known = session.info[_IN_SESSION] = cls(session)
        return known

    @contextmanager
    def writing(self, session: Session, connection: Connection) -> Iterator[HostTransaction]:
        """
        Yield the session's transaction for one write; what it appends is woken after the commit.

        Raises:
            NotInitialized: The session's database has no tables of tocsin.
            Invalid: It is of a kind that is not supported.
        """
        if connection.dialect.name not in ("sqlite", "postgresql"):
            raise Invalid(f"tocsin's tables can't be in {connection.dialect.name}, only in SQLite or PostgreSQL")
        _refuse_autocommit(connection)
        _look_whose_database(connection)
        transaction = HostTransaction(connection, now_ms())
        try:
            yield transaction
        except BaseException as error:
            if transaction.has_written and (current := _innermost(session)) is not None:
                self.spoilt.add(current)
            if isinstance(error, DBAPIError) and _NO_TABLE.search(str(error)):
                raise NotInitialized(
                    "the session's database has no tables of tocsin: run `flask db migrate` and `flask db upgrade` "
                    "(or `tocsin db upgrade`)"
                ) from error
            raise
        self.grown |= dict.fromkeys(one.key for one in transaction.events)

    def _refuse_half(self, _session: Session) -> None:
        if self.spoilt:
            raise Conflict("a write to tocsin's streams failed halfway in this transaction: roll it back")

    def _wake(self, session: Session) -> None:
        # A savepoint's end is told as a commit, too.
        if not self.grown or session.get_nested_transaction() is not None:
            return
        keys = list(self.grown)
        self.grown.clear()
        try:
            bridge_here().wake(keys)
        except Exception:  # noqa: BLE001 logged
            # It is committed, and the nodes look for themselves every few seconds.
            _log.warning("nobody was woken by a commit of the host", exc_info=True)

    def _forget(self, _session: Session, ended: SessionTransaction) -> None:
        self.spoilt.discard(ended)
        if ended.parent is None:
            self.grown.clear()
        if not ended.nested:
            self.told = None  # a flush has a transaction of its own inside the session's


def _innermost(session: Session) -> SessionTransaction | None:
    return session.get_nested_transaction() or session.get_transaction()


def _refuse_autocommit(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    # That of SQLite begins no transaction by itself then, so that there would be one by now.
    if connection.dialect.name == "sqlite":
        is_alone = getattr(driver, "isolation_level", "") is None and not driver.in_transaction
    else:
        is_alone = bool(getattr(connection.connection.dbapi_connection, "autocommit", False))
    if is_alone:
        raise Invalid(
            "the session's connection commits each statement by itself (AUTOCOMMIT), and an event could not be "
            "committed with its rows or not at all: use another isolation level for this session"
        )


def _look_whose_database(connection: Connection) -> None:
    """Say in the log, once a connection, when the server that is known here has another database."""
    if connection.info.setdefault(_IN_SESSION, False):
        return
    connection.info[_IN_SESSION] = True
    try:
        servers = settings_here().database_url
    except (NotInitialized, SettingsError):
        return
    look = _other_file if connection.dialect.name == "sqlite" else _other_database
    if (own := look(connection, servers)) is not None:
        _log.warning(
            "nobody will hear of what this session commits: its database is %s, the server's is %s; "
            "set TOCSIN_DATABASE_URL to the session's",
            own,
            servers.removeprefix("sqlite:///") if servers.startswith("sqlite") else make_url(servers),
        )


def _other_file(connection: Connection, servers: str) -> str | None:
    row = connection.exec_driver_sql("PRAGMA database_list").first()
    own: str = "" if row is None else row[2]
    file = Path(servers.removeprefix("sqlite:///"))
    return None if own and file.exists() and file.samefile(own) else own or "in memory"


def _other_database(connection: Connection, servers: str) -> str | None:
    # A host has many names, and a pooler one of its own: only that of the database tells.
    own, there = connection.engine.url, make_url(servers)
    is_same = there.get_backend_name() == "postgresql" and there.database == own.database
    return None if is_same else str(own)
