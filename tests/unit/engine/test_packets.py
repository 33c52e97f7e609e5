"""Socket.IO packets: what decodes, what is refused, what goes out on the wire."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine import frames
from tocsin.engine.packets import (
    MAX_DEPTH,
    NOOP,
    RESERVED_EVENTS,
    BinaryAssembler,
    EncodedPacket,
    MalformedPacket,
    Packet,
    PacketType,
    decode_packet,
    encode_ack,
    encode_connect,
    encode_connect_error,
    encode_disconnect,
    encode_event,
    encode_event_json,
    encode_handshake,
    encode_message,
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
json_with_bytes = st.recursive(
    st.integers(0, 9) | st.text(max_size=5) | st.binary(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)
namespaces = st.just("/") | st.from_regex(r"/[a-z][a-z0-9_-]{0,20}", fullmatch=True)
events = st.text(max_size=20).filter(lambda name: name not in RESERVED_EVENTS)
ids = st.none() | st.integers(0, 2**53)


def fields(packet: Packet) -> tuple:
    return packet.type, packet.namespace, packet.data, packet.id, packet.attachments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (PacketType.CONNECT, "/", None, None, 0)),
        ('0{"token":"123"}', (PacketType.CONNECT, "/", {"token": "123"}, None, 0)),
        ("0/admin,", (PacketType.CONNECT, "/admin", None, None, 0)),
        ("0/admin", (PacketType.CONNECT, "/admin", None, None, 0)),
        ('0/admin,{"a":1}', (PacketType.CONNECT, "/admin", {"a": 1}, None, 0)),
        ("1", (PacketType.DISCONNECT, "/", None, None, 0)),
        ("1/admin,", (PacketType.DISCONNECT, "/admin", None, None, 0)),
        ('2["foo"]', (PacketType.EVENT, "/", ["foo"], None, 0)),
        ('2/admin,["bar",1]', (PacketType.EVENT, "/admin", ["bar", 1], None, 0)),
        ('212["foo"]', (PacketType.EVENT, "/", ["foo"], 12, 0)),
        ('20["foo"]', (PacketType.EVENT, "/", ["foo"], 0, 0)),
        ("3/admin,13[]", (PacketType.ACK, "/admin", [], 13, 0)),
        (
            '51-["baz",{"_placeholder":true,"num":0}]',
            (PacketType.BINARY_EVENT, "/", ["baz", {"_placeholder": True, "num": 0}], None, 1),
        ),
        (
            '61-/admin,15["bar",{"_placeholder":true,"num":0}]',
            (PacketType.BINARY_ACK, "/admin", ["bar", {"_placeholder": True, "num": 0}], 15, 1),
        ),
    ],
)
def test_decodes_the_examples_of_the_specification(text, expected):
    """Every example of the specification that a client may send decodes to its fields."""
    assert expected == fields(decode_packet(text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("7", id="unknown type"),
        pytest.param("abc", id="no type"),
        pytest.param("\u0662[]", id="digit of another script"),
        pytest.param("0abc", id="connect with junk"),
        pytest.param("0[]", id="connect with an array"),
        pytest.param('0"x"', id="connect with a string"),
        pytest.param("0null", id="connect with null"),
        pytest.param("05{}", id="connect with an id"),
        pytest.param("1{}", id="disconnect with a payload"),
        pytest.param("11", id="disconnect with an id"),
        pytest.param("1null", id="disconnect with null"),
        pytest.param("2", id="event without payload"),
        pytest.param("2{}", id="event with an object"),
        pytest.param("2[]", id="event without a name"),
        pytest.param("2[1]", id="event named by a number"),
        pytest.param("2[null]", id="event named null"),
        pytest.param('2[["foo"]]', id="event named by an array"),
        pytest.param('2abc["foo"]', id="junk before the payload"),
        pytest.param('2["foo"]x', id="junk after the payload"),
        pytest.param('2["foo"', id="unfinished JSON"),
        pytest.param('2["foo",NaN]', id="NaN"),
        pytest.param('2/chat["a","b"]', id="namespace without its comma"),
        pytest.param('2/%s,["foo"]' % ("n" * 300), id="endless namespace"),
        pytest.param('212/chat,["foo"]', id="id before the namespace"),
        pytest.param('2012["foo"]', id="id with a leading zero"),
        pytest.param('2-1["foo"]', id="negative id"),
        pytest.param('2%s["foo"]' % ("9" * 17), id="endless id"),
        pytest.param('21-["foo"]', id="attachments on a plain event"),
        pytest.param("3[]", id="ack without id"),
        pytest.param("312", id="ack without payload"),
        pytest.param("312{}", id="ack with an object"),
        pytest.param('4{"message":"x"}', id="an error that only servers send"),
        pytest.param('5["foo"]', id="binary without a number of attachments"),
        pytest.param('50-["foo"]', id="binary without attachments"),
        pytest.param('511-["foo"]', id="eleven attachments"),
        pytest.param('59999999999-["foo"]', id="ten billion attachments"),
        pytest.param('51.5-["foo"]', id="one and a half attachments"),
        pytest.param('51e1-["foo"]', id="attachments with an exponent"),
    ],
)
def test_refuses_what_the_specification_forbids(text):
    """What a client may not send is malformed, and the error doesn't repeat it."""
    with pytest.raises(MalformedPacket) as refused:
        decode_packet(text)

    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
