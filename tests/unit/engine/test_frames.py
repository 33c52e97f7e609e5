"""RFC 6455 frames: reassembly, bounds, faults and what the server sends."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.speedups import apply_mask

from tocsin.engine.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    INVALID_DATA,
    MESSAGE_TOO_BIG,
    PING,
    POLICY_VIOLATION,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    FrameError,
    FrameParser,
    accept_key,
    encode_close,
    encode_frame,
    handshake_response,
)

MASK = b"\x37\xfa\x21\x3d"


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    length = len(payload)
    head = bytes(((0x80 if final else 0) | rsv | opcode,))
    bit = 0x80 if masked else 0
    if length < 126:
        head += bytes((bit | length,))
    elif length < 65_536:
        head += bytes((bit | 126,)) + length.to_bytes(2, "big")
    else:
        head += bytes((bit | 127,)) + length.to_bytes(8, "big")
    return head + MASK + apply_mask(payload, MASK) if masked else head + payload


def parse(*reads: bytes, max_payload: int = 1000, max_fragments: int = 10) -> tuple[list, int | None]:
    """Return the messages and the close code of the fault that ended them."""
    parser = FrameParser(max_payload, max_fragments)
    messages = []
    try:
        for data in reads:
            messages.extend(parser.feed(data))
    except FrameError as fault:
        return messages, fault.code
    return messages, None


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_takes_messages_of_any_length(length):
    """Each of the three forms of a length is understood."""
    text = "x" * length

    assert ([(TEXT, text)], None) == parse(frame(TEXT, text.encode()), max_payload=100_000)


def test_text_is_str_and_binary_is_bytes():
    """Text arrives decoded, binary as it is."""
    assert ([(TEXT, "h\u00e9"), (BINARY, b"\xff")], None) == parse(
        frame(TEXT, "h\u00e9".encode()) + frame(BINARY, b"\xff")
    )


def test_one_byte_at_a_time_is_the_same():
    """Cuts between reads change nothing."""
    data = frame(TEXT, b"a" * 200) + frame(PING, b"p") + frame(BINARY, b"b", final=False) + frame(CONTINUATION, b"c")

    expected = ([(TEXT, "a" * 200), (PING, b"p"), (BINARY, b"bc")], None)
    assert expected == parse(data)
    assert expected == parse(*(data[i : i + 1] for i in range(len(data))))


def test_control_frames_come_between_fragments():
    """A ping inside a fragmented message is given at once; the message stays whole."""
    data = frame(TEXT, b"a", final=False) + frame(PING, b"1") + frame(CONTINUATION, b"b", final=False)
    data += frame(PONG, b"2") + frame(CONTINUATION, b"c")

    assert ([(PING, b"1"), (PONG, b"2"), (TEXT, "abc")], None) == parse(data)


def test_a_character_may_be_cut_by_fragments():
    """UTF-8 is checked over the whole message."""
    data = frame(TEXT, b"\xc3", final=False) + frame(CONTINUATION, b"\xa9")

    assert ([(TEXT, "\u00e9")], None) == parse(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(TEXT, b"a", masked=False), PROTOCOL_ERROR, id="not masked"),
        pytest.param(frame(TEXT, b"a", rsv=0x40), PROTOCOL_ERROR, id="RSV1, compression"),
        pytest.param(frame(TEXT, b"a", rsv=0x20), PROTOCOL_ERROR, id="RSV2"),
        pytest.param(frame(PING, b"a", rsv=0x10), PROTOCOL_ERROR, id="RSV3"),
        *[pytest.param(frame(opcode, b"a"), PROTOCOL_ERROR, id=f"opcode {opcode}") for opcode in (3, 7, 11, 15)],
        pytest.param(frame(PING, b"a", final=False), PROTOCOL_ERROR, id="fragmented ping"),
        pytest.param(frame(PING, b"a" * 126), PROTOCOL_ERROR, id="long ping"),
        pytest.param(frame(CONTINUATION, b"a"), PROTOCOL_ERROR, id="continuation of nothing"),
        pytest.param(frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), PROTOCOL_ERROR, id="text inside text"),
        pytest.param(frame(TEXT, b"\xff"), INVALID_DATA, id="bad UTF-8"),
        pytest.param(frame(TEXT, b"\xed\xa0\x80"), INVALID_DATA, id="surrogate"),
        pytest.param(frame(TEXT, b"\xc3", final=False) + frame(CONTINUATION), INVALID_DATA, id="cut character"),
        pytest.param(frame(CLOSE, b"\x03"), PROTOCOL_ERROR, id="close of one byte"),
        *[
            pytest.param(frame(CLOSE, code.to_bytes(2, "big")), PROTOCOL_ERROR, id=f"close code {code}")
            for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535)
        ],
        pytest.param(frame(CLOSE, b"\x03\xe8\xff"), INVALID_DATA, id="close reason of bad UTF-8"),
        pytest.param(frame(TEXT, b"a" * 1001), MESSAGE_TOO_BIG, id="too big"),
        pytest.param(frame(TEXT, b"a" * 70_000), MESSAGE_TOO_BIG, id="much too big"),
        pytest.param(
            frame(TEXT, b"a" * 600, final=False) + frame(CONTINUATION, b"a" * 401),
            MESSAGE_TOO_BIG,
            id="fragments too big",
        ),
        pytest.param(
            frame(TEXT, final=False) + frame(CONTINUATION, final=False) * 10, POLICY_VIOLATION, id="too many fragments"
        ),
    ],
)
def test_faults_have_their_close_code(data, code):
    """A fault ends with its code, in one read or byte by byte, after what came before it."""
    before = frame(BINARY, b"good")

    assert ([(BINARY, b"good")], code) == parse(before + data)
    assert ([(BINARY, b"good")], code) == parse(before, data)
    assert ([(BINARY, b"good")], code) == parse(*(bytes((byte,)) for byte in before + data))


def test_a_bound_is_reached_exactly():
    """A message of exactly the bound, in exactly as many fragments, is taken."""
    data = frame(TEXT, b"a" * 100, final=False) + frame(CONTINUATION, b"a" * 100, final=False) * 8
    data += frame(CONTINUATION, b"a" * 100)

    assert ([(TEXT, "a" * 1000)], None) == parse(data)


def test_too_big_is_known_from_the_header():
    """Nobody sends the payload that is refused: ten bytes of header suffice."""
    header = b"\x82\xff" + (2**63).to_bytes(8, "big") + MASK

    assert ([], MESSAGE_TOO_BIG) == parse(header)


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x0f\xa0bye", b"\x13\x87"])
def test_close_is_the_last_message(payload):
    """What follows a close frame is ignored, in this read and in later ones."""
    data = frame(CLOSE, payload) + frame(TEXT, b"late")

    assert ([(CLOSE, payload)], None) == parse(data, frame(TEXT, b"later"))


def test_close_may_interrupt_a_message():
    """A close frame is a control frame: it may come between fragments."""
    assert ([(CLOSE, b"")], None) == parse(frame(TEXT, b"a", final=False) + frame(CLOSE))


def test_a_fault_is_final():
    """After a fault further input is ignored."""
    parser = FrameParser(1000, 10)
    with pytest.raises(FrameError):
        list(parser.feed(frame(TEXT, b"\xff")))

    assert [] == list(parser.feed(frame(TEXT, b"a")))


def test_a_pause_loses_nothing():
    """Whoever stops iterating finds the rest with the next read, in order."""
    parser = FrameParser(1000, 10)
    first = next(iter(parser.feed(frame(TEXT, b"1") + frame(TEXT, b"2") + b"\x81")))
    rest = list(parser.feed(frame(TEXT, b"3")[1:]))

    assert [(TEXT, "1"), (TEXT, "2"), (TEXT, "3")] == [first, *rest]


def test_idle_holds_no_buffer():
    """A parser keeps memory only while a frame or a message is half received."""
    parser = FrameParser(100_000, 10)
    assert parser.idle
    message = frame(TEXT, b"a" * 70_000, final=False)
    list(parser.feed(message[:-1]))
    assert not parser.idle
    list(parser.feed(message[-1:]))
    assert not parser.idle
    list(parser.feed(frame(CONTINUATION, b"b")))
    assert parser.idle


def test_empty_fragments_hold_no_memory():
    """A flood of empty fragments costs its bound in steps, not in bytes."""
    parser = FrameParser(1_000_000, 100_000)
    list(parser.feed(frame(TEXT, final=False)))
    flood = frame(CONTINUATION, final=False)
    list(parser.feed(flood))
    tracemalloc.start()
    for _ in range(10_000):
        list(parser.feed(flood))
    held, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 10_000


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_arbitrary_bytes_never_crash(reads):
    """Any input is messages or a FrameError, nothing else."""
    _messages, code = parse(*reads)

    assert code in (None, PROTOCOL_ERROR, INVALID_DATA, MESSAGE_TOO_BIG, POLICY_VIOLATION)


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_frames_of_the_server_are_whole_and_unmasked(length):
    """One final frame, the shortest form of the length, no mask."""
    payload = b"x" * length

    assert frame(TEXT, payload, masked=False) == encode_frame(TEXT, payload)
    assert frame(BINARY, payload, masked=False) == encode_frame(BINARY, payload)


def test_close_frames_fit():
    """A long reason is cut between characters, so that the payload stays ≤ 125 bytes."""
    assert b"\x88\x02\x03\xe8" == encode_close(1000)
    data = encode_close(1002, "\u00e9" * 100)

    assert len(data) <= 127
    assert "\u00e9" * 61 == data[4:].decode()


def test_handshake_of_the_rfc():
    """The example of section 1.3 gives the answer of section 1.3."""
    response = handshake_response(b"dGhlIHNhbXBsZSBub25jZQ==")

    assert response.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in response
    assert response.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "key", [b"", b"abc", b"dGhlIHNhbXBsZSBub25jZQ", b"AAAA", b"dGhlIHNhbXBsZSBub25jZQ==\r\nX: y", b"\xff" * 24]
)
def test_bad_keys_are_refused(key):
    """A key that isn't 16 bytes in Base64 gets no answer to copy."""
    with pytest.raises(ValueError, match="Sec-WebSocket-Key"):
        accept_key(key)
