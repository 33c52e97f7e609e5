"""The WebSocket transport: when it writes, what it holds back, when it cuts."""

import pytest

from tests.unit.engine.fakes import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FakeTcp,
    client_frame,
    make_server,
    open_websocket,
    server_frames,
    texts,
)
from tocsin.engine.limits import Limits
from tocsin.engine.packets import EncodedPacket, encode_message
from tocsin.engine.websocket import WebSocketTransport

LIMITS = Limits(queue_packets=4, queue_bytes=10_000)


@pytest.fixture
def server():
    return make_server(limits=LIMITS)[0]


def say(*words):
    return [encode_message(word) for word in words]


def test_the_first_packet_of_a_turn_leaves_at_once(server):
    """Nothing that is pending, no waiting."""
    session, tcp = open_websocket(server)
    session.send(*say("a"))

    assert ["4a"] == texts(tcp.sent)


def test_the_rest_of_a_turn_leaves_in_one_write(server):
    """What else one turn brings leaves together, in order, at its end."""
    session, tcp = open_websocket(server)
    for packet in say("a", "b", "c", "d"):
        session.send(packet)
    assert 1 == len(tcp.writes)
    server.loop.turn()

    assert 2 == len(tcp.writes)
    assert ["4a", "4b", "4c", "4d"] == texts(tcp.sent)


def test_every_turn_begins_anew(server):
    """In the next turn the first packet leaves at once again."""
    session, tcp = open_websocket(server)
    for packet in say("a", "b"):
        session.send(packet)
    server.loop.turn()
    session.send(*say("c"))

    assert ["4a", "4b", "4c"] == texts(tcp.sent)


def test_deferred_packets_keep_their_place(server):
    """A packet sent after a deferred one does not overtake it."""
    session, tcp = open_websocket(server)
    first, second = say("a", "b")
    session.transport.defer(first)
    session.send(second)
    assert [] == tcp.writes
    server.loop.turn()

    assert ["4a", "4b"] == texts(tcp.sent)
    assert 1 == len(tcp.writes)


def test_a_turn_without_end_does_not_hoard(server):
    """A handler that emits for ever fills the kernel's buffer, not the cork."""
    session, tcp = open_websocket(server)
    for n in range(1000):
        session.send(encode_message(f"{n}"))

    assert len(texts(tcp.sent)) > 900
    server.loop.turn()
    assert [f"4{n}" for n in range(1000)] == texts(tcp.sent)


def test_ten_thousand_corks_let_others_in(server):
    """The end of a turn with very many writes is cut in parts, each packet once and in order."""
    open_ones = [open_websocket(server) for _ in range(2500)]
    for packet in say("a", "b"):
        for session, _ in open_ones:
            session.transport.defer(packet)
    seen = []
    server._end_turn()
    server.loop.call_soon(lambda: seen.append(sum(bool(tcp.writes) for _, tcp in open_ones)))
    for session, _ in open_ones:
        session.send(*say("c"))
    server.loop.turn()

    assert all(["4a", "4b", "4c"] == texts(tcp.sent) for _, tcp in open_ones)


def test_a_slow_client_gets_everything_in_order(server):
    """What waits behind a full kernel buffer leaves in one write when there is room."""
    session, tcp = open_websocket(server)
    tcp.is_full = True
    for packet in say("a", "b", "c", "d"):
        assert session.send(packet)
        server.loop.turn()
    assert ["4a"] == texts(tcp.sent)
    tcp.leave()
    session.send(*say("e"))

    assert ["4a", "4b", "4c", "4d", "4e"] == texts(tcp.sent)
    assert not session.closed


def test_a_slow_client_loses_ephemerals_first(server):
    """Typing signs make way; then the client is cut as slow."""
    session, tcp = open_websocket(server)
    tcp.is_full = True
    session.send(*say("kernel"))
    assert session.send(*say("typing"), ephemeral=True)
    for word in "abcd":
        assert session.send(*say(word))
    assert not session.send(*say("typing"), ephemeral=True)
    assert not session.closed
    assert not session.send(*say("e"))

    assert ("ended", "slow") == session.received[-1]
    assert tcp.is_aborted
    assert 1 == server.stats["dropped:ephemeral"]
    assert 1 == server.stats["closed:slow"]


def test_a_client_that_was_slow_before_its_upgrade_is_bounded(server):
    """What it has not taken of an HTTP answer counts: no new signal will tell that it is slow."""
    tcp = FakeTcp()
    tcp.is_full = True
    tcp.write(b"the end of an answer")
    session, _ = server.open(None, ())
    tcp.protocol = transport = WebSocketTransport(server, session, connections=set())
    transport.connection_made(tcp)
    session.start(transport)

    assert [True] * 4 + [False] == [session.send(packet) for packet in say(*"abcde")]
    assert session.closed


def test_bytes_bound_a_slow_client(server):
    """Few but big packets are bounded as well."""
    session, tcp = open_websocket(server)
    tcp.is_full = True
    assert session.send(encode_message("x" * 9_000))
    assert session.send(encode_message("x" * 900))

    assert not session.send(encode_message("x" * 900))
    assert session.closed


def test_a_client_that_takes_nothing_is_cut(server):
    """Ten seconds without one byte leaving are the end."""
    session, tcp = open_websocket(server)
    tcp.is_full = True
    session.send(*say("a"))
    server.loop.advance(9.5)
    assert not session.closed
    server.loop.advance(1)

    assert ("ended", "slow") == session.received[-1]
    assert tcp.is_aborted


