"""
Server side of the WebSocket wire format (RFC 6455), without I/O.

Bytes in, whole messages out: unmasking, reassembly of fragments, size and
protocol rules, and the frames and the handshake answer that a server sends.
Extensions are never negotiated, so a set RSV bit is a protocol error.

Sockets, timers, answers to pings and the closing handshake do *not* live here:
``websocket.py`` owns the transport.
"""

import binascii
import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from websockets.speedups import apply_mask

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

NORMAL_CLOSURE: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
INVALID_DATA: Final = 1007
POLICY_VIOLATION: Final = 1008
MESSAGE_TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013

Message = tuple[int, str | bytes]
"""Opcode and payload: ``str`` for TEXT, ``bytes`` for BINARY, CLOSE, PING and PONG."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# The codes that may stand in a frame: RFC 6455 section 7.4 and the IANA registry.
_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
_SHORT_TEXT_HEADERS: Final = tuple(bytes((0x81, length)) for length in range(126))
_MEDIUM_HEADER: Final = struct.Struct("!BBH").pack
_FINAL_TEXT: Final = 0x81
_FINAL_BINARY: Final = 0x82


class FrameError(Exception):
    """
    The peer broke RFC 6455 or a bound; the connection must be closed.

    Attributes:
        code: Close code to answer with (section 7.4.1).
        reason: Why, in ASCII and short enough for a close frame; never echoes input.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class _Partial:
    """What a parser holds between two reads, only while there is something to hold."""

    __slots__ = ("buffer", "fragments", "message", "needed", "opcode", "position")

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.position = 0  # of the first byte of the buffer that is not parsed yet
        self.needed = 2  # bytes from there without which parsing can't go on
        self.opcode = CONTINUATION  # of the fragmented message; CONTINUATION when there is none
        self.message = bytearray()
        self.fragments = 0


_ENDED: Final = _Partial()


