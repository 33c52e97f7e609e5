"""
Wire format of Engine.IO v4 and Socket.IO v5, without I/O.

A packet of the wire becomes a ``Packet``; what the server says becomes an
``EncodedPacket``, whose bytes every recipient shares. Decoding is strict: what
the specifications don't allow a *client* to send raises ``MalformedPacket``.

Sessions, namespaces, handlers and rate bounds do *not* live here; nor does the
body of a polling request (``payload.py``) or RFC 6455 (``frames.py``).
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final

import orjson

from tocsin.engine import frames
from tocsin.engine.json_text import load_json

MAX_DEPTH: Final = 64
"""Containers within containers that JSON from the wire may have."""

MAX_ATTACHMENTS: Final = 10
"""Attachments of one packet: JavaScript clients close the connection on an 11th."""

RESERVED_EVENTS: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"},
)
"""Event names that only the library itself raises; from the wire they are malformed."""

# Type, attachments, namespace, id: whatever follows has to be the JSON payload. An id has
# at most 16 digits (a JavaScript client counts up to 2^53) and no leading zero, else the
# rest of its digits lands in the payload and is refused there.
_LARGE: Final = 16_384
_HEADER: Final = re.compile(r"([0-6])(?:([0-9]{1,6})-)?(?:(/[^,]{0,255})(?:,|\Z))?(0|[1-9][0-9]{0,15})?", re.ASCII)


class MalformedPacket(ValueError):
    """The peer sent what the protocol doesn't allow; its connection must end."""


