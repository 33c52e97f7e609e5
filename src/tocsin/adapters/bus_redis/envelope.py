"""
What one node tells the others, as bytes: JSON, checked field by field, signed where there is a key.

Sans-IO; who carries the bytes is the concern of ``outbox`` and ``inbox``. Whoever reaches the
Redis server can put anything into a channel, so that nothing here trusts its
input: what is not exactly a message of a node on this database is refused.
Without a key a forger can still word a message that is accepted; with one
only holders of the key can.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from tocsin.application.tracing import Tracing
from tocsin.domain.errors import Invalid
from tocsin.domain.events import CONTROL_EVENTS, find_event_type
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.user_id import UserId, parse_user_id

VERSION = 1
# As JSON inside JSON a payload at most doubles; the longest names leave room in a message.
MAX_MESSAGE_BYTES = 1_048_576
MAX_PAYLOAD_BYTES = 131_072
MAX_ITEMS = 250
MAX_NAME = 128
MAX_INTEGER = 2**53 - 1

_SIGNATURE_LENGTH = 64
_EVENT_FIELDS = len(StreamEvent._fields)
# W3C Trace Context, of version 00.
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_EVENT_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


class Ephemeral(NamedTuple):
    """
    An event that no stream keeps.

    Attributes:
        user_id: To whom; None is everybody on the namespace.
        payload: The event's JSON value, encoded.
    """

    user_id: UserId | None
    namespace: str
    event: str
    payload: bytes


Item = StreamEvent | Ephemeral | StreamKey


class Refused(Exception):
    """
    A message that is not one of ours.

    Attributes:
        reason: ``too_big``, ``unsigned``, ``signed``, ``wrong_signature``,
            ``malformed``, ``other_version`` or ``other_database``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Envelopes:
    """
    Packs and unpacks what nodes tell each other.

    The epoch names the life of the database. What comes from another one (an
    installation that shares the Redis server, a process that has not noticed a
    restore) is no event of ours: all it says is where to look in the log.

    Args:
        node: Name of this node, unlike that of any other.
        epoch: Returns the epoch of the node's database.
        key: Signs messages with HMAC-SHA256, the same on all nodes; None: they are not signed.
        tracing: Says where an event is in its trace, and is told so of those that come; None: nobody asks.
    """

    def __init__(
        self, node: str, epoch: Callable[[], str], key: str | None = None, tracing: Tracing | None = None
    ) -> None:
        self._tracing = tracing
        self._node = node
        self._epoch = epoch
        self._key = None if key is None else key.encode()
        self._own = orjson.dumps({"v": VERSION, "node": node})[:-1]

    def pack(self, items: Iterable[Item]) -> Iterator[bytes]:
        """
        Yield messages that hold the items in their order.

        An event whose payload is over 128 KiB goes as a wake-up without it,
        an ephemeral one over that is left out.
        """
        if isinstance(items, list) and len(items) == 1:
            # As nearly all are, where users are spread over many channels.
            item = _within_bounds(items[0])
            if item is not None:
                yield self._message(_kind_of(item), [self._write(item)[0]])
            return
        bounded = (small for item in items if (small := _within_bounds(item)) is not None)
        for kind, run in groupby(bounded, _kind_of):
            yield from self._messages(kind, map(self._write, run))

    def _write(self, item: Item) -> tuple[list[Any], int]:
        fields, size = _write(item)
        if self._tracing is not None and isinstance(item, StreamEvent):
            traceparent = self._tracing.carry(item)
            if traceparent is not None:
                fields.append(traceparent)
        return fields, size

    def _messages(self, kind: str, written: Iterable[tuple[list[Any], int]]) -> Iterator[bytes]:
        items: list[list[Any]] = []
        size = 0
        for item, item_size in written:
            if items and (len(items) == MAX_ITEMS or size + item_size > MAX_PAYLOAD_BYTES):
                yield self._message(kind, items)
                items, size = [], 0
            items.append(item)
            size += item_size
        if items:
            yield self._message(kind, items)

    def _message(self, kind: str, items: list[list[Any]]) -> bytes:
        body = orjson.dumps(
            {"v": VERSION, "node": self._node, "epoch": self._epoch(), "kind": kind, "items": items},
        )
        return body if self._key is None else self._sign(self._key, body) + body

    @staticmethod
    def _sign(key: bytes, body: bytes) -> bytes:
        return hmac.digest(key, body, "sha256").hex().encode()

    def is_own(self, message: bytes) -> bool:
        """Return whether the message says that this node sent it, cheaply and without checking it."""
        return message.startswith(self._own, 0 if self._key is None else _SIGNATURE_LENGTH)

    def unpack(self, message: bytes) -> list[Item]:
        """
        Return what a message tells, all of one kind: events, ephemeral ones or keys.

        Raises:
            Refused: It is no message of a node on this database, or not wholly in order.
        """
        body = self._checked(message)
        try:
            envelope = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Refused("malformed") from None
        if not isinstance(envelope, dict):
            raise Refused("malformed")
        match envelope:
            case {"v": int(version), **_rest} if version != VERSION:
                raise Refused("other_version")
            case {"v": int(), "node": str(), "epoch": str(epoch), "kind": str(kind), "items": list(items), **rest}:
                if rest or not 1 <= len(items) <= MAX_ITEMS or kind not in _READERS:
                    raise Refused("malformed")
            case _:
                raise Refused("malformed")
        read = self._read_event if kind == "events" else _READERS[kind]
        try:
            told = [read(*item) for item in items]
        except (TypeError, ValueError, Invalid):
            raise Refused("malformed") from None
        return told if epoch == self._epoch() else _keys(told)

    def _read_event(self, *fields: object) -> StreamEvent:
        *known, last = fields
        if len(known) < _EVENT_FIELDS:
            return _read_event(*fields)
        if not isinstance(last, str) or not _TRACEPARENT.fullmatch(last):
            raise ValueError
        event = _read_event(*known)
        if self._tracing is not None:
            self._tracing.carried(event, last)
        return event

    def _checked(self, message: bytes) -> bytes:
        if len(message) > MAX_MESSAGE_BYTES:
            raise Refused("too_big")
        is_signed = not message.startswith(b"{") and message.startswith(b"{", _SIGNATURE_LENGTH)
        if self._key is None:
            if is_signed:
                raise Refused("signed")
            if not message.startswith(b"{"):
                # As with a key: JSON that begins with white space is no node's.
                raise Refused("malformed")
            return message
        if not is_signed:
            raise Refused("unsigned")
        body = message[_SIGNATURE_LENGTH:]
        if not hmac.compare_digest(self._sign(self._key, body), message[:_SIGNATURE_LENGTH]):
            raise Refused("wrong_signature")
        return body


