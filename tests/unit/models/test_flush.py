"""A flush of many: counters in one order, one event for each thing, in the host's transaction."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, Integer, String, event
from sqlalchemy.exc import SADeprecationWarning
from sqlalchemy.orm import DeclarativeBase, Session

from tests.unit.domain.test_web_push import POINT
from tocsin.domain.errors import Invalid
from tocsin.models import ChatMessage, Device, Notification, TopicSubscription, WebPushSubscription


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id = Column(Integer, primary_key=True)
    status = Column(String)


def test_counters_are_taken_in_ascending_user_id(engine, log):
    """Over new, changed and deleted models of all kinds: databases that lock rows meet no deadlock."""
    with Session(engine) as session:
        read, deleted = Notification(user_id="d", title="x"), Notification(user_id="b", title="x")
        session.add_all([read, deleted])
        session.commit()
        taken = []

        @event.listens_for(engine, "before_cursor_execute")
        def note(_connection, _cursor, statement, values, *_):
            if statement.startswith("INSERT INTO tocsin_stream ("):
                rows = values if isinstance(values, list) else [values]
                taken.extend(row["user_id"] if isinstance(row, dict) else row[0] for row in rows)

        session.add(Notification(user_id="c", title="x"))
        session.add(ChatMessage(from_user_id="z", to_user_id="a", message="x"))
        read.read_at = datetime.now(UTC)
        session.delete(deleted)
        session.add(Notification(user_id="a", title="x"))
        session.commit()

    # On PostgreSQL they are locked first, all of them, and then raised.
    ascending = ["a", "a", "b", "c", "d", "z"]
    assert ascending * (2 if engine.dialect.name == "postgresql" else 1) == taken
    assert log.is_without_gaps()


def test_models_of_one_user_are_told_in_the_order_they_were_added(session, log):
    """As their calls were."""
    session.add_all([Notification(user_id=7, title=str(n)) for n in range(50)])
    session.commit()

    assert [str(n) for n in range(50)] == [one["title"] for one in log.payloads()]


def test_one_added_by_a_listener_in_the_flush_is_told(session, log, engine):
    """Whatever a host's own listeners add late."""
    Base.metadata.create_all(engine)

    @event.listens_for(session, "before_flush")
    def notify(flushed, *_):
        for order in [one for one in flushed.new if isinstance(one, Order)]:
            flushed.add(Notification(user_id=7, title=f"Order {order.status}"))

    session.add(Order(status="shipped"))
    session.commit()

    assert ["Order shipped"] == [one["title"] for one in log.payloads()]
    Base.metadata.drop_all(engine)


def test_devices_and_topics_are_rows_without_events(session, log, new_session):
    """No stream tells of them; a token is masked where it is shown."""
    session.add(Device(user_id=7, token="t" * 40, platform="web", device_name="Laptop"))
    session.add_all([TopicSubscription(user_id=user, topic="news") for user in (7, "8", "nine")])
    session.commit()

    assert [] == log.events()
    device = new_session().query(Device).filter_by(user_id="7").one()
    assert {"token": "…tttt", "device_name": "Laptop"}.items() <= device.to_dict().items()
    assert "ttttt" not in repr(device) + str(device.to_dict())
    found = session.query(TopicSubscription).filter_by(topic="news").all()
    for one in found:
        session.delete(one)
    session.commit()
    assert 0 == log.count("tocsin_topic_subscription")


def test_subscriptions_of_browsers_are_rows_without_events(session, log, new_session):
    """Checked as REST checks them, but for where the endpoint leads to; neither it nor a key is shown."""
    keys = {"p256dh": POINT, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}
    session.add(WebPushSubscription(user_id=7, endpoint="https://web.push.apple.com/secret", **keys))
    session.commit()

    assert [] == log.events()
    one = new_session().query(WebPushSubscription).filter_by(user_id="7").one()
    assert {"user_id": 7, "host": "web.push.apple.com"}.items() <= one.to_dict().items()
    shown = repr(one) + str(one.to_dict())
    assert not any(secret in shown for secret in ("secret", *keys.values()))
    with pytest.raises(Invalid, match="p256dh"):
        WebPushSubscription(user_id=7, endpoint="https://web.push.apple.com/x", p256dh="x", auth="x")


@pytest.mark.parametrize("model", [Device, TopicSubscription, WebPushSubscription])
def test_rows_without_events_may_be_changed_in_bulk(session, model):
    """Nobody would have to hear of it."""
    assert 0 == session.query(model).delete()


def test_a_flush_of_some_tells_of_them_alone(session, log):
    """What is left for a later flush is told of then, once."""
    first, second = Notification(user_id=7, title="First"), Notification(user_id=7, title="Second")
    session.add_all([first, second])
    with pytest.warns(SADeprecationWarning):
        session.flush([second])
    session.commit()

    assert ["Second", "First"] == [payload["title"] for payload in log.payloads()]
    assert 2 == log.count("tocsin_notification")
