"""
The AsyncAPI 3.0 document of the sockets: every event of every namespace, with its payload and its ack.

Made of the registry (``tocsin.domain.events``) and of the models that client events are read by. It describes the
server: it *sends* what clients hear, and *receives* what they ask.
"""

import inspect
import types
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from tocsin import __version__
from tocsin.domain.events import CONTROL_EVENTS, NAMESPACES, REGISTRY, Namespace, typed_dicts
from tocsin.realtime.client_events import Arguments

Json = dict[str, Any]

_DESCRIPTION = """\
Any Socket.IO 4.x client speaks it: each channel is a namespace, each message an event of that name with one object.
CONNECT of every namespace carries `{token}`; with `{token, epoch, last_seq}` it resumes from a cursor, and what was
missed comes before `synced`. Publishers may add fields to payloads.
"""
_SCALARS: dict[Any, Json] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    Any: {},
}
_INSTANT: Json = {"type": "string", "format": "date-time"}
_ID: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_PRESENCE: Json = {
    "type": "object",
    "required": ["user_id", "is_online", "last_seen_at"],
    "properties": {
        "user_id": {"type": ["integer", "string"]},
        "is_online": {"type": "boolean"},
        "last_seen_at": {"type": ["string", "null"], "format": "date-time"},
    },
}
# What an ack has besides `ok`; one that is not named has nothing, or what the host's handler returned.
_ACKS: dict[tuple[str, str], Json] = {
    ("/chat", "send_message"): {"id": _ID, "seq": _COUNT, "created_at": _INSTANT},
    ("/chat", "edit_message"): {"id": _ID, "edited_at": _INSTANT},
    ("/chat", "delete_message"): {"id": _ID, "deleted_at": _INSTANT},
    ("/chat", "mark_read"): {"id": _ID, "read_at": _INSTANT},
    ("/notifications", "mark_read"): {"id": _ID, "read_at": _INSTANT},
    ("/notifications", "mark_all_read"): {"marked": _COUNT},
    ("/notifications", "mark_seen"): {"marked": _COUNT},
    ("/notifications", "delete"): {"id": _ID},
    **{(namespace, "watch"): {"presence": {"type": "array", "items": _PRESENCE}} for namespace in NAMESPACES},
    **{(namespace, "reauth"): {"expires_at": _INSTANT} for namespace in NAMESPACES},
}
_DURABLE: Json = {
    "type": "object",
    "description": "What every durable payload carries besides its own fields.",
    "required": ["event_id", "seq", "epoch"],
    "properties": {"event_id": _ID, "seq": {"type": "integer", "minimum": 1}, "epoch": {"type": "string"}},
}
_PROBLEM: Json = {
    "type": "object",
    "description": "Why it was refused: as the problems of REST.",
    "required": ["ok", "code", "detail"],
    "properties": {
        "ok": {"const": False},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "status": {"type": "integer"},
        "retryable": {"type": "boolean"},
    },
}


def asyncapi_document(client_events: Mapping[tuple[str, str], type[Arguments]]) -> Json:
    """
    Return the document.

    Args:
        client_events: What clients may ask, by namespace and event, with the model of its arguments.
    """
    document = _Document()
    for namespace in NAMESPACES:
        document.add_channel(namespace)
        for kind in REGISTRY:
            if kind.namespace == namespace:
                document.add_sent(namespace, kind.name, kind.payload, is_durable=kind.durable)
        for name, payload in CONTROL_EVENTS.items():
            document.add_sent(namespace, name, payload, is_durable=False)
        for (place, name), model in client_events.items():
            if place == namespace:
                document.add_received(namespace, name, model)
    return document.whole()