def _keys(items: list[Item]) -> list[Item]:
    """Return where to look in the log for what a node on another epoch tells."""
    keys: list[Item] = [
        item.key if isinstance(item, StreamEvent) else item for item in items if not isinstance(item, Ephemeral)
    ]
    if not keys:
        raise Refused("other_database")
    return keys


def _within_bounds(item: Item) -> Item | None:
    if isinstance(item, StreamKey) or len(item.payload) <= MAX_PAYLOAD_BYTES:
        return item
    return item.key if isinstance(item, StreamEvent) else None


def _kind_of(item: Item) -> str:
    if isinstance(item, StreamEvent):
        return "events"
    return "ephemeral" if isinstance(item, Ephemeral) else "wake"


def _write(item: Item) -> tuple[list[Any], int]:
    """Return the fields of an item for JSON, and how big it is apart from its names."""
    match item:
        case StreamEvent(user_id, namespace, seq, event_id, event, payload, created_at):
            return [user_id, namespace, seq, event_id, event, payload.decode(), created_at], len(payload)
        case Ephemeral(user_id, namespace, event, payload):
            return [user_id, namespace, event, orjson.Fragment(payload)], len(payload)
        case StreamKey(user_id, namespace):
            return [user_id, namespace], 0


def _read_event(*fields: object) -> StreamEvent:
    user_id, namespace, seq, event_id, name, payload, created_at = fields
    if not isinstance(event_id, str) or not _EVENT_ID.fullmatch(event_id):
        raise ValueError
    if not isinstance(payload, str):
        raise TypeError
    return StreamEvent(
        _read_user(user_id),
        _read_namespace(namespace),
        _read_integer(seq, 1),
        event_id,
        _read_name(name),
        _read_object(payload),
        _read_integer(created_at, 0),
    )


def _read_ephemeral(*fields: object) -> Ephemeral:
    user_id, namespace, name, payload = fields
    where, event = _read_namespace(namespace), _read_name(name)
    kind = find_event_type(where, event)
    # A page takes these for the truth: they come from its stream or from the node itself.
    if event in CONTROL_EVENTS or (kind is not None and kind.durable and not kind.publishable):
        raise ValueError
    return Ephemeral(None if user_id is None else _read_user(user_id), where, event, orjson.dumps(payload))


def _read_key(*fields: object) -> StreamKey:
    user_id, namespace = fields
    return StreamKey(_read_user(user_id), _read_namespace(namespace))


_READERS: dict[str, Callable[..., Item]] = {"events": _read_event, "ephemeral": _read_ephemeral, "wake": _read_key}


def _read_user(value: object) -> UserId:
    if not isinstance(value, str):
        raise TypeError
    return parse_user_id(value)


def _read_name(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME or not value.isprintable():
        raise ValueError
    return value


def _read_namespace(value: object) -> str:
    namespace = _read_name(value)
    if not namespace.startswith("/"):
        raise ValueError
    return namespace


def _read_integer(value: object, least: int) -> int:
    if type(value) is not int or not least <= value <= MAX_INTEGER:
        raise ValueError
    return value


def _read_object(text: str) -> bytes:
    # Clients get the text with three fields put in before its last brace, so that the braces are looked at as well.
    payload = text.encode()
    if not isinstance(orjson.loads(payload), dict) or not (payload == b"{}" or _is_trimmed(payload)):
        raise ValueError
    return payload


def _is_trimmed(payload: bytes) -> bool:
    return payload.startswith(b'{"') and payload.endswith(b"}")
