"""Bus messages: a forged one is refused, and what is accepted says the same when it is packed again."""

import hmac

import orjson

from fuzz.reading import Reading
from fuzz.target import Target
from tocsin.adapters.bus_redis.envelope import MAX_PAYLOAD_BYTES, Envelopes, Ephemeral, Item, Refused
from tocsin.domain.events import CONTROL_EVENTS
from tocsin.domain.stream import StreamEvent

KEY = "a bus key of some length"
_EPOCH = "e1"
_REASONS = {"too_big", "unsigned", "signed", "wrong_signature", "malformed", "other_version", "other_database"}


def _unpacked(envelopes: Envelopes, message: bytes) -> list[Item] | None:
    try:
        return envelopes.unpack(message)
    except Refused as refused:
        assert refused.reason in _REASONS
        return None


def _is_harmless(item: Item) -> bool:
    if isinstance(item, StreamEvent):
        return isinstance(orjson.loads(item.payload), dict) and 0 < item.seq < 2**53 and item.namespace[0] == "/"
    return not isinstance(item, Ephemeral) or item.event not in CONTROL_EVENTS


def run(data: bytes) -> None:
    """Read a message with and without a key."""
    reading = Reading(data)
    style = reading.byte()
    message = reading.rest()
    plain, signed = Envelopes("n1", lambda: _EPOCH), Envelopes("n1", lambda: _EPOCH, KEY)
    assert _unpacked(signed, message) is None, "a message without a signature is accepted"
    if style & 1:
        message = b'{"v":1,"node":"n2","epoch":"%s","kind":"%s","items":[%s]}' % (
            reading.pick((b"e1", b"e2")) if style & 2 else b"e1",
            (b"events", b"ephemeral", b"wake", b"other")[style >> 4 & 3],
            message,
        )
    told = _unpacked(plain, message)
    plain.is_own(message)
    signature = hmac.digest(KEY.encode(), message, "sha256").hex().encode()
    assert _unpacked(plain, signature + message) is None or not message.startswith(b"{")
    assert _unpacked(signed, signature + message) == told
    if told is None:
        return
    assert told
    assert all(map(_is_harmless, told))
    small = [item for item in told if len(getattr(item, "payload", b"")) <= MAX_PAYLOAD_BYTES]
    for envelopes in (plain, signed):
        again = [item for packed in envelopes.pack(small) for item in envelopes.unpack(packed)]
        assert again == small, "it says something else when it is packed again"


_EVENT = b'["7","/notifications",3,"0193b2c4","notification","{\\"id\\":1}",1700000000000]'
TARGET = Target(
    run=run,
    watched=["tocsin.adapters.bus_redis.envelope", "tocsin.domain.events", "tocsin.domain.user_id"],
    seeds=[
        b"\x01" + _EVENT,
        b"\x01" + _EVENT + b"," + _EVENT,
        b'\x11["7","/chat","user_typing",{"user_id":1}],[null,"/sns","user_online",{}]',
        b'\x21["7","/orders"]',
        b'\x00{"v":2,"node":"n2"}',
        b'\x00{"v":1,"node":"n2","epoch":"e2","kind":"wake","items":[["7","/chat"]]}',
    ],
    words=[
        *(b'"/notifications"', b'"/chat"', b'"/sns"', b'"synced"', b'"notification"', b'"unread_count"', b'"{}"'),
        *(
            b"9007199254740991",
            b"null",
            b"1.0",
            b"true",
            b'"\\u0000"',
            b'"v":1',
            b'"items":',
            b'"epoch":"e1"',
            b'"kind":"events"',
        ),
    ],
)