class FrameParser:
    """
    Turn the bytes of one client into whole messages.

    At rest it holds three references and no buffer; a connection may inherit
    from it instead of owning one. Not thread-safe.

    Args:
        max_payload: Bytes of the largest message, fragments together.
        max_fragments: Frames that one message may consist of.
    """

    __slots__ = ("_max_fragments", "_max_payload", "_partial")

    def __init__(self, max_payload: int, max_fragments: int) -> None:
        self._max_payload = max_payload
        self._max_fragments = max_fragments
        self._partial: _Partial | None = None

    @property
    def idle(self) -> bool:
        """True when no frame and no message is half received."""
        return self._partial is None

    def feed(self, data: bytes) -> Iterable[Message]:
        """
        Take what one read brought; return the messages that it completes.

        Control frames come between messages in the order of arrival. The
        messages before a fault are given first, then iterating raises. After a
        CLOSE frame or a fault all further input is ignored.

        Args:
            data: Bytes as read; any cut between reads gives the same messages.

        Returns:
            Messages, to be iterated once. Stopping early loses nothing: the next
            call goes on where the iteration stopped.

        Raises:
            FrameError: From this call or while iterating.
        """
        size = len(data)
        if self._partial is None and size > 5:
            # Nearly every read of a server is exactly one small masked frame.
            first = data[0]
            length = data[1] - 0x80
            start = 6
            if length == 126 and size > 7:
                length = data[2] << 8 | data[3]
                start = 8
            elif length > 125:
                length = -1
            if (first in (_FINAL_TEXT, _FINAL_BINARY)) and size == start + length and length <= self._max_payload:
                payload = apply_mask(data[start:], data[start - 4 : start])
                if first == _FINAL_BINARY:
                    return ((BINARY, payload),)
                try:
                    return ((TEXT, payload.decode()),)
                except UnicodeDecodeError:
                    raise self._fault(INVALID_DATA, "invalid UTF-8") from None
        partial = self._partial
        if partial is None:
            partial = self._partial = _Partial()
        elif partial is _ENDED:
            return ()
        partial.buffer += data
        if len(partial.buffer) - partial.position < partial.needed:
            return ()
        return self._messages()

    def fragment_taken(self) -> None:
        """Take note of a frame that completes no message; for a subclass that counts frames."""

    def _messages(self) -> Iterator[Message]:
        """Yield what is complete; all state is in the object, so a pause is harmless."""
        while (partial := self._partial) is not None and partial is not _ENDED:
            message = self._next(partial)
            if message is None:
                return
            yield message

    def _next(self, partial: _Partial) -> Message | None:
        """Parse up to the end of the next message; None when bytes are missing."""
        buffer = partial.buffer
        while True:
            position = partial.position
            available = len(buffer) - position
            header = self._header_size(partial, available)
            if available < header:
                self._wait(partial, header)
                return None
            length = buffer[position + 1] & 0x7F
            if length == 126:
                length = buffer[position + 2] << 8 | buffer[position + 3]
            elif length == 127:
                length = int.from_bytes(buffer[position + 2 : position + 10], "big")
            opcode = buffer[position] & 0x0F
            # Before the payload has come: nobody makes the server hold more than the bound.
            if opcode < CLOSE and len(partial.message) + length > self._max_payload:
                raise self._fault(MESSAGE_TOO_BIG, "message too big")
            if available < header + length:
                self._wait(partial, header + length)
                return None
            start = position + header
            payload = apply_mask(buffer[start : start + length], buffer[start - 4 : start])
            final = buffer[position] & 0x80
            partial.position = start + length
            if opcode >= CLOSE:
                self._release(partial)
                return self._control(opcode, payload)
            message = self._assemble(partial, opcode, payload, final=bool(final))
            if message is not None:
                return message

    def _header_size(self, partial: _Partial, available: int) -> int:
        """Check the first two bytes of a frame; return how long its header is."""
        if available < 2:
            return 2
        first, second = partial.buffer[partial.position], partial.buffer[partial.position + 1]
        opcode = first & 0x0F
        if first & 0x70:
            raise self._fault(PROTOCOL_ERROR, "reserved bits must be 0")
        if not second & 0x80:
            raise self._fault(PROTOCOL_ERROR, "frame is not masked")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise self._fault(PROTOCOL_ERROR, "unknown opcode")
            if not first & 0x80:
                raise self._fault(PROTOCOL_ERROR, "fragmented control frame")
            if second & 0x7F > 125:
                raise self._fault(PROTOCOL_ERROR, "control frame too long")
        elif opcode > BINARY:
            raise self._fault(PROTOCOL_ERROR, "unknown opcode")
        elif (opcode == CONTINUATION) == (partial.opcode == CONTINUATION):
            raise self._fault(PROTOCOL_ERROR, "continuation out of place")
        return {126: 8, 127: 14}.get(second & 0x7F, 6)

    def _assemble(self, partial: _Partial, opcode: int, payload: bytes, *, final: bool) -> Message | None:
        if final and opcode != CONTINUATION:
            self._release(partial)
            return self._message(opcode, payload)
        if opcode != CONTINUATION:
            partial.opcode = opcode
        partial.fragments += 1
        if partial.fragments > self._max_fragments:
            raise self._fault(POLICY_VIOLATION, "too many fragments")
        partial.message += payload
        if not final:
            self.fragment_taken()
            return None
        opcode, message = partial.opcode, bytes(partial.message)
        partial.opcode, partial.message, partial.fragments = CONTINUATION, bytearray(), 0
        self._release(partial)
        return self._message(opcode, message)

    def _message(self, opcode: int, payload: bytes) -> Message:
        if opcode == BINARY:
            return BINARY, payload
        try:
            return TEXT, payload.decode()
        except UnicodeDecodeError:
            raise self._fault(INVALID_DATA, "invalid UTF-8") from None

    def _control(self, opcode: int, payload: bytes) -> Message:
        if opcode == CLOSE:
            try:
                payload[2:].decode()
            except UnicodeDecodeError:
                raise self._fault(INVALID_DATA, "invalid UTF-8") from None
            if payload and (len(payload) == 1 or int.from_bytes(payload[:2], "big") not in _CLOSE_CODES):
                raise self._fault(PROTOCOL_ERROR, "invalid close frame")
            self._partial = _ENDED
        return opcode, payload

    def _wait(self, partial: _Partial, needed: int) -> None:
        """Remember how much has to come, so that a trickle of bytes isn't parsed again and again."""
        del partial.buffer[: partial.position]
        partial.position = 0
        partial.needed = needed

    def _release(self, partial: _Partial) -> None:
        """Give the buffers back as soon as nothing is pending."""
        partial.needed = 2
        if partial.position == len(partial.buffer) and partial.opcode == CONTINUATION:
            self._partial = None

    def _fault(self, code: int, reason: str) -> FrameError:
        self._partial = _ENDED
        return FrameError(code, reason)


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """Return one final, unmasked frame (section 5.2); control payloads are ≤ 125 bytes."""
    length = len(payload)
    if length < 126:
        return (_SHORT_TEXT_HEADERS[length] if opcode == TEXT else bytes((0x80 | opcode, length))) + payload
    if length < 65_536:
        return _MEDIUM_HEADER(0x80 | opcode, 126, length) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, length) + payload


def encode_close(code: int, reason: str = "") -> bytes:
    """Return a close frame (section 5.5.1); the reason is cut to what fits in 123 bytes."""
    return encode_frame(CLOSE, code.to_bytes(2, "big") + cut_reason(reason).encode())


def cut_reason(reason: str) -> str:
    """Return what fits in a close frame beside its code: 123 bytes, whole characters."""
    return reason.encode()[:123].decode(errors="ignore")


def accept_key(key: bytes) -> bytes:
    """
    Return ``Sec-WebSocket-Accept`` for a ``Sec-WebSocket-Key`` (section 4.2.2).

    Raises:
        ValueError: The key isn't the Base64 form of 16 bytes (section 4.1).
    """
    key = key.strip(b" \t")
    try:
        nonce = binascii.a2b_base64(key, strict_mode=True)
    except binascii.Error:
        nonce = b""
    if len(nonce) != 16:
        raise ValueError("Sec-WebSocket-Key is not 16 bytes in Base64")
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False)


def handshake_response(key: bytes) -> bytes:
    """
    Return the whole ``101`` answer: no subprotocol, no extension (section 4.2.2).

    Raises:
        ValueError: As ``accept_key``.
    """
    return (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(key) + b"\r\n\r\n"
    )
