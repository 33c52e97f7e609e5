"""The Engine.IO session: what is legal, when it pings, how it ends."""

import gc

import pytest

from tests.unit.engine.fakes import TEXT, Recorder, client_frame, make_server, open_websocket, server_frames, texts
from tocsin.engine.limits import Limits
from tocsin.engine.packets import encode_message
from tocsin.engine.websocket import WebSocketTransport


@pytest.fixture
def quick():
    return make_server(ping_interval=25.0, ping_timeout=20.0)


def pongs(session):
    session.packet_received("3")


def test_messages_are_received(quick):
    """Text keeps its type digit, binary comes as it is."""
    session, _ = open_websocket(quick[0])
    session.packet_received("4hello")
    session.packet_received(b"\x01")

    assert ["opened", "4hello", b"\x01"] == session.received


@pytest.mark.parametrize("packet", ["", "0", "2", "2probe", "5", "6", "7", "x", "3probe", "11"])
def test_illegal_packets_end_it(quick, packet):
    """What no client may send now is a parse error; nothing after it is received."""
    session, _ = open_websocket(quick[0])
    session.packet_received(packet)
    session.packet_received("4late")

    assert ["opened", ("ended", "parse error")] == session.received
    assert session.closed
    assert {} == quick[0].sessions
    assert 1 == quick[0].stats["refused:malformed"]


def test_it_pings_at_the_interval(quick):
    """A ping leaves once an interval as long as pongs come back."""
    server, loop = quick
    session, tcp = open_websocket(server)
    for _ in range(4):
        loop.advance(25.25)
        pongs(session)

    assert ["2"] * 4 == texts(tcp.sent)
    assert not session.closed


def test_it_ends_without_pong(quick):
    """An unanswered ping ends the session after the timeout, not before."""
    server, loop = quick
    session, _ = open_websocket(server)
    loop.advance(44.9)
    assert not session.closed
    loop.advance(0.7)

    assert ("ended", "ping timeout") == session.received[-1]


def test_messages_are_no_pong(quick):
    """A client that talks but never answers a ping is cut."""
    server, loop = quick
    session, _ = open_websocket(server)
    for _ in range(50):
        loop.advance(1)
        session.packet_received("4x")

    assert ("ended", "ping timeout") == session.received[-1]


def test_no_second_ping_before_the_pong():
    """With a timeout beyond the interval one ping waits at a time."""
    server, loop = make_server(ping_interval=25.0, ping_timeout=60.0)
    session, tcp = open_websocket(server)
    loop.advance(84)
    assert ["2"] == texts(tcp.sent)
    pongs(session)
    loop.advance(2)

    assert ["2", "2"] == texts(tcp.sent)


def test_a_lag_of_the_server_is_not_the_clients_fault(quick):
    """A ping that leaves late gives the client its whole time to answer."""
    server, loop = quick
    session, _ = open_websocket(server)
    loop.now += 200
    loop.advance(0.1)
    loop.advance(19)

    assert not session.closed


def test_an_overdue_pong_is_noticed_between_ticks(quick):
    """has_expired tells the truth before the wheel comes by."""
    server, loop = quick
    session, _ = open_websocket(server)
    loop.advance(25.1)
    assert not session.has_expired(loop.now)

    assert session.has_expired(loop.now + 20)


def test_it_waits_for_connect_once():
    """Without confirm the connect timeout ends it; afterwards it never does."""
    server, loop = make_server(connect_timeout=5.0)
    idle, _ = open_websocket(server)
    busy, _ = open_websocket(server)
    busy.confirm()
    loop.advance(5.5)

    assert ("ended", "connect timeout") == idle.received[-1]
    assert not busy.closed


def test_close_flushes_and_says_goodbye(quick):
    """What was sent leaves before the close frame; the end is told once."""
    session, tcp = open_websocket(quick[0])
    session.send(encode_message("a"))
    session.send(encode_message("b"))
    session.close("server shutting down")
    session.close()

    assert [(TEXT, b"4a"), (TEXT, b"4b"), (8, (1001).to_bytes(2, "big") + b"server shutting down")] == server_frames(
        tcp.sent
    )
    assert ["opened", ("ended", "server shutting down")] == session.received
    assert not session.send(encode_message("c"))


def test_a_client_can_close_it(quick):
    """The close packet ends the session with a normal closure."""
    session, tcp = open_websocket(quick[0])
    session.packet_received("1")

    assert [("ended", "transport close")] == session.received[1:]
    assert (8, 1000) == (server_frames(tcp.sent)[0][0], int.from_bytes(server_frames(tcp.sent)[0][1][:2], "big"))


def test_a_flood_ends_it():
    """More packets than the burst end the session."""
    server, _ = make_server(limits=Limits(frames_per_s=1.0, frames_burst=10))
    session, tcp = open_websocket(server)
    tcp.protocol.data_received(client_frame(TEXT, "4x") * 30)

    assert 10 == session.received.count("4x")
    assert ("ended", "over limit") == session.received[-1]


def test_ended_sessions_leave_nothing_behind(quick):
    """After the end neither the server nor its wheel knows the session."""
    server, loop = quick
    session, tcp = open_websocket(server)
    session.close()
    tcp.protocol.connection_lost(None)

    assert 0 == len(server.wheel)
    assert 0 == server.stats["connections"]
    loop.advance(100)
    assert 2 == len(session.received)


def test_a_session_that_its_own_ping_ends_waits_for_nothing():
    """A client that is too slow for one packet more is let go of at once."""
    server, loop = make_server(limits=Limits(queue_packets=1))
    session, tcp = open_websocket(server)
    tcp.is_full = True
    session.send(encode_message("fills the kernel's buffer"))
    loop.advance(0.1)
    server.wheel.cancel(tcp.protocol)
    session.send(encode_message("fills the queue"))
    loop.advance(25.5)

    assert ("ended", "slow") == session.received[-1]
    assert 0 == len(server.wheel)


def test_ended_sessions_need_no_garbage_collector(quick):
    """A lost connection is freed at once: ten thousand of them must not wait for a collection."""
    server, _ = quick

    def open_and_lose():
        session, tcp = open_websocket(server)
        tcp.protocol.connection_lost(None)
        tcp.protocol = None
        assert session.closed

    gc.collect()
    gc.disable()
    try:
        open_and_lose()
        alive = [one for one in gc.get_objects() if isinstance(one, Recorder | WebSocketTransport)]
    finally:
        gc.enable()

    assert [] == alive
