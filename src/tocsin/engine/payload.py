"""
Bodies of Engine.IO v4 long-polling: several packets in one request or answer.

What the packets mean does *not* live here (``packets.py``), nor does HTTP
(``polling.py``).
"""

import binascii
from collections.abc import Iterable
from typing import Final

from tocsin.engine.packets import EncodedPacket, MalformedPacket

_SEPARATOR: Final = b"\x1e"


def encode_payload(packets: Iterable[EncodedPacket]) -> bytes:
    """Join packets into the body of a polling answer (v4, "HTTP long-polling")."""
    parts: list[bytes] = []
    for packet in packets:
        if packet.text:
            parts.append(packet.text)
        parts.extend(b"b" + binascii.b2a_base64(data, newline=False) for data in packet.attachments)
    return _SEPARATOR.join(parts)


def decode_payload(body: bytes, max_packets: int) -> list[str | bytes]:
    """
    Split the body of a polling POST into Engine.IO packets.

    Args:
        body: As received; its size is bounded by whoever received it.
        max_packets: Most packets that one POST may hold.

    Returns:
        In order: ``str`` with the type digit in front, or ``bytes`` of a binary message.

    Raises:
        MalformedPacket: Too many packets, an empty or unknown one, bad UTF-8 or Base64.
            All or nothing: no packet of a bad body is to be acted on.
    """
    if body.count(_SEPARATOR) >= max_packets:
        raise MalformedPacket("too many packets")
    packets: list[str | bytes] = []
    for part in body.split(_SEPARATOR):
        first = part[:1]
        if first == b"b":
            packets.append(_from_base64(part[1:]))
        elif first and first in b"0123456":
            try:
                packets.append(part.decode())
            except UnicodeDecodeError:
                raise MalformedPacket("bad UTF-8") from None
        else:
            raise MalformedPacket("unknown Engine.IO packet")
    return packets


def _from_base64(text: bytes) -> bytes:
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        data = b""
    # Even strictly Python takes too much padding, and bits beyond the last byte.
    if binascii.b2a_base64(data, newline=False) != text:
        raise MalformedPacket("bad Base64")
    return data
