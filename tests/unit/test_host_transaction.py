"""publish_in: what it takes, what it returns, and that it is part of the host's transaction."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

import tocsin
from tests.unit.models.log import Log, hosts_engine
from tocsin.adapters.sql import open_store
from tocsin.adapters.sql.migrate import upgrade
from tocsin.domain.errors import Invalid, KeyReused
from tocsin.domain.stream import StreamKey
from tocsin.host_transaction import publish_in
from tocsin.models import Notification


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """Return where the tables are, on each database in turn."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    upgrade(str(tmp_path / "host.db"))
    return f"sqlite:///{tmp_path / 'host.db'}"


@pytest.fixture
def make_session(url) -> Iterator[sessionmaker]:
    with hosts_engine(url, timeout=30) as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE orders (id INTEGER)")
        yield sessionmaker(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE orders")


@pytest.fixture
def session(make_session) -> Iterator[Session]:
    with make_session() as session:
        yield session


@pytest.fixture
def log(url) -> Log:
    return Log(url)


def test_it_is_exported_by_the_package():
    """As the documentation writes it."""
    assert publish_in is tocsin.publish_in


@pytest.mark.parametrize(
    ("kind", "data", "events"),
    [
        (("/orders", "order_updated"), {"order_id": 5}, ["7 order_updated"]),
        (("/sns", "post_liked"), {"post_id": "p"}, ["7 post_liked"]),
        (("/notifications", "notification"), {"title": "Hi", "extra": 1}, ["7 notification"]),
        (("/chat", "message_received"), {"from_user_id": 9, "message": "Hi"}, ["7 message_received", "9 message_sent"]),
    ],
)
def test_events_of_every_namespace(session, log, kind, data, events):
    """The durable ones of /sns and /orders, notifications and messages."""
    told = publish_in(session, *kind, "7", data)
    session.commit()

    assert events == [f"{user} {name}" for user, _, _, name in log.events()]
    assert events == [f"{one['user_id']} {one['event']}" for one in told]
    assert all({"seq": 1, "namespace": kind[0]}.items() <= one.items() for one in told)


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "Order #5 has been shipped."), ("ko", "주문하신 상품이 출발했어요. (주문번호 5)")]
)
def test_the_servers_words_are_in_its_language(session, url, monkeypatch, lang, words):
    """As they are for what `broadcast_order_event` publishes."""
    monkeypatch.setenv("TOCSIN_DATABASE_URL", url)
    monkeypatch.setenv("TOCSIN_LANG", lang)

    [event] = publish_in(session, "/orders", "order_updated", 7, {"order_id": 5, "status": "shipped"})

    assert words == event["data"]["message"]


async def test_it_returns_what_the_stream_will_list(session, url):
    """With the ids, which a host may want to keep."""
    store = open_store(url)
    await store.start()
    told = publish_in(session, "/notifications", "notification", 7, {"title": "Hi"})
    session.commit()

    found = await store.read_stream(StreamKey("7", "/notifications"), 0, 10)
    await store.stop()
    listed = [one.record(store.epoch) for one in found.events]
    assert [{"user_id": 7, "namespace": "/notifications", **one} for one in listed] == told
    assert session.get(Notification, told[0]["data"]["id"]).title == "Hi"


def test_several_users_hear_of_one_event_each(session, log):
    """In ascending id, whatever form they are given in."""
    publish_in(session, "/orders", "order_updated", [9, "7", 7, "al"], {})
    publish_in(session, "/notifications", "notification", ["b", "a"], {"title": "x"})
    session.commit()

    assert ["7", "9", "al", "a", "b"] == [user for user, *_ in log.events()]


def test_it_is_committed_together_with_the_hosts_rows(session, log):
    """Or not at all."""
    for end in (session.rollback, session.commit):
        session.execute(text("INSERT INTO orders VALUES (1)"))
        publish_in(session, "/orders", "order_updated", 7, {"order_id": 1})
        end()
        assert log.count("orders") == len(log.events())
    assert 1 == log.count("orders")


def test_what_was_added_before_comes_before(session, log):
    """publish_in flushes, as a query does."""
    session.add(Notification(user_id=7, title="first"))
    publish_in(session, "/notifications", "notification", 7, {"title": "second"})
    session.add(Notification(user_id=7, title="third"))
    session.commit()

    assert ["first", "second", "third"] == [one["title"] for one in log.payloads()]


def test_a_session_of_flask_sqlalchemy_is_one(make_session, log):
    """db.session is a scoped_session."""
    scoped = scoped_session(make_session)
    publish_in(scoped, "/orders", "order_updated", 7, {})
    scoped.commit()
    scoped.remove()

    assert 1 == len(log.events())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("/orders", "nothing", 7, {}), "there is no event 'nothing' to publish on '/orders'"),
        (("/sns", "user_online", 7, {}), "'user_online' is not stored and needs no transaction"),
        (("/orders", "order_updated", [], {}), "user_id must be 1 to 1000 users"),
        (("/orders", "order_updated", True, {}), "user_id must be a string or an integer"),
        (("/orders", "order_updated", 7, {"status": 1}), "data.status must be a string"),
        (("/notifications", "notification", 7, {}), "title must have 1 to 200 characters"),
        (("/chat", "message_received", 7, {"message": "x"}), "from_user_id must be a string or an integer"),
        (("/chat", "message_received", 7, {"from_user_id": 1, "message": "x", "id": 1}), "data.id is no field"),
        (
            ("/chat", "message_received", [7, 8], {"from_user_id": 1, "message": "x", "client_msg_id": "c"}),
            "client_msg_id is of one message",
        ),
        (("/chat", "message_sent", 7, {}), "there is no event 'message_sent' to publish"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_written(session, log, arguments, message):
    """The transaction goes on as if it had not been called."""
    with pytest.raises(Invalid, match=message):
        publish_in(session, *arguments)
    publish_in(session, "/orders", "order_updated", 7, {})
    session.commit()
    assert 1 == len(log.events())


def test_a_client_msg_id_is_one_message(session, log):
    """Also over transactions; other content is refused and spoils nothing."""
    data = {"from_user_id": 9, "message": "Hi", "client_msg_id": "c-1"}
    for expected in (2, 0):
        assert expected == len(publish_in(session, "/chat", "message_received", 7, data))
        session.commit()
    with pytest.raises(KeyReused):
        publish_in(session, "/chat", "message_received", 7, data | {"message": "Other"})
    publish_in(session, "/orders", "order_updated", 7, {})
    session.commit()

    assert 3 == len(log.events())


def test_something_else_than_a_session_is_refused():
    """An AsyncSession is told the way."""

    class AsyncSession:
        sync_session = None

    with pytest.raises(Invalid, match=r"await session.run_sync\(lambda session: publish_in\(session, …\)\)"):
        publish_in(AsyncSession(), "/orders", "order_updated", 7, {})
    with pytest.raises(Invalid, match="needs a session of SQLAlchemy"):
        publish_in(None, "/orders", "order_updated", 7, {})


def test_sessions_at_once_leave_no_gap(make_session, log):
    """Eight threads, each in transactions of its own, every third rolled back."""

    def work(number):
        for turn in range(12):
            with make_session() as session:
                session.add(Notification(user_id=turn % 3, title=f"{number}"))
                publish_in(session, "/orders", "order_updated", [1, turn % 2 + 1], {"order_id": number})
                session.rollback() if turn % 3 == 0 else session.commit()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 8 * 8 == log.count("tocsin_notification")
    assert log.is_without_gaps()
