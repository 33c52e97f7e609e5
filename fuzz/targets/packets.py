"""Socket.IO packets: the short way of an event and the strict one decide alike, and what is decoded encodes again."""

from typing import Any

import orjson

from fuzz.target import Target
from tests.unit.engine.fakes import FakeLoop, FakeTcp, server_frames
from tocsin.engine.connection import Connection
from tocsin.engine.packets import (
    MAX_ATTACHMENTS,
    MAX_DEPTH,
    RESERVED_EVENTS,
    MalformedPacket,
    Packet,
    PacketType,
    decode_packet,
    encode_ack,
    encode_event,
)
from tocsin.engine.server import SocketServer
from tocsin.engine.websocket import WebSocketTransport

_SEPARATOR = b"\xff"


class Strict(Connection):
    """Has no short way."""

    __slots__ = ()

    def _take_event(self, _text: str) -> bool:
        return False


class Client:
    """One client of one kind of connection; ``said`` is all that it got back, with what its handlers were given."""

    def __init__(self, kind: type[Connection]) -> None:
        self.given: list[Any] = []
        self._server = server = SocketServer()
        loop: Any = FakeLoop()
        server.bind(loop)
        for namespace in ("/", "/chat"):
            server.on("e", namespace)(self._any)
            server.on("one", namespace)(self._one)
            server.on("b", namespace, binary=True)(self._any)
        self.connection = kind(server, "sid", None)
        server.sessions["sid"] = self.connection
        self._tcp = FakeTcp()
        transport = WebSocketTransport(server, self.connection, connections=set())
        self._tcp.protocol = transport
        transport.connection_made(self._tcp)
        self.connection.start(transport)
        for packet in ("40", "40/chat,"):
            self.connection.packet_received(packet)
        loop.turn()
        self._tcp.writes.clear()
        self._loop = loop

    def _any(self, _: Any, *args: Any) -> tuple[Any, ...]:
        self.given.append(args)
        return args

    def _one(self, _: Any, value: Any, other: Any = None) -> None:
        self.given.append((value, other))

    def say(self, packets: list[str | bytes]) -> tuple[Any, ...]:
        """Return all that came of these packets."""
        for packet in packets:
            self.connection.packet_received(packet)
        self._loop.turn()
        frames = [payload for _, payload in server_frames(self._tcp.sent)]
        said = [payload.partition(b'{"sid"')[0] for payload in frames]
        return self.given, said, self.connection.closed, self._server.stats


def decoded(text: str) -> Packet | None:
    """Return a packet, after a look at what is promised of it; None where it is malformed."""
    try:
        packet = decode_packet(text)
    except MalformedPacket as malformed:
        assert str(malformed).isascii()
        return None
    assert packet.namespace.startswith("/")
    assert packet.id is None or 0 <= packet.id < 10**16
    assert 0 <= packet.attachments <= MAX_ATTACHMENTS
    is_binary = packet.type in (PacketType.BINARY_EVENT, PacketType.BINARY_ACK)
    assert is_binary == (packet.attachments > 0)
    assert packet.type is not PacketType.CONNECT_ERROR
    if packet.type in (PacketType.EVENT, PacketType.BINARY_EVENT):
        assert isinstance(packet.data[0], str)
        assert packet.data[0] not in RESERVED_EVENTS
    elif packet.type in (PacketType.ACK, PacketType.BINARY_ACK):
        assert isinstance(packet.data, list)
        assert packet.id is not None
    assert _depth(packet.data) <= MAX_DEPTH
    return packet


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while containers := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [child for one in containers for child in (one.values() if isinstance(one, dict) else one)]
    return depth


def _encoded(packet: Packet) -> str:
    if packet.type is PacketType.EVENT:
        return encode_event(packet.namespace, packet.data[0], packet.data[1:], packet.id).text.decode()
    assert packet.id is not None
    return encode_ack(packet.namespace, packet.id, packet.data).text.decode()


def run(data: bytes) -> None:
    """Decode each packet; then let two clients say all of them."""
    packets: list[str | bytes] = []
    for part in data.split(_SEPARATOR)[:16]:
        if part[:1] == b"b":
            packets.append(part[1:])
            continue
        text = part.decode(errors="ignore")
        packets.append(text)
        packet = decoded(text[1:]) if text[:1] == "4" else None
        if packet is not None and packet.type in (PacketType.EVENT, PacketType.ACK):
            again = decoded(_encoded(packet)[1:])
            assert again is not None
            assert orjson.dumps(again.data) == orjson.dumps(packet.data)
            assert (again.type, again.namespace, again.id) == (packet.type, packet.namespace, packet.id)
    assert Client(Connection).say(packets) == Client(Strict).say(packets), "the two ways differ"


TARGET = Target(
    run=run,
    watched=["tocsin.engine.packets", "tocsin.engine.connection"],
    seeds=[
        b'42["e",1]\xff421["one"]\xff42/chat,7["e",{"a":[null,1.5,"\\u00e9"]}]',
        b'451-["b",{"_placeholder":true,"num":0}]\xffb\x01\x02\xff42["e"]',
        b'452-/chat,3["b",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]\xffb1\xffb2',
        b'431[1]\xff41/chat,\xff40/chat,{"token":"x"}\xff42/chat,["none"]',
        b"42" + b'["e",' + b"[" * 62 + b"]" * 62 + b"]",
        b"42" + b'["e",' + b"[" * 63 + b"]" * 63 + b"]",
        b'42["connect"]',
        b"461-0[]",
    ],
    words=[
        *(b"42", b"45", b"43", b"46", b"40", b"41", b"/chat,", b'["e"', b'["one"', b'["b"', b"1-", b"\xff", b"\xffb"),
        *(b'{"_placeholder":true,"num":0}', b'"disconnect"', b"null", b"1e400", b"[[[[[[[[", b"]]]]]]]]", b'"\\ud800"'),
    ],
)
