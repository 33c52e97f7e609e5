"""Before the start and after the stop a store says so, whatever it is asked."""

import inspect

import pytest

from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.application.ports import Store
from tocsin.domain.errors import NotInitialized, Overloaded
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.stream import StreamKey

METHODS = [name for name, _ in inspect.getmembers(Store, inspect.iscoroutinefunction) if name not in {"start", "stop"}]
NOTIFICATION = NotificationDraft(user_id="alice", type="order", title="On its way", message="")
# Of the others nobody looks at the arguments before there is a database.
ARGUMENTS = {
    "append_event": ("/orders", "order_updated", ["alice"], b"{}"),
    "create_notifications": ([NOTIFICATION],),
    "heads": ([],),
    "save_acks": ({StreamKey("alice", "/orders"): 1},),
    "send_message": (MessageDraft(from_user_id="alice", to_user_id="bob", message="Hello"),),
    "write_many": ([NOTIFICATION],),
}


@pytest.fixture(params=[SqliteStore])
def new_store(request, tmp_path):
    return request.param(str(tmp_path / "tocsin.db"))


async def ask(store, name):
    method = getattr(store, name)
    needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
    arguments = ARGUMENTS.get(name, [None for one in needed if one.kind is not one.KEYWORD_ONLY])
    await method(*arguments, **{one.name: None for one in needed if one.kind is one.KEYWORD_ONLY})


@pytest.mark.parametrize("name", METHODS)
async def test_before_the_start_one_line_says_so(new_store, tmp_path, name):
    """No method touches a file; a stop does nothing."""
    with pytest.raises(NotInitialized, match=r"the service has not started: .*service\.start\(\)"):
        await ask(new_store, name)
    await new_store.stop()

    assert list(tmp_path.iterdir()) == []


async def test_after_the_stop_everything_is_refused(new_store):
    """As long as a server stops, clients are told to come again."""
    await new_store.start()
    await new_store.stop()

    for name in METHODS:
        with pytest.raises(Overloaded, match="stopping"):
            await ask(new_store, name)
