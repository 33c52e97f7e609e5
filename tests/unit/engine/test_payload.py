"""Bodies of long-polling: several packets in one request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.packets import NOOP, EncodedPacket, MalformedPacket, encode_event, encode_message
from tocsin.engine.payload import decode_payload, encode_payload


def test_joins_text_and_binary():
    """Packets are separated by U+001E; binary is ``b`` and Base64."""
    body = encode_payload([encode_message("hello"), encode_message(b"\x01\x02\x03\x04"), NOOP])

    assert b"4hello\x1ebAQIDBA==\x1e6" == body


def test_attachments_follow_their_packet():
    """The attachments of an event stand directly behind it."""
    body = encode_payload([encode_event("/", "e", [b"\x01"]), NOOP])

    assert b'451-["e",{"_placeholder":true,"num":0}]\x1ebAQ==\x1e6' == body


def test_splits_text_and_binary():
    """Text comes as str with its type, binary as bytes."""
    assert ["4h\u00e9", b"\x01\x02\x03\x04", "3"] == decode_payload("4h\u00e9\x1ebAQIDBA==\x1e3".encode(), 16)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"abc",
        b"7",
        b"4a\x1e",
        b"\x1e4a",
        b"4a\x1e\x1e4b",
        b"4\xff",
        b"4\xed\xa0\x80",
        b"bAQID BA==",
        b"bAQIDBA=",
        b"bAQIDBA==AQ==",
        b"bAQID==",
        b"bAQIDBB==",
        b"b!",
        b"b-_-_",
        b"\xef\xbb\xbf4a",
    ],
)
def test_refuses_malformed_bodies(body):
    """One bad packet refuses the whole body."""
    with pytest.raises(MalformedPacket):
        decode_payload(body, 16)


def test_bounds_the_number_of_packets():
    """The sixteenth packet is taken, the seventeenth refuses all."""
    assert 16 == len(decode_payload(b"\x1e".join([b"4a"] * 16), 16))
    with pytest.raises(MalformedPacket):
        decode_payload(b"\x1e".join([b"4a"] * 17), 16)


@given(st.lists(st.binary() | st.text().filter(lambda text: "\x1e" not in text), min_size=1))
def test_messages_survive_the_wire(messages):
    """What is joined splits into the same messages."""
    body = encode_payload(map(encode_message, messages))

    expected = ["4" + message if isinstance(message, str) else message for message in messages]
    assert expected == decode_payload(body, len(messages))


@given(st.binary())
def test_arbitrary_bytes_never_crash(body):
    """Any body is packets or malformed, nothing else."""
    try:
        packets = decode_payload(body, 16)
    except MalformedPacket:
        return

    assert packets


def test_an_empty_binary_message_is_kept():
    """A binary message of no bytes is still a message."""
    assert b"b" == encode_payload([EncodedPacket(b"", (b"",))])
    assert [b""] == decode_payload(b"b", 1)
