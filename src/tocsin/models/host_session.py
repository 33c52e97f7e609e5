"""
A part of ours in a transaction of a host's session: it wakes nobody before the commit.

What is written in it is said by who uses it. All of it belongs to the
session's thread.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, SessionTransaction

from tocsin.adapters.sql.transaction import HostTransaction
from tocsin.bootstrap import bridge_here, settings_here
from tocsin.domain.errors import Conflict, Invalid, NotInitialized
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import now_ms
from tocsin.settings import SettingsError

_IN_SESSION = "tocsin"

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
        if connection.dialect.name != "sqlite":
            raise Invalid(f"tocsin's tables can't be in {connection.dialect.name} yet, only in an SQLite file")
        _refuse_autocommit(connection)
        _look_whose_file(connection)
        transaction = HostTransaction(connection, now_ms())
        try:
            yield transaction
        except BaseException as error:
            if transaction.has_written and (current := _innermost(session)) is not None:
                self.spoilt.add(current)
            if isinstance(error, OperationalError) and "no such table: tocsin_" in str(error):
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
    # The driver begins none by itself then, so that there would be one by now.
    if getattr(driver, "isolation_level", "") is None and not driver.in_transaction:
        raise Invalid(
            "the session's connection commits each statement by itself (AUTOCOMMIT), and an event could not be "
            "committed with its rows or not at all: use another isolation level for this session"
        )


def _look_whose_file(connection: Connection) -> None:
    """Say in the log, once a connection, when the server that is known here reads another file."""
    if connection.info.setdefault(_IN_SESSION, False):
        return
    connection.info[_IN_SESSION] = True
    try:
        servers = settings_here().database_url.removeprefix("sqlite:///")
    except (NotInitialized, SettingsError):
        return
    row = connection.exec_driver_sql("PRAGMA database_list").first()
    own = "" if row is None else row[2]
    if not own or not Path(servers).exists() or not Path(servers).samefile(own):
        _log.warning(
            "nobody will hear of what this session commits: its database is %s, the server's is %s; "
            "set TOCSIN_DATABASE_URL to the session's",
            own or "in memory",
            servers,
        )
