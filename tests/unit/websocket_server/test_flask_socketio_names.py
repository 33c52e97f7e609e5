"""Names of Flask-SocketIO: each is told what to use, and no other name is."""

import pytest

from tocsin import websocket_server

MISSING = [
    "emit",
    "send",
    "call",
    "join_room",
    "leave_room",
    "close_room",
    "rooms",
    "disconnect",
    "Namespace",
    "ConnectionRefusedError",
    "SocketIOTestClient",
    "RedisManager",
    "KafkaManager",
    "KombuManager",
    "ZmqManager",
]


@pytest.mark.parametrize("name", MISSING)
def test_an_import_that_cannot_be_is_one_line(name):
    """`from tocsin.websocket_server import …` and a look at the module say what to use instead."""
    with pytest.raises(ImportError, match=rf"^{name} is not had here: .+; see the page 'migrate-from-flask-socketio'$"):
        exec(f"from tocsin.websocket_server import {name}")
    with pytest.raises(ImportError, match=f"{name} is not had here"):
        getattr(websocket_server, name)


def test_other_names_are_plainly_missing():
    """A slip of the pen is Python's own error, submodules are found, and every name that is offered is there."""
    with pytest.raises(ImportError, match="cannot import name 'brodcast_notification'"):
        exec("from tocsin.websocket_server import brodcast_notification")
    with pytest.raises(AttributeError, match=r"module 'tocsin\.websocket_server' has no attribute 'no_such_name'"):
        websocket_server.no_such_name  # noqa: B018
    exec("from tocsin.websocket_server import run_options")

    assert all(hasattr(websocket_server, name) for name in websocket_server.__all__)