class _Document:
    def __init__(self) -> None:
        self._channels: Json = {}
        self._operations: Json = {}
        self._messages: Json = {}
        self._schemas: Json = {"Durable": _DURABLE, "Problem": _PROBLEM}

    def whole(self) -> Json:
        """Return the document as it is now."""
        return {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Tocsin",
                "version": __version__,
                "description": _DESCRIPTION,
                "license": {"name": "MIT"},
            },
            "defaultContentType": "application/json",
            "servers": {
                "tocsin": {
                    "host": "localhost:8000",
                    "pathname": "/socket.io/",
                    "protocol": "ws",
                    "description": "Socket.IO 5 on Engine.IO 4: WebSocket, long-polling and the upgrade.",
                    "security": [{"$ref": "#/components/securitySchemes/token"}],
                }
            },
            "channels": self._channels,
            "operations": self._operations,
            "components": {
                "messages": self._messages,
                "schemas": self._schemas,
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "bearerFormat": "JWT",
                        "description": "`{token}` as the data of CONNECT; never in the URL.",
                    }
                },
            },
        }

    def add_channel(self, namespace: Namespace) -> None:
        self._channels[namespace[1:]] = {
            "address": namespace,
            "title": f"The namespace {namespace}",
            "servers": [{"$ref": "#/servers/tocsin"}],
            "messages": {},
        }

    def add_sent(self, namespace: Namespace, name: str, payload: type, *, is_durable: bool) -> None:
        schema: Json = _ref("schemas", self._add_type(payload))
        if is_durable:
            schema = {"allOf": [schema, _ref("schemas", "Durable")]}
        summary = _first_line(payload) + (" Durable." if is_durable else "")
        self._add_operation("send", namespace, name, self._add_message(namespace, name, name, summary, schema))

    def add_received(self, namespace: Namespace, name: str, model: type[Arguments]) -> None:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        self._schemas |= schema.pop("$defs", {})
        self._schemas[f"{namespace[1:]}.{name}"] = schema
        # A client event and a server event may have one name: that of the message tells them apart.
        place = _ref("schemas", f"{namespace[1:]}.{name}")
        asked = self._add_message(namespace, f"ask.{name}", name, _first_line(model), place)
        fields = {"ok": {"const": True}} | _ACKS.get((namespace, name), {})
        taken: Json = {"type": "object", "required": list(fields), "properties": fields}
        answer: Json = {"oneOf": [taken, _ref("schemas", "Problem")]}
        ack = self._add_message(namespace, f"ack.{name}", f"ack of {name}", "What the ack carries.", answer)
        self._add_operation("receive", namespace, name, asked, ack)

    def _add_message(self, namespace: Namespace, key: str, name: str, summary: str, payload: Json) -> str:
        place = namespace[1:]
        self._messages[f"{place}.{key}"] = {"name": name, "summary": summary, "payload": payload}
        self._channels[place]["messages"][key] = _ref("messages", f"{place}.{key}")
        return key

    def _add_operation(
        self, action: str, namespace: Namespace, name: str, message: str, ack: str | None = None
    ) -> None:
        channel = f"#/channels/{namespace[1:]}"
        operation: Json = {
            "action": action,
            "channel": {"$ref": channel},
            "messages": [{"$ref": f"{channel}/messages/{message}"}],
        }
        if ack is not None:
            operation["reply"] = {"channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/{ack}"}]}
        self._operations[f"{action}.{namespace[1:]}.{name}"] = operation

    def _add_type(self, payload: type) -> str:
        for one in typed_dicts(payload):
            self._schemas[one.__name__] = _object_schema(one)
        return payload.__name__


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").replace("``", "`").partition("\n")[0]


def _object_schema(payload: type) -> Json:
    properties, required = {}, []
    for name, hint in get_type_hints(payload, include_extras=True).items():
        is_optional = get_origin(hint) is NotRequired
        properties[name] = _schema(get_args(hint)[0] if is_optional else hint)
        if not is_optional:
            required.append(name)
    described = (inspect.getdoc(payload) or "").replace("``", "`")
    return {"type": "object", "description": described, "required": required, "properties": properties}


def _schema(hint: Any) -> Json:
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return {"anyOf": [_schema(arg) for arg in args]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin is list:
        return {"type": "array", "items": _schema(args[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(args[1])}
    if is_typeddict(hint):
        return _ref("schemas", str(hint.__name__))
    raise TypeError(f"no JSON schema for {hint!r}")