def test_a_slow_link_may_take_its_time(server):
    """As long as bytes leave, the deadline starts again."""
    session, tcp = open_websocket(server)
    tcp.is_full = True
    session.send(encode_message("x" * 1_000))
    for _ in range(2):
        server.loop.advance(9)
        tcp.leave(100)
    tcp.leave()
    server.loop.advance(1)

    assert not session.closed


def test_output_at_tls_keeps_its_buffer(server):
    """The kernel's limit is for plain TCP; TLS keeps the loop's own."""
    _, plain = open_websocket(server)
    _, secure = open_websocket(server, is_tls=True)

    assert (0, None) == (plain.high, secure.high)


def test_pings_are_answered(server):
    """A ping gets its payload back, between messages as well."""
    _, tcp = open_websocket(server)
    tcp.protocol.data_received(client_frame(TEXT, "4a", final=False) + client_frame(PING, b"hi"))

    assert [(PONG, b"hi")] == server_frames(tcp.sent)


def test_a_close_frame_ends_it(server):
    """The close is echoed with its code, then the connection closes."""
    session, tcp = open_websocket(server)
    session.transport.defer(*say("last"))
    tcp.protocol.data_received(client_frame(CLOSE, b"\x0f\xa1bye") + client_frame(TEXT, "4late"))

    assert [(TEXT, b"4last"), (CLOSE, b"\x0f\xa1")] == server_frames(tcp.sent)
    assert ["opened", ("ended", "transport close")] == session.received
    assert tcp.is_closing()


def test_a_closing_handshake_has_a_deadline(server):
    """A client that does not answer the close frame is cut."""
    session, tcp = open_websocket(server)
    session.close()
    assert not tcp.is_closing()
    server.loop.advance(6)

    assert tcp.is_aborted


def test_the_answer_to_a_close_ends_it_cleanly(server):
    """The client's close frame closes the connection; its messages are ignored."""
    session, tcp = open_websocket(server)
    session.close()
    tcp.protocol.data_received(client_frame(TEXT, "4late") + client_frame(CLOSE, b"\x03\xe8"))

    assert tcp.is_closing()
    assert not tcp.is_aborted
    assert "4late" not in session.received


def test_a_close_takes_along_what_waits(server):
    """Closing a slow client still tries to deliver what it was promised."""
    session, tcp = open_websocket(server)
    tcp.is_full = True
    for packet in say("a", "b", "c"):
        session.send(packet)
    session.close()

    assert ["4a", "4b", "4c"] == texts(tcp.sent)
    assert CLOSE == server_frames(tcp.sent)[-1][0]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\x81\x02hi", 1002), (client_frame(TEXT, b"\xff"), 1007), (b"\x81\xff" + b"\x7f" + b"\xff" * 11, 1009)],
)
def test_broken_frames_end_it(server, data, code):
    """A fault of the frame layer closes with its own code."""
    session, tcp = open_websocket(server)
    tcp.protocol.data_received(data)

    assert (CLOSE, code) == (server_frames(tcp.sent)[0][0], int.from_bytes(server_frames(tcp.sent)[0][1][:2], "big"))
    assert ("ended", "parse error") == session.received[-1]
    assert tcp.is_closing()


def test_fragments_count_as_frames():
    """Who sends too many frames is closed, also when they never make a message."""
    server, _ = make_server(limits=Limits(frames_per_s=0.001, frames_burst=3))
    session, tcp = open_websocket(server)
    tcp.protocol.data_received(client_frame(TEXT, "4", final=False))
    for _ in range(2):
        tcp.protocol.data_received(client_frame(0, final=False))
    assert not session.closed
    tcp.protocol.data_received(client_frame(0, final=False))

    assert session.closed
    assert 1 == server.stats["refused:frame_rate"]


def test_a_lost_connection_ends_the_session(server):
    """A cut is a transport error, an end of file a transport close."""
    cut, tcp = open_websocket(server)
    tcp.protocol.connection_lost(ConnectionResetError())
    ended, tcp = open_websocket(server)
    tcp.protocol.connection_lost(None)

    assert ("ended", "transport error") == cut.received[-1]
    assert ("ended", "transport close") == ended.received[-1]


def test_a_pause_in_reading_keeps_the_order(server):
    """Messages that were read already wait, and come first afterwards."""

    class Pausing(type(open_websocket(server)[0])):
        def message_received(self, text):
            super().message_received(text)
            if text == "4stop":
                self.transport.pause_reading()

    server, _ = make_server(Pausing)
    session, tcp = open_websocket(server)
    tcp.protocol.data_received(client_frame(TEXT, "41") + client_frame(TEXT, "4stop") + client_frame(TEXT, "42"))
    tcp.protocol.data_received(client_frame(TEXT, "43"))
    assert not tcp.is_reading
    assert ["opened", "41", "4stop"] == session.received
    session.transport.resume_reading()

    assert tcp.is_reading
    assert ["opened", "41", "4stop", "42", "43"] == session.received


def test_binary_leaves_behind_its_text(server):
    """A packet with attachments is one run of frames."""
    session, tcp = open_websocket(server)
    session.send(EncodedPacket(b'451-["x",{"_placeholder":true,"num":0}]', (b"\x01",)))

    assert [TEXT, BINARY] == [opcode for opcode, _ in server_frames(tcp.sent)]


def test_shutdown_closes_with_1001(server):
    """Uvicorn's exit tells clients that the server goes away."""
    session, tcp = open_websocket(server)
    tcp.protocol.shutdown()

    assert 1001 == int.from_bytes(server_frames(tcp.sent)[0][1][:2], "big")
    assert ("ended", "server shutting down") == session.received[-1]
