"""Bodies of polling POSTs: what is decoded says the same when it is encoded again."""

from fuzz.reading import Reading
from fuzz.target import Target
from tocsin.engine.packets import EncodedPacket, MalformedPacket
from tocsin.engine.payload import decode_payload, encode_payload


def run(data: bytes) -> None:
    """Decode a body; encode it, and get the body back."""
    reading = Reading(data)
    most = reading.byte() % 20
    body = reading.rest()
    try:
        packets = decode_payload(body, most)
    except MalformedPacket:
        return
    assert 1 <= len(packets) <= most
    for packet in packets:
        assert isinstance(packet, bytes) or packet[0] in "0123456"
    again = [EncodedPacket(one.encode()) if isinstance(one, str) else EncodedPacket(b"", (one,)) for one in packets]
    written = encode_payload(again)
    # An attachment of no bytes is `b` alone, and a strict decoder takes one spelling of each value.
    assert written == body, "two bodies say the same"


TARGET = Target(
    run=run,
    watched=["tocsin.engine.payload"],
    seeds=[b"\x0540", b'\x104{"a":1}\x1e42["x"]\x1ebAQID', b"\x03\x1e", b"\x02bAQ==\x1e3", b"\x04b\x1eb"],
    words=[b"\x1e", b"42[", b"bAQID", b"==", b"3probe"],
    max_length=256,
)
