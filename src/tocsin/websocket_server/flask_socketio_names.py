"""
What Flask-SocketIO has and this server does not: each name with the line that says what to use.

The page ``migrate-from-flask-socketio`` tells the same at length.
"""

from tocsin.domain.errors import Invalid
from tocsin.domain.events import check_host_event

_PAGE = "see the page 'migrate-from-flask-socketio'"

_ROOMS = "there are no rooms: send to each of its users by socketio.emit(event, data, to=user_id)"
_MANAGER = "name the server: SocketIO(app, message_queue='redis://…'); other processes call broadcast_*"
_NAMES = {
    "emit": "return the answer from the handler, or socketio.emit(event, data, to=user_id)",
    "send": "name the event: socketio.emit('message', data, to=user_id)",
    "call": "a server does not wait for clients; let the client emit an event",
    "join_room": _ROOMS,
    "leave_room": _ROOMS,
    "close_room": _ROOMS,
    "rooms": _ROOMS,
    "disconnect": "revoke the user's tokens, which cuts the sockets too: POST /api/sessions/revoke",
    "Namespace": "register functions: @socketio.on(event, namespace=…)",
    "ConnectionRefusedError": "the token decides who connects: do not give it out, or let it end",
    "SocketIOTestClient": "tests connect a real client, as python-socketio's, to a server on port 0",
    "RedisManager": _MANAGER,
    "KafkaManager": _MANAGER,
    "KombuManager": _MANAGER,
    "ZmqManager": _MANAGER,
}
_METHODS = {
    "on_namespace": "register functions: @socketio.on(event, namespace=…)",
    "on_error": "raise a TocsinError in the handler; it is the client's ack",
    "on_error_default": "raise a TocsinError in the handler; it is the client's ack",
    "send": "name the event: socketio.emit('message', data, to=user_id)",
    "call": "a server does not wait for clients; let the client emit an event",
    "test_client": "tests connect a real client, as python-socketio's, to a server on port 0",
    "close_room": "there are no rooms: a user is reached on all devices by emit(…, to=user_id)",
    "server": "socketio.service is the server",
    "handle_event": "tests connect a real client, as python-socketio's, to a server on port 0",
    "exception_handler": "raise a TocsinError in the handler; it is the client's ack",
}
_EMIT_OPTIONS = {
    "room": "there are no rooms: to=user_id reaches all devices of a user",
    "rooms": "there are no rooms: to=user_id reaches all devices of a user",
    "skip_sid": "every device of the user hears an event",
    "include_self": "every device of the user hears an event",
    "callback": "a server does not wait for clients; let the client emit an event",
    "ignore_queue": "every node hears an event",
}
_EVENTS = {
    "connect": "the token decides who connects; a page that needs data asks for it with an event of its own",
    "disconnect": "there is no such handler: a user may have other devices left; clients hear user_offline",
    "connect_error": "it is an event of clients",
    "*": "there is no handler for all events; register each by its name",
}


def missing_name(name: str) -> str | None:
    """Return the line for a name of Flask-SocketIO's module that is not had here, or None."""
    return f"{name} is not had here: {_NAMES[name]}; {_PAGE}" if name in _NAMES else None


def missing_method(name: str) -> str | None:
    """Return the line for a name of Flask-SocketIO's class that is not had here, or None."""
    return f"socketio.{name} is not had here: {_METHODS[name]}; {_PAGE}" if name in _METHODS else None


def check_emit_options(options: dict[str, object]) -> None:
    """
    Refuse what ``emit`` can't do; ``broadcast`` is what it does without ``to``.

    Raises:
        Invalid: Names the first option.
    """
    for name, value in options.items():
        if name != "broadcast" and value is not None:
            line = _EMIT_OPTIONS.get(name, "there is no such option")
            raise Invalid(f"emit({name}=…): {line}; {_PAGE}")


def check_handler(event: str, namespace: str, function: object) -> None:
    """
    Refuse a handler that can't be registered, before there is a server to say so.

    Raises:
        Invalid: The event or the namespace can't be used, or a limit of Flask-Limiter is around it.
    """
    if event in _EVENTS:
        raise Invalid(f"on({event!r}): {_EVENTS[event]}; {_PAGE}")
    check_host_event(namespace, event)
    if getattr(function, "__globals__", {}).get("__name__", "").startswith("flask_limiter"):
        raise Invalid(f"on({event!r}): Flask-Limiter needs an HTTP request; use @socketio.limit('10 per minute')")
