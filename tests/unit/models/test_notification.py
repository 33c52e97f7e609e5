"""Notification in a host's session: what is stored is told, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.orm.attributes import flag_modified

from tocsin.adapters.sql import open_store
from tocsin.domain.errors import Invalid, NotInitialized, PayloadTooBig
from tocsin.models import Notification


@pytest.fixture
def stored(session):
    """Return a notification that was committed."""
    notification = Notification(user_id=7, title="Hello")
    session.add(notification)
    session.commit()
    return notification


def test_adding_one_stores_it_and_tells_its_user(session, log):
    """The row and its event are in one transaction; the event says what to_dict says."""
    notification = Notification(user_id=7, title="안녕", message="there", data={"a": [1]}, category="c", sound="ding")
    session.add(notification)
    assert [] == log.events()
    session.commit()

    assert [("7", "/notifications", 1, "notification")] == log.events()
    assert [{**notification.to_dict(), "unread_count": 1}] == log.payloads()
    assert 1 == log.count("tocsin_notification")


async def test_rest_shows_the_same(session, url):
    """What the server reads from the row is what the model said."""
    notification = Notification(user_id="7", title="Hello", ttl_s=60, priority="high", type="t")
    before = notification.to_dict()
    session.add(notification)
    session.commit()

    store = open_store(url)
    await store.start()
    shown = await store.get_notification("7", notification.id)
    await store.stop()
    assert shown.json() == notification.to_dict() == before
    assert shown.seq == notification.seq == 1


def test_columns_have_types_of_python(session, new_session):
    """Ids as they are given out, aware instants, a dictionary; any form of an id finds it."""
    expiry = datetime(2030, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    session.add(Notification(user_id="7", title="Hello", data={"k": "v"}, expires_at=expiry.replace(tzinfo=None)))
    session.commit()

    other = new_session()
    found = other.query(Notification).filter_by(user_id=7).filter(Notification.created_at <= datetime.now(UTC)).one()
    assert (7, {"k": "v"}, expiry) == (found.user_id, found.data, found.expires_at)
    assert found is other.query(Notification).filter_by(user_id="7").one()
    assert found.created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"title": ""}, "title must have 1 to 200 characters"),
        ({"title": "x", "user_id": True}, "user_id must be a string or an integer"),
        ({"title": "x", "priority": "loud"}, "priority must be one of"),
        ({"title": "x", "data": [1]}, "data must be an object"),
        ({"title": "x", "expires_at": "soon"}, "expires_at must be a datetime"),
    ],
)
def test_a_wrong_field_is_refused_at_the_call(fields, message):
    """Nothing wrong gets as far as a session."""
    with pytest.raises(Invalid, match=message):
        Notification(**{"user_id": 7} | fields)


def test_too_much_data_is_refused():
    """The limit is that of REST."""
    with pytest.raises(PayloadTooBig, match="16384"):
        Notification(user_id=7, title="x", data={"a": "x" * 20_000})


def test_what_is_changed_before_the_flush_is_looked_at_again(session, log):
    """Assigning past the constructor's rules fails the flush; nothing is stored."""
    notification = Notification(user_id=7, title="x")
    notification.title = "x" * 201
    session.add(notification)

    with pytest.raises(Invalid, match="title"):
        session.commit()
    session.rollback()
    assert [] == log.events()


def test_one_added_again_after_a_rollback_is_told_once(session, log):
    """A retry takes a seq anew: the first was never committed."""
    notification = Notification(user_id=7, title="Hello")
    session.add(notification)
    session.flush()
    session.rollback()
    session.add(Notification(user_id=7, title="Other"))
    session.commit()
    session.add(notification)
    session.commit()

    assert [1, 2] == [seq for *_, seq, _ in log.events()]
    assert 2 == notification.seq


def test_reading_is_told(session, stored, log):
    """Setting read_at reads and sees it, at the transaction's instant."""
    stored.read_at = datetime(2020, 1, 1, tzinfo=UTC)
    session.commit()

    assert ("7", "/notifications", 2, "notification_read") == log.events()[-1]
    assert {"id": stored.id, "read_at": stored.to_dict()["read_at"], "unread_count": 0} == log.payloads()[-1]
    assert stored.read_at == stored.seen_at > datetime(2026, 1, 1, tzinfo=UTC)


def test_seeing_is_told(session, stored, log):
    """Setting seen_at leaves it unread; a naive instant is taken."""
    stored.seen_at = datetime(2026, 1, 1)  # noqa: DTZ001 as hosts have it
    session.commit()

    assert "notification_updated" == log.events()[-1][-1]
    assert {"ids": [stored.id], "seen_at": stored.to_dict()["seen_at"], "unread_count": 1} == log.payloads()[-1]
    assert stored.read_at is None


