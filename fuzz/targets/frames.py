"""RFC 6455 frames: any cut of the bytes gives the same, and the websockets library agrees."""

import codecs
from collections.abc import Sequence
from typing import Any

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import SERVER, Protocol
from websockets.speedups import apply_mask

from fuzz.reading import Reading
from fuzz.target import Target
from tocsin.engine.frames import BINARY, CLOSE, MESSAGE_TOO_BIG, PROTOCOL_ERROR, TEXT, FrameError, FrameParser

MAX_PAYLOAD = 4_096
_MAX_HEADER = 14

Message = tuple[int, Any]
"""Opcode and payload."""


def ours(reads: Sequence[bytes]) -> tuple[list[Message], FrameError | None]:
    """Return the messages of some reads and the fault that ended them; no more than a message and a read is held."""
    parser = FrameParser(MAX_PAYLOAD, 1_000)
    messages: list[Message] = []
    try:
        for data in reads:
            for message in parser.feed(data):
                assert len(message[1]) <= MAX_PAYLOAD
                messages.append(message)
            partial = parser._partial
            if partial is not None:
                assert len(partial.buffer) <= MAX_PAYLOAD + _MAX_HEADER + len(data)
                assert len(partial.message) <= MAX_PAYLOAD
    except FrameError as fault:
        return messages, fault
    return messages, None


def theirs(reads: Sequence[bytes]) -> tuple[list[Message], int | None]:
    """Return the messages and the close code of websockets, its frames put together as its connections do."""
    protocol = Protocol(SERVER, max_size=MAX_PAYLOAD)
    messages: list[tuple[int, Any]] = []
    kind, parts = None, b""
    for data in reads:
        if protocol.eof_sent:  # both ignore what comes after the end
            break
        protocol.receive_data(data)
        for event in protocol.events_received():
            assert isinstance(event, Frame)
            payload = bytes(event.data)
            if event.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
                messages.append((int(event.opcode), payload))
                continue
            if event.opcode is not Opcode.CONT:
                kind, parts = event.opcode, b""
            parts += payload
            if event.fin and kind is Opcode.BINARY:
                messages.append((BINARY, parts))
            elif event.fin:
                try:
                    messages.append((TEXT, codecs.decode(parts, "utf-8")))
                except UnicodeDecodeError:
                    return messages, int(CloseCode.INVALID_DATA)
        if protocol.parser_exc is not None:
            assert protocol.close_sent is not None
            return messages, int(protocol.close_sent.code)
    return messages, None


def frame(first: int, second: int, payload: bytes, mask: bytes) -> bytes:
    """Return a frame; ``second`` says whether it is masked and how its length is written."""
    length = len(payload)
    style = second & 0x7F
    if style == 127:
        written = bytes((second,)) + length.to_bytes(8, "big")
    elif style == 126 or length > 125:
        written = bytes((second & 0x80 | 126,)) + length.to_bytes(2, "big")
    else:
        written = bytes((second & 0x80 | length,))
    masked = mask + apply_mask(payload, mask) if second & 0x80 else payload
    return bytes((first,)) + written + masked


def _stream(reading: Reading) -> bytes:
    if reading.flag():
        return reading.rest()
    data = b""
    while not reading.is_over:
        first, second, repeat = reading.byte(), reading.byte() ^ 0x80, reading.byte()
        # Payloads over the bound have to be possible in a few bytes.
        payload = reading.chunk() * (1 + (repeat & 0x3F if repeat & 0x80 else 0))
        data += frame(first, second, payload, b"\x01\x7f\xfe\x80")
    return data


def run(data: bytes) -> None:
    """Cut a stream, and hear the same from all."""
    reading = Reading(data)
    places = list(reading.take(reading.byte() % 6))
    stream = _stream(reading)
    cuts = sorted(place * len(stream) // 256 for place in places)
    reads = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    messages, fault = ours(reads)
    assert (messages, _code(fault)) == _told(ours([stream[place : place + 1] for place in range(len(stream))]))
    # A fault may be told at the head of a frame or at its end: this ends every frame that has begun.
    reads.append(bytes(MAX_PAYLOAD + _MAX_HEADER))
    compare(*ours(reads), *theirs(reads))


def compare(messages: list[Message], fault: FrameError | None, expected: list[Message], code: int | None) -> None:
    """Raise where we hear something else than websockets does, unless one of two is stricter for a reason."""
    if fault is not None and fault.reason == "control frame too long":
        # It lets the length of a control frame be written in more bytes than it needs (section 5.2: MUST NOT).
        assert messages == expected[: len(messages)]
        return
    if messages and messages[-1][0] == CLOSE and code == PROTOCOL_ERROR:
        # It takes no CLOSE in the middle of a message, which RFC 6455 (section 5.4) does not forbid.
        assert messages[:-1] == expected
        return
    assert messages == expected, "websockets hears something else"
    # A frame that breaks two rules may be told off for either.
    assert _code(fault) == code or {_code(fault), code} == {PROTOCOL_ERROR, MESSAGE_TOO_BIG}


def _code(fault: FrameError | None) -> int | None:
    return None if fault is None else fault.code


def _told(heard: tuple[list[Message], FrameError | None]) -> tuple[list[Message], int | None]:
    return heard[0], _code(heard[1])


TARGET = Target(
    run=run,
    watched=["tocsin.engine.frames"],
    seeds=[
        b"\x00\x00\x81\x00\x00\x0542[1]",
        b"\x01\x40\x00\x01\x00\x00\x01a\x89\x00\x00\x01p\x80\x00\x00\x01b",
        b"\x02\x10\x80\x00\x82\x7f\xbf\xff" + b"x" * 255,
        b"\x00\x00\x88\x00\x00\x05\x03\xe8bye",
        b"\x00\x01\x81\x85\x01\x7f\xfe\x80" + apply_mask(b"42[1]", b"\x01\x7f\xfe\x80"),
    ],
    words=[b"\x81\x85", b"\x81\xfe\x00\x80", b"\x82\xff", b"\x88\x82", b"\x03\xe8"],
)