class PacketType(IntEnum):
    """Socket.IO packet types (v5, "Packet types")."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


class Packet:
    """
    One decoded Socket.IO packet.

    Attributes:
        type: What it is. BINARY_* only until its attachments are in place.
        namespace: ``/`` or ``/name``.
        data: CONNECT: dict or None. EVENT: ``[name, *args]``, the name an unreserved
            str. ACK: list of args. DISCONNECT: None.
        id: Id of the ack asked for (EVENT) or given (ACK); else None.
        attachments: Number of binary messages that must follow.
    """

    __slots__ = ("attachments", "data", "id", "namespace", "type")

    def __init__(
        self,
        type: PacketType,  # noqa: A002
        namespace: str,
        data: Any = None,
        id: int | None = None,  # noqa: A002
        attachments: int = 0,
    ) -> None:
        self.type = type
        self.namespace = namespace
        self.data = data
        self.id = id
        self.attachments = attachments

    def __repr__(self) -> str:
        # Without data: a packet may carry a token or a message text into a log.
        return f"<Packet {self.type.name} {self.namespace} id={self.id} attachments={self.attachments}>"


class EncodedPacket:
    """
    One packet for any number of recipients: encoded once, framed once.

    Attributes:
        text: Engine.IO packet, type digit included (``42/chat,[...]``); empty for a
            lone binary message.
        attachments: Binary messages that follow, in order.
        frame: RFC 6455 frames of text and attachments.
        is_large: The frame is not to be held back in memory, for many sockets at once.
    """

    __slots__ = ("attachments", "frame", "is_large", "text")

    def __init__(self, text: bytes, attachments: tuple[bytes, ...] = ()) -> None:
        self.text = text
        self.attachments = attachments
        # Made now, although no poll needs it: each delivery reads it.
        frame = frames.encode_frame(frames.TEXT, text) if text else b""
        if attachments:
            frame += b"".join(frames.encode_frame(frames.BINARY, data) for data in attachments)
        self.frame = frame
        self.is_large = len(frame) >= _LARGE

    @property
    def size(self) -> int:
        """Bytes of text and attachments, without framing."""
        return len(self.text) + sum(map(len, self.attachments)) if self.attachments else len(self.text)

    def __repr__(self) -> str:
        return f"<EncodedPacket of {self.size} bytes>"


CLOSE: Final = EncodedPacket(b"1")
PING: Final = EncodedPacket(b"2")
PONG: Final = EncodedPacket(b"3")
NOOP: Final = EncodedPacket(b"6")
PROBE_PONG: Final = EncodedPacket(b"3probe")


class BinaryAssembler:
    """
    Collect the attachments of one BINARY_* packet.

    Args:
        packet: As decoded, with ``attachments`` > 0.
        max_bytes: Bound of all attachments together.
    """

    __slots__ = ("_attachments", "_packet", "_room")

    def __init__(self, packet: Packet, max_bytes: int) -> None:
        self._packet = packet
        self._attachments: list[bytes] = []
        self._room = max_bytes

    def add(self, data: bytes) -> Packet | None:
        """
        Take the next binary message; return the whole packet after the last one.

        The returned packet has type EVENT or ACK and ``bytes`` in place of its
        placeholders.

        Raises:
            MalformedPacket: Too many bytes, or placeholders that don't name each
                attachment exactly once.
        """
        self._room -= len(data)
        if self._room < 0:
            raise MalformedPacket("attachments too big")
        self._attachments.append(data)
        packet = self._packet
        if len(self._attachments) < packet.attachments:
            return None
        unused: list[bytes | None] = list(self._attachments)
        packet.data = _fill(packet.data, unused)
        if any(attachment is not None for attachment in unused):
            raise MalformedPacket("attachment without placeholder")
        packet.type = PacketType.EVENT if packet.type is PacketType.BINARY_EVENT else PacketType.ACK
        packet.attachments = 0
        return packet


def _fill(value: Any, unused: list[bytes | None]) -> Any:
    if type(value) is list:
        return [_fill(item, unused) for item in value]
    if type(value) is not dict:
        return value
    if value.get("_placeholder") is not True:
        return {key: _fill(item, unused) for key, item in value.items()}
    num = value.get("num")
    if type(num) is not int or len(value) != 2 or not 0 <= num < len(unused):
        raise MalformedPacket("bad placeholder")
    attachment = unused[num]
    if attachment is None:
        raise MalformedPacket("attachment used twice")
    unused[num] = None
    return attachment


def decode_packet(text: str, max_attachments: int = MAX_ATTACHMENTS, start: int = 0) -> Packet:
    """
    Decode one Socket.IO packet that a client sent (v5, "Packet encoding").

    Args:
        text: The message; its size is bounded by whoever received it.
        max_attachments: Most binary attachments that a packet may announce.
        start: Where the packet starts, so that the Engine.IO type needn't be cut off.

    Raises:
        MalformedPacket: Anything that the specification doesn't allow a client to
            send; also reserved event names, event names other than strings, and
            JSON deeper than ``MAX_DEPTH``. The text of the error never echoes input.
    """
    header = _HEADER.match(text, start)
    if header is None:
        raise MalformedPacket("unknown packet type")
    kind, count, namespace, number = header.groups()
    end = header.end()
    data = _decode_json(text[end:]) if end < len(text) else None
    id_ = int(number) if number is not None else None
    type_, check = _CHECKS[kind]
    check(data, id_)
    attachments = _count_attachments(kind, count, max_attachments) if count is not None or kind in "56" else 0
    return Packet(type_, namespace or "/", data, id_, attachments)


def _count_attachments(kind: str, count: str | None, most: int) -> int:
    if count is None or kind not in "56":
        raise MalformedPacket("attachments and type of packet disagree")
    attachments = int(count)
    if not 0 < attachments <= most:
        raise MalformedPacket("bad number of attachments")
    return attachments


def _decode_json(text: str) -> Any:
    try:
        value = load_json(text)
    except orjson.JSONDecodeError:
        raise MalformedPacket("payload is not JSON") from None
    if value is None:  # no packet takes null, and None stands for "no payload"
        raise MalformedPacket("payload is null")
    if len(text) > 2 * MAX_DEPTH and text.count("[") + text.count("{") > MAX_DEPTH:
        level: list[Any] = [value]
        for _ in range(MAX_DEPTH):
            level = [
                child
                for container in level
                for child in (container.values() if type(container) is dict else container)
                if type(child) in (dict, list)
            ]
            if not level:
                break
        else:
            raise MalformedPacket("payload too deep")
    return value


def _check_connect(data: Any, id_: int | None) -> None:
    if id_ is not None or not (data is None or type(data) is dict):
        raise MalformedPacket("CONNECT takes an object or nothing")


def _check_disconnect(data: Any, id_: int | None) -> None:
    if id_ is not None or data is not None:
        raise MalformedPacket("DISCONNECT takes no payload")


def _check_event(data: Any, _id: int | None) -> None:
    if type(data) is not list or not data or type(data[0]) is not str:
        raise MalformedPacket("EVENT takes an array that starts with a name")
    if data[0] in RESERVED_EVENTS:
        raise MalformedPacket("reserved event name")


def _check_ack(data: Any, id_: int | None) -> None:
    if id_ is None or type(data) is not list:
        raise MalformedPacket("ACK takes an id and an array")


def _check_connect_error(_data: Any, _id: int | None) -> None:
    raise MalformedPacket("CONNECT_ERROR is only ever sent by a server")


_CHECKS: Final = {
    "0": (PacketType.CONNECT, _check_connect),
    "1": (PacketType.DISCONNECT, _check_disconnect),
    "2": (PacketType.EVENT, _check_event),
    "3": (PacketType.ACK, _check_ack),
    "4": (PacketType.CONNECT_ERROR, _check_connect_error),
    "5": (PacketType.BINARY_EVENT, _check_event),
    "6": (PacketType.BINARY_ACK, _check_ack),
}


def encode_event(namespace: str, event: str, args: Sequence[Any] = (), id: int | None = None) -> EncodedPacket:  # noqa: A002
    """
    Encode an event; ``bytes`` anywhere in the args become attachments.

    Args:
        namespace: ``/`` or ``/name``.
        event: Its name.
        args: JSON values, and ``bytes``, ``bytearray`` or ``memoryview``.
        id: Asks the client for an ack under this id.

    Raises:
        TypeError: An argument has no JSON form, or more than ``MAX_ATTACHMENTS`` are ``bytes``.
    """
    return _encode(b"42", b"45", namespace, id, (event, *args))


def encode_event_json(namespace: str, event: str, payload_json: bytes) -> EncodedPacket:
    """
    Encode an event whose one argument is JSON already; it is not looked at.

    Args:
        namespace: ``/`` or ``/name``.
        event: Its name.
        payload_json: One valid JSON text in UTF-8.
    """
    return EncodedPacket(b"42%b[%b,%b]" % (_prefix(namespace), orjson.dumps(event), payload_json))


def encode_ack(namespace: str, id: int, args: Sequence[Any] = ()) -> EncodedPacket:  # noqa: A002
    """
    Encode the answer to an event; ``bytes`` in the args become attachments.

    Raises:
        TypeError: An argument has no JSON form, or more than ``MAX_ATTACHMENTS`` are ``bytes``.
    """
    return _encode(b"43", b"46", namespace, id, tuple(args))


def encode_connect(namespace: str, sid: str) -> EncodedPacket:
    """Encode the acceptance of a client on a namespace: exactly ``{"sid": ...}``."""
    return EncodedPacket(b"40%b%b" % (_prefix(namespace), orjson.dumps({"sid": sid})))


def encode_connect_error(namespace: str, message: str, data: Any = None) -> EncodedPacket:
    """
    Encode the refusal of a client on a namespace.

    Args:
        namespace: ``/`` or ``/name``.
        message: Becomes ``err.message`` in a JavaScript client.
        data: Becomes ``err.data``; left out when None.
    """
    payload = {"message": message} if data is None else {"message": message, "data": data}
    return EncodedPacket(b"44%b%b" % (_prefix(namespace), orjson.dumps(payload)))


def encode_disconnect(namespace: str) -> EncodedPacket:
    """Encode the end of one namespace; a JavaScript client does *not* come back after it."""
    return EncodedPacket(b"41" + _prefix(namespace))


def encode_handshake(
    sid: str,
    upgrades: Sequence[str],
    ping_interval_s: float,
    ping_timeout_s: float,
    max_payload: int,
) -> EncodedPacket:
    """Encode the Engine.IO ``open`` packet (v4, "Handshake"); times go out in milliseconds."""
    payload = {
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": round(ping_interval_s * 1000),
        "pingTimeout": round(ping_timeout_s * 1000),
        "maxPayload": max_payload,
    }
    return EncodedPacket(b"0" + orjson.dumps(payload))


def encode_message(data: str | bytes) -> EncodedPacket:
    """Encode a bare Engine.IO message, text or binary, with no Socket.IO in it."""
    return EncodedPacket(b"4" + data.encode()) if isinstance(data, str) else EncodedPacket(b"", (data,))


@lru_cache(maxsize=64)
def _prefix(namespace: str) -> bytes:
    return b"" if namespace == "/" else namespace.encode() + b","


def _encode(plain: bytes, binary: bytes, namespace: str, id_: int | None, items: Sequence[Any]) -> EncodedPacket:
    number = b"" if id_ is None else b"%d" % id_
    try:
        return EncodedPacket(plain + _prefix(namespace) + number + orjson.dumps(items))
    except TypeError:
        # Only now: args without bytes are nearly all, and pay nothing for those with.
        payload, attachments = _extract(items)
    return EncodedPacket(b"%b%d-%b%b%b" % (binary, len(attachments), _prefix(namespace), number, payload), attachments)


def _extract(items: Sequence[Any]) -> tuple[bytes, tuple[bytes, ...]]:
    """Encode with a placeholder for each ``bytes``, and return these in document order."""
    attachments: list[bytes] = []

    def extract(value: Any) -> dict[str, Any]:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"no JSON form: {type(value).__name__}")
        if len(attachments) == MAX_ATTACHMENTS:
            raise TypeError("too many attachments")
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}

    return orjson.dumps(items, default=extract), tuple(attachments)
