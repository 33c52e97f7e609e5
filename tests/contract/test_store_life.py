"""Before the start and after the stop a store says so, whatever it is asked."""

import inspect

import pytest

from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.application.ports import Store
from tocsin.domain.device import DeviceDraft
from tocsin.domain.errors import NotInitialized, Overloaded
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import InboxFilter, NotificationDraft
from tocsin.domain.stream import StreamKey

KEY = StreamKey("alice", "/notifications")
NOTIFICATION = NotificationDraft(user_id="alice", type="order", title="On its way", message="")
CALLS = {
    "ping": lambda store: store.ping(),
    "create_notifications": lambda store: store.create_notifications([NOTIFICATION]),
    "get_notification": lambda store: store.get_notification("alice", "x"),
    "list_notifications": lambda store: store.list_notifications("alice", InboxFilter(), before=None, limit=1),
    "notification_stats": lambda store: store.notification_stats("alice"),
    "mark_notification_read": lambda store: store.mark_notification_read("alice", "x"),
    "mark_all_notifications_read": lambda store: store.mark_all_notifications_read("alice"),
    "mark_notifications_seen": lambda store: store.mark_notifications_seen("alice", None),
    "delete_notification": lambda store: store.delete_notification("alice", "x"),
    "send_message": lambda store: store.send_message(
        MessageDraft(from_user_id="alice", to_user_id="bob", message="Hello")
    ),
    "mark_message_read": lambda store: store.mark_message_read("alice", "x"),
    "append_event": lambda store: store.append_event("/orders", "order_updated", ["alice"], b"{}"),
    "write_many": lambda store: store.write_many([NOTIFICATION]),
    "heads": lambda store: store.heads([KEY]),
    "read_stream": lambda store: store.read_stream(KEY, 0, 1),
    "save_acks": lambda store: store.save_acks({KEY: 1}),
    "changed_elsewhere": lambda store: store.changed_elsewhere(),
    "register_device": lambda store: store.register_device(
        DeviceDraft(user_id="alice", token="t" * 20, platform="web", device_name=None), 1
    ),
    "list_devices": lambda store: store.list_devices("alice"),
    "unregister_device": lambda store: store.unregister_device("alice", "t", "token"),
    "unregister_all_devices": lambda store: store.unregister_all_devices("alice"),
    "subscribe_topic": lambda store: store.subscribe_topic("alice", "news"),
    "unsubscribe_topic": lambda store: store.unsubscribe_topic("alice", "news"),
    "list_topics": lambda store: store.list_topics("alice"),
    "prune": lambda store: store.prune(0),
    "new_epoch": lambda store: store.new_epoch(),
}


def test_every_method_is_asked_here():
    """A method that is added to the port is added to this module."""
    methods = {name for name, _ in inspect.getmembers(Store, inspect.iscoroutinefunction)}

    assert methods - {"start", "stop"} == CALLS.keys()


@pytest.fixture(params=[SqliteStore])
def new_store(request, tmp_path):
    return request.param(str(tmp_path / "tocsin.db"))


@pytest.mark.parametrize("name", CALLS)
async def test_before_the_start_one_line_says_so(new_store, tmp_path, name):
    """No method touches a file; a stop does nothing."""
    with pytest.raises(NotInitialized, match=r"the service has not started: .*service\.start\(\)"):
        await CALLS[name](new_store)
    await new_store.stop()

    assert list(tmp_path.iterdir()) == []


async def test_after_the_stop_everything_is_refused(new_store):
    """As long as a server stops, clients are told to come again."""
    await new_store.start()
    await new_store.stop()

    for call in CALLS.values():
        with pytest.raises(Overloaded, match="stopping"):
            await call(new_store)
