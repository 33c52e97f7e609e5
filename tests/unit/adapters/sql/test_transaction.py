"""The two transactions that operations run in: the writer's own, and a host's."""

import pytest
from sqlalchemy import create_engine

from tocsin.adapters.sql import arrivals, chat, inbox, streams
from tocsin.adapters.sql.connection import open_writer
from tocsin.adapters.sql.host_transaction import HostTransaction
from tocsin.adapters.sql.migrate import upgrade
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import WriterTransaction
from tocsin.domain.errors import NotFound
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.stream import StreamKey

NOON = 1_795_348_800_000


@pytest.fixture(params=["writer", "host"])
def transaction(request, tmp_path):
    path = str(tmp_path / "t.db")
    upgrade(path)
    if request.param == "writer":
        connection = open_writer(path)
        connection.execute("BEGIN IMMEDIATE")
        yield WriterTransaction(connection, NOON)
        connection.close()
        return
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        yield HostTransaction(connection, NOON)
    engine.dispose()


def test_operations_do_the_same_in_both(transaction):
    """Inserts, marks, deletes, messages; their events in order."""
    drafts = [NotificationDraft(user_id=user, type="t", title="x", message="", data={"a": 1}) for user in ("b", "a")]
    made = arrivals.create(transaction, [arrivals.prepare(draft) for draft in drafts])
    inbox.mark_read(transaction, "a", made[1].id)
    assert 1 == inbox.mark_all_read(transaction, "b", None)
    inbox.delete(transaction, None, made[0].id)
    message = chat.send(transaction, MessageDraft(from_user_id="a", to_user_id="b", message="Hi", client_msg_id="c"))
    again = chat.send(transaction, MessageDraft(from_user_id="a", to_user_id="b", message="Hi", client_msg_id="c"))
    assert message == again
    assert NOON == chat.mark_read(transaction, "b", message.id).read_at

    told = [(one.user_id, one.seq, one.event) for one in transaction.events]
    assert told == [
        ("a", 1, "notification"),
        ("b", 1, "notification"),
        ("a", 2, "notification_read"),
        ("b", 2, "notification_read"),
        ("b", 3, "notification_deleted"),
        ("a", 1, "message_sent"),
        ("b", 1, "message_received"),
        ("a", 2, "message_read"),
        ("b", 2, "message_read"),
    ]


def test_statements_tell_what_they_changed(transaction):
    """Rows that there are, a row that there isn't, and no rows at all."""
    key = StreamKey("a", "/orders")
    assert transaction.row(SQL.head, key._asdict()) is None
    streams.put_events(transaction, [])
    streams.append(transaction, key, "order_updated", b"{}")

    assert (1, 0, 0, None) == tuple(transaction.row(SQL.head, key._asdict()))
    assert 1 == transaction.execute(SQL.raise_acked, {**key._asdict(), "acked": 9}).rowcount
    assert 0 == transaction.execute(SQL.raise_acked, {**key._asdict(), "acked": 1}).rowcount
    with pytest.raises(NotFound):
        inbox.mark_read(transaction, "a", "nothing")