@pytest.mark.parametrize("packet", ['2/chat,["%s","x"]', '51-["%s",{"_placeholder":true,"num":0}]'])
def test_refuses_reserved_names(packet, name):
    """An event of the library itself never comes from the wire."""
    with pytest.raises(MalformedPacket):
        decode_packet(packet % name)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_refuses_deep_nesting(opening, closing):
    """JSON may nest exactly MAX_DEPTH containers."""
    inner = MAX_DEPTH - 1  # the argument list is one itself
    deepest = f'2["e",{opening * inner}1{closing * inner}]'
    too_deep = f'2["e",{opening * (inner + 1)}1{closing * (inner + 1)}]'

    assert "e" == decode_packet(deepest).data[0]
    with pytest.raises(MalformedPacket):
        decode_packet(too_deep)


def test_wide_is_not_deep():
    """Many containers beside each other are no nesting."""
    packet = decode_packet('2["e"' + ",[{}]" * 1000 + "]")

    assert 1001 == len(packet.data)


def test_decodes_behind_the_engine_type():
    """The Engine.IO type in front is skipped, not cut off."""
    assert (PacketType.EVENT, "/", ["foo"], 7, 0) == fields(decode_packet('427["foo"]', start=1))


def test_a_packet_shows_no_payload():
    """The repr, which may reach a log, holds neither token nor text."""
    packet = decode_packet('0/chat,{"token":"secret"}')

    assert "secret" not in repr(packet)
    assert "secret" not in repr(encode_event("/", "e", ["secret"]))


@given(st.text() | st.from_regex(r"[0-6]([0-9]{1,3}-)?(/[a-z]*,)?[0-9]{0,3}(\[.*\]|\{.*\})?", fullmatch=True))
def test_arbitrary_text_never_crashes(text):
    """Any text is a packet or malformed, nothing else."""
    try:
        packet = decode_packet(text)
    except MalformedPacket:
        return

    assert packet.type in PacketType


@given(namespaces, events, st.lists(json_values, max_size=3), ids)
def test_events_survive_the_wire(namespace, event, args, id_):
    """What encodes as an event decodes to the same event."""
    encoded = encode_event(namespace, event, args, id_)

    decoded = decode_packet(encoded.text.decode(), start=1)

    assert (PacketType.EVENT, namespace, [event, *args], id_, 0) == fields(decoded)


@given(namespaces, st.integers(0, 2**53), st.lists(json_values, max_size=3))
def test_acks_survive_the_wire(namespace, id_, args):
    """What encodes as an ack decodes to the same ack."""
    decoded = decode_packet(encode_ack(namespace, id_, args).text.decode(), start=1)

    assert (PacketType.ACK, namespace, args, id_, 0) == fields(decoded)


@given(namespaces, st.lists(json_with_bytes, max_size=1), ids)
def test_bytes_survive_the_wire(namespace, args, id_):
    """Bytes at any depth leave as attachments and come back to their places."""
    encoded = encode_event(namespace, "e", args, id_)
    packet = decode_packet(encoded.text.decode(), max_attachments=100, start=1)

    if encoded.attachments:
        assembler = BinaryAssembler(packet, 10_000)
        results = [assembler.add(data) for data in encoded.attachments]
        assert [None] * (len(results) - 1) == results[:-1]
        packet = results[-1]

    assert (PacketType.EVENT, namespace, ["e", *args], id_, 0) == fields(packet)


def test_binary_events_have_the_specified_form():
    """Attachments are counted, replaced by placeholders and follow in order."""
    packet = encode_event("/admin", "baz", [b"\x01\x02", {"k": bytearray(b"\x03")}], 7)

    expected = b'452-/admin,7["baz",{"_placeholder":true,"num":0},{"k":{"_placeholder":true,"num":1}}]'
    assert expected == packet.text
    assert (b"\x01\x02", b"\x03") == packet.attachments


