"""How a polling session goes over to a WebSocket: probe, confirmation, and what may go wrong between."""

import pytest

from tests.unit.engine.fakes import CLOSE, PING, TEXT, FakeTcp, client_frame, make_server, server_frames, texts
from tocsin.engine.limits import Limits
from tocsin.engine.packets import encode_message
from tocsin.engine.polling import PollingTransport
from tocsin.engine.websocket import WebSocketTransport

LIMITS = Limits(queue_packets=4, queue_bytes=10_000)


@pytest.fixture
def server():
    return make_server(limits=LIMITS)[0]


def say(*words):
    return [encode_message(word) for word in words]


def polling_session(server):
    session, _ = server.open("203.0.113.5", ("websocket",))
    session.start(PollingTransport(server, session))
    return session


def probe(server, session):
    tcp = FakeTcp()
    transport = WebSocketTransport(server, session, is_probe=True, connections=set())
    tcp.protocol = transport
    transport.connection_made(tcp)
    return tcp


def test_an_upgrade_takes_along_what_waits(server):
    """Between probe and confirmation the session talks to the poll; then all goes here, in order."""
    session = polling_session(server)
    tcp = probe(server, session)
    tcp.protocol.data_received(client_frame(TEXT, "2probe"))
    assert ["3probe"] == texts(tcp.sent)
    session.send(*say("a"))
    tcp.protocol.data_received(client_frame(TEXT, "5") + client_frame(TEXT, "4hello"))
    session.send(*say("b"))
    server.loop.turn()

    assert ["3probe", "4a", "4b"] == texts(tcp.sent)
    assert "websocket" == session.transport_name
    assert "4hello" in session.received


def test_an_upgraded_session_still_pings(server):
    """The heartbeat goes on over the new transport."""
    session = polling_session(server)
    tcp = probe(server, session)
    tcp.protocol.data_received(client_frame(TEXT, "2probe") + client_frame(TEXT, "5"))
    server.loop.advance(25.5)

    assert "2" == texts(tcp.sent)[-1]


@pytest.mark.parametrize("first", ["4hello", "5", "3probe"])
def test_a_probe_comes_first(server, first):
    """Anything else closes this WebSocket, not the session."""
    session = polling_session(server)
    tcp = probe(server, session)
    tcp.protocol.data_received(client_frame(TEXT, first))

    assert CLOSE == server_frames(tcp.sent)[0][0]
    assert not session.closed


def test_a_probe_that_stays_silent_is_cut(server):
    """An upgrade has a deadline."""
    session = polling_session(server)
    tcp = probe(server, session)
    tcp.protocol.data_received(client_frame(TEXT, "2probe"))
    server.loop.advance(11)

    assert tcp.is_aborted
    assert not session.closed


def test_a_probe_that_reads_late_keeps_its_deadline(server):
    """What it has not taken for a moment does not let it stay for ever."""
    session = polling_session(server)
    tcp = probe(server, session)
    tcp.is_full = True
    tcp.protocol.data_received(client_frame(PING, "x"))
    server.loop.advance(5)
    tcp.leave()
    assert not tcp.is_aborted
    server.loop.advance(6)

    assert tcp.is_aborted
    assert not session.closed


def test_an_upgraded_client_that_does_not_read_is_cut(server):
    """The write deadline is that of any WebSocket, also for one that has read nothing since its probe."""
    session = polling_session(server)
    tcp = probe(server, session)
    tcp.is_full = True
    for packet in ("2probe", "5"):
        tcp.protocol.data_received(client_frame(TEXT, packet))
    assert "websocket" == session.transport_name
    server.loop.advance(11)

    assert ("ended", "slow") == session.received[-1]
    assert tcp.is_aborted


def test_a_second_probe_is_closed(server):
    """One upgrade at a time; the first one is not disturbed."""
    session = polling_session(server)
    first = probe(server, session)
    first.protocol.data_received(client_frame(TEXT, "2probe"))
    second = probe(server, session)
    second.protocol.connection_lost(None)
    first.protocol.data_received(client_frame(TEXT, "5"))

    assert CLOSE == server_frames(second.sent)[0][0]
    assert "websocket" == session.transport_name


def test_a_probe_that_goes_away_makes_room(server):
    """After a lost probe another one can upgrade."""
    session = polling_session(server)
    first = probe(server, session)
    first.protocol.data_received(client_frame(TEXT, "2probe"))
    first.protocol.connection_lost(None)
    second = probe(server, session)
    second.protocol.data_received(client_frame(TEXT, "2probe") + client_frame(TEXT, "5"))

    assert "websocket" == session.transport_name


def test_a_session_that_ended_takes_no_upgrade(server):
    """A probe of a session that is over is closed."""
    session = polling_session(server)
    tcp = probe(server, session)
    tcp.protocol.data_received(client_frame(TEXT, "2probe"))
    session.close()
    tcp.protocol.data_received(client_frame(TEXT, "5"))

    assert CLOSE == server_frames(tcp.sent)[-1][0]