@pytest.mark.parametrize("mark", ["read_at", "seen_at"])
def test_whoever_was_first_has_told(session, stored, log, new_session, mark):
    """Two sessions mark one: one event, and both show its instant."""
    other = new_session()
    same = other.get(Notification, stored.id)
    stored.read_at = datetime.now(UTC)
    session.commit()
    setattr(same, mark, datetime.now(UTC) + timedelta(hours=1))
    other.commit()

    assert 2 == len(log.events())
    assert stored.read_at == same.read_at
    assert log.payloads()[-1]["read_at"] == same.to_dict()["read_at"]


def test_an_expired_one_is_not_read(session, log):
    """As in REST: it is in no inbox any more."""
    gone = Notification(user_id=7, title="Hello", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    session.add(gone)
    session.commit()
    gone.read_at = datetime.now(UTC)
    session.commit()

    assert gone.read_at is None
    assert 1 == len(log.events())


def test_deleting_is_told_once(session, stored, log, new_session):
    """The second who deletes it finds it gone, and says nothing."""
    other = new_session()
    same = other.get(Notification, stored.id)
    session.delete(stored)
    session.commit()
    other.delete(same)
    other.commit()

    assert ["notification", "notification_deleted"] == [event for *_, event in log.events()]
    assert 0 == log.count("tocsin_notification")


@pytest.mark.parametrize(("name", "value"), [("title", "New"), ("user_id", 8), ("data", {}), ("id", "x")])
def test_content_can_not_change(session, stored, log, name, value):
    """No client would hear of it: refused where it is assigned, in one line."""
    assert getattr(stored, name) != value or name == "data"
    stored.data = stored.data  # the same again is no change

    with pytest.raises(Invalid, match=f"{name} of a stored Notification can't be changed"):
        setattr(stored, name, value if name != "data" else {"n": 1})
    session.commit()
    assert 1 == len(log.events())


def test_content_can_not_change_unseen(session, stored, log):
    """Also not by a change in place, nor where the old value is not at hand."""
    stored.data["n"] = 1
    flag_modified(stored, "data")
    with pytest.raises(Invalid, match="data of a stored Notification"):
        session.commit()
    session.rollback()
    stored.title = "New"  # expired by the rollback
    with pytest.raises(Invalid, match="title of a stored Notification"):
        session.commit()
    session.rollback()
    assert 1 == len(log.events())


def test_what_was_read_stays_read(session, stored):
    """There is no way back, as in REST."""
    stored.read_at = datetime.now(UTC)
    session.commit()
    assert stored.read_at

    with pytest.raises(Invalid, match="read_at of a stored Notification can't be taken back"):
        stored.read_at = None


def test_an_instant_must_be_one():
    """A date is none."""
    with pytest.raises(Invalid, match="read_at must be a datetime"):
        Notification(user_id=7, title="x").read_at = "now"


@pytest.mark.parametrize(
    "statement",
    [
        update(Notification).values(read_at=datetime.now(UTC)),
        delete(Notification),
        insert(Notification).values(user_id=7, title="x"),
    ],
)
def test_statements_over_many_are_refused(session, stored, statement):
    """They would change rows and tell nobody."""
    assert stored.id
    with pytest.raises(Invalid, match="a statement over many of Notification would reach no client"):
        session.execute(statement)


def test_a_query_can_not_change_many_either(session, stored):
    """Flask-SQLAlchemy's old way, too."""
    assert stored.id
    with pytest.raises(Invalid, match="reach no client"):
        session.query(Notification).filter_by(user_id=7).update({"read_at": datetime.now(UTC)})
    with pytest.raises(Invalid, match="reach no client"):
        session.query(Notification).delete()


def test_a_statement_on_the_table_is_the_hosts_affair(session, stored, log):
    """Who means the row alone says the table."""
    assert stored.id
    session.execute(delete(Notification.__table__))
    session.commit()

    assert 0 == log.count("tocsin_notification")
    assert 1 == len(log.events())


def test_merging_an_unchanged_one_changes_nothing(session, stored, log, new_session):
    """As with a cache of a host."""
    stored.to_dict()
    session.expunge(stored)
    other = new_session()
    other.merge(stored)
    other.commit()

    assert 1 == len(log.events())


def test_query_needs_flask():
    """Elsewhere it says what to write instead."""
    with pytest.raises(NotInitialized, match=r"use session.query\(Notification\)"):
        Notification.query  # noqa: B018


def test_to_mark_one_that_has_gone_spoils_no_commit(session, stored, log):
    """Expiry, or an update of its key, has taken it meanwhile; what else the host does is stored all the same."""
    assert stored.read_at is None  # it is loaded
    session.execute(text("DELETE FROM tocsin_notification"))
    stored.read_at = datetime.now(UTC)
    session.add(Notification(user_id=8, title="Mine"))
    session.commit()

    assert ("8", "/notifications", 1, "notification") in log.events()