def test_binary_acks_have_the_specified_form():
    """An ack with bytes is a BINARY_ACK."""
    assert b'461-789[{"_placeholder":true,"num":0}]' == encode_ack("/", 789, [b"x"]).text


@pytest.mark.parametrize(
    "payload",
    [
        '{"_placeholder":true,"num":0}',
        '{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}',
        '{"_placeholder":true,"num":0},{"_placeholder":true,"num":2}',
        '{"_placeholder":true,"num":0},{"_placeholder":true,"num":-1}',
        '{"_placeholder":true,"num":0},{"_placeholder":true,"num":true}',
        '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1.0}',
        '{"_placeholder":true,"num":0},{"_placeholder":true,"num":"1"}',
        '{"_placeholder":true,"num":0},{"_placeholder":true}',
        '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1,"x":1}',
        '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}',
        "1",
    ],
)
def test_refuses_placeholders_that_do_not_fit(payload):
    """Two attachments need exactly the placeholders 0 and 1, each once."""
    assembler = BinaryAssembler(decode_packet(f'52-["e",{payload}]'), 100)
    assembler.add(b"a")

    with pytest.raises(MalformedPacket):
        assembler.add(b"b")


def test_placeholders_may_stand_in_any_order():
    """The number of a placeholder decides, not its position."""
    assembler = BinaryAssembler(
        decode_packet('62-5[{"_placeholder":true,"num":1},{"x":[{"_placeholder":true,"num":0}]}]'), 100
    )
    assembler.add(b"a")
    packet = assembler.add(b"b")

    assert (PacketType.ACK, "/", [b"b", {"x": [b"a"]}], 5, 0) == fields(packet)


def test_attachments_together_are_bounded():
    """The bound holds for the sum, at the attachment that exceeds it."""
    text = '52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
    assembler = BinaryAssembler(decode_packet(text), 10)
    assembler.add(b"123456")

    with pytest.raises(MalformedPacket):
        assembler.add(b"12345")


def test_a_lookalike_in_a_plain_event_is_data():
    """A placeholder means nothing where no attachment was announced."""
    assert {"_placeholder": True, "num": 0} == decode_packet('2["e",{"_placeholder":true,"num":0}]').data[1]


@given(namespaces, events, json_values)
def test_ready_json_is_wrapped_as_it_is(namespace, event, payload):
    """Encoding ready JSON gives the bytes that encoding the value gives."""
    expected = encode_event(namespace, event, [payload]).text

    assert expected == encode_event_json(namespace, event, orjson.dumps(payload)).text


def test_refuses_an_eleventh_attachment():
    """Ten attachments leave; an eleventh, which would cut JavaScript clients, is the caller's TypeError."""
    assert 10 == len(encode_event("/", "e", [b"x"] * 10).attachments)
    with pytest.raises(TypeError):
        encode_event("/", "e", [b"x"] * 11)


def test_refuses_to_encode_what_has_no_json_form():
    """An argument without a JSON form is the caller's TypeError."""
    with pytest.raises(TypeError):
        encode_event("/", "e", [object()])


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (encode_connect("/", "abc"), b'40{"sid":"abc"}'),
        (encode_connect("/chat", "abc"), b'40/chat,{"sid":"abc"}'),
        (encode_connect_error("/random", "Invalid namespace"), b'44/random,{"message":"Invalid namespace"}'),
        (encode_connect_error("/", "no", {"code": 1}), b'44{"message":"no","data":{"code":1}}'),
        (encode_disconnect("/"), b"41"),
        (encode_disconnect("/chat"), b"41/chat,"),
        (encode_message("hello"), b"4hello"),
        (
            encode_handshake("abc", ["websocket"], 0.3, 0.2, 1_000_000),
            b'0{"sid":"abc","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}',
        ),
    ],
)
def test_the_server_speaks_as_specified(packet, expected):
    """Each packet of the server has exactly its specified form."""
    assert expected == packet.text


def test_frames_are_made_once():
    """All recipients share the bytes of one frame."""
    packet = encode_event("/", "e", [1])

    assert packet.frame is packet.frame
    assert frames.encode_frame(frames.TEXT, b'42["e",1]') == packet.frame


def test_attachments_are_framed_behind_their_text():
    """The frames of a binary packet are one text frame and the attachments in order."""
    packet = EncodedPacket(b"45", (b"a", b"bc"))

    assert b"\x81\x0245\x82\x01a\x82\x02bc" == packet.frame
    assert 5 == packet.size


def test_a_lone_binary_message_is_one_frame():
    """A message without text has no empty text frame in front."""
    assert b"\x82\x03abc" == encode_message(b"abc").frame


def test_size_counts_text():
    """A plain packet is as big as its text."""
    assert 1 == NOOP.size
