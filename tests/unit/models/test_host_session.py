"""What a host's transaction wakes: after its commit, once, and never so that the commit fails."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tocsin import bridge
from tocsin.adapters.sql import streams
from tocsin.bootstrap import publish_with
from tocsin.domain.errors import Conflict, Invalid, NotInitialized
from tocsin.host_transaction import publish_in
from tocsin.models import ChatMessage, Notification
from tocsin.settings import Settings


@pytest.fixture
def with_savepoints(engine):
    """Let SQLAlchemy begin transactions itself, as its documentation says for savepoints in SQLite."""
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))


def test_a_commit_wakes_each_stream_once(session, woken):
    """Not before, and with what flush and publish_in appended together."""
    session.add_all([Notification(user_id=7, title="a"), Notification(user_id=7, title="b")])
    session.flush()
    publish_in(session, "/orders", "order_updated", [8, 7], {})
    session.add(ChatMessage(from_user_id=7, to_user_id=9, message="x"))
    assert [] == woken
    session.commit()

    (keys,) = woken
    wanted = [("7", "/chat"), ("7", "/notifications"), ("7", "/orders"), ("8", "/orders"), ("9", "/chat")]
    assert wanted == sorted(keys)


def test_a_rollback_wakes_nobody(session, woken, log):
    """Nothing was published, and the next commit does not make up for it."""
    session.add(Notification(user_id=7, title="a"))
    publish_in(session, "/orders", "order_updated", 7, {})
    session.rollback()
    session.execute(text("SELECT 1"))
    session.commit()

    assert [] == woken
    assert [] == log.events()


def test_closing_without_a_commit_wakes_nobody(session, woken, log):
    """The session may be used again after it."""
    publish_in(session, "/orders", "order_updated", 7, {})
    session.close()
    publish_in(session, "/orders", "order_updated", 8, {})
    session.commit()

    assert [[("8", "/orders")]] == woken
    assert [("8", "/orders", 1, "order_updated")] == log.events()


@pytest.mark.usefixtures("with_savepoints")
def test_a_savepoint_wakes_with_the_outermost_commit(session, woken, log):
    """Its own end is no commit."""
    session.execute(text("SELECT 1"))
    with session.begin_nested():
        publish_in(session, "/orders", "order_updated", 7, {})
        with session.begin_nested():
            session.add(Notification(user_id=7, title="a"))
    assert [] == woken
    assert [] == log.events()
    session.commit()

    assert [[("7", "/orders"), ("7", "/notifications")]] == woken


@pytest.mark.usefixtures("with_savepoints")
def test_a_savepoint_that_is_rolled_back_takes_its_events_along(session, log):
    """The seqs are given out again: no gap."""
    publish_in(session, "/orders", "order_updated", 7, {"order_id": 1})
    with suppress(KeyError), session.begin_nested():
        publish_in(session, "/orders", "order_updated", 7, {"order_id": 2})
        session.add(Notification(user_id=7, title="a"))
        session.flush()
        raise KeyError
    publish_in(session, "/orders", "order_updated", 7, {"order_id": 3})
    session.commit()

    assert [1, 3] == [one["order_id"] for one in log.payloads()]
    assert log.is_without_gaps()


def test_a_commit_holds_though_nobody_can_be_woken(session, log, caplog):
    """It is logged; the nodes look for themselves."""

    class Broken:
        core = None

        def wake(self, _keys):
            raise RuntimeError("no")

    broken = Broken()
    bridge.attach(broken)
    try:
        publish_in(session, "/orders", "order_updated", 7, {})
        session.commit()
    finally:
        bridge.detach(broken)

    assert 1 == len(log.events())
    assert "nobody was woken" in caplog.text


def test_half_a_write_is_never_committed(session, log, monkeypatch, new_session):
    """A host that goes on after an error in the middle is stopped at its commit: a gap would never close."""

    def fail(*_):
        raise OSError("disk")

    publish_in(session, "/orders", "order_updated", 7, {})
    with monkeypatch.context() as broken:
        broken.setattr(streams, "put_events", fail)
        with pytest.raises(OSError, match="disk"):
            publish_in(session, "/orders", "order_updated", 7, {})
    with pytest.raises(Conflict, match="roll it back"):
        session.commit()
    session.rollback()
    publish_in(session, "/orders", "order_updated", 7, {})
    session.commit()

    assert [1] == [seq for _, _, seq, _ in log.events()]


@pytest.mark.usefixtures("with_savepoints")
def test_half_a_write_can_be_left_to_its_savepoint(session, log, monkeypatch):
    """Once that is rolled back, the rest may be committed."""

    def fail(*_):
        raise OSError("disk")

    publish_in(session, "/orders", "order_updated", 7, {})
    with monkeypatch.context() as broken:
        broken.setattr(streams, "put_events", fail)
        with pytest.raises(OSError, match="disk"), session.begin_nested():
            publish_in(session, "/orders", "order_updated", 7, {})
    publish_in(session, "/orders", "order_updated", 7, {})
    session.commit()

    assert [1, 2] == [seq for _, _, seq, _ in log.events()]


def test_a_database_without_our_tables_is_told_so(tmp_path):
    """In one line that says what to run."""
    engine = create_engine(f"sqlite:///{tmp_path / 'other.db'}", poolclass=NullPool)
    with Session(engine) as session:
        with pytest.raises(NotInitialized, match="run `flask db migrate` and `flask db upgrade`"):
            publish_in(session, "/orders", "order_updated", 7, {})
        session.rollback()
        session.add(Notification(user_id=7, title="a"))
        with pytest.raises(NotInitialized, match="flask db upgrade"):
            session.commit()
        session.rollback()


def test_another_kind_of_database_is_refused():
    """Before anything is sent to it."""

    class Dialect:
        name = "mysql"

    class Connection:
        dialect = Dialect()

    class Elsewhere(Session):
        def connection(self, **_):
            return Connection()

    with pytest.raises(Invalid, match="can't be in mysql, only in SQLite or PostgreSQL"):
        publish_in(Elsewhere(), "/orders", "order_updated", 7, {})


@pytest.mark.parametrize("is_the_servers", [True, False])
def test_another_database_than_the_servers_is_told_once(url, session, log, caplog, is_the_servers):
    """What is committed there would be heard by nobody."""
    own = url.removeprefix("sqlite:///")
    publish_with(Settings(database_url=url if is_the_servers else url + "other"))
    try:
        for title in ("a", "b"):
            session.add(Notification(user_id=7, title=title))
            session.commit()
    finally:
        publish_with(None)

    lines = [record.getMessage() for record in caplog.records if "TOCSIN_DATABASE_URL" in record.getMessage()]
    named = [line.partition("database is ")[2].partition(",")[0].replace("+psycopg", "") for line in lines]
    assert ([] if is_the_servers else [own]) == named
    assert 2 == len(log.events())


def test_a_connection_without_transactions_is_refused(engine, log):
    """There would be events without their rows after a rollback, or rows without their events."""
    with Session(engine.execution_options(isolation_level="AUTOCOMMIT")) as session:
        with pytest.raises(Invalid, match="AUTOCOMMIT"):
            publish_in(session, "/orders", "order_updated", 7, {})
        session.add(Notification(user_id=7, title="a"))
        with pytest.raises(Invalid, match="AUTOCOMMIT"):
            session.commit()
        session.rollback()

    assert [] == log.events()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_locked_database_fails_the_hosts_write_alone(path, log):
    """As for any of its writes: the transaction can be rolled back and tried again."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.05})
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Session(engine) as session:
        with pytest.raises(OperationalError, match="locked"):
            publish_in(session, "/orders", "order_updated", 7, {})
        session.rollback()
        other.execute("ROLLBACK")
        publish_in(session, "/orders", "order_updated", 7, {})
        session.commit()
    other.close()
    engine.dispose()

    assert 1 == len(log.events())


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_stream_that_another_host_writes_to_is_waited_for(new_session, log):
    """Both are there in the end, in the order of the commits; whoever waits no longer may roll back and try again."""
    first, second = new_session(), new_session()
    publish_in(first, "/orders", "order_updated", 7, {"order_id": 1})
    second.execute(text("SET lock_timeout = '50ms'"))
    with pytest.raises(OperationalError, match="lock timeout"):
        publish_in(second, "/orders", "order_updated", [6, 7], {})
    second.rollback()
    first.commit()
    publish_in(second, "/orders", "order_updated", 7, {"order_id": 2})
    second.commit()

    assert [1, 2] == [payload["order_id"] for payload in log.payloads()]
    assert log.is_without_gaps()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_hosts_that_mark_one_at_once_count_it_once(engine, log):
    """Each looks after it has the lock: to the others that come after it is read."""
    with Session(engine) as session:
        session.add_all([Notification(user_id=7, title="a"), Notification(user_id=7, title="b")])
        session.commit()

    def mark(_):
        with Session(engine) as session:
            one = session.query(Notification).order_by(Notification.id).first()
            session.execute(text("SELECT pg_sleep(0.05)"))
            one.read_at = datetime.now(UTC)
            publish_in(session, "/notifications", "notification", 7, {"title": "c", "collapse_key": "k"})
            session.commit()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(mark, range(4)))
    assert 1 == [event for *_, event in log.events()].count("notification_read")
    assert 3 == log.count("tocsin_notification")
    assert [(2,)] == log.rows("SELECT unread FROM tocsin_stream")
    assert log.is_without_gaps()
