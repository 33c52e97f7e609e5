"""What a client sends in one piece is answered in one piece."""

import pytest

from tests.unit.engine.fakes import TEXT, Recorder, client_frame, make_server, open_websocket, texts
from tocsin.engine.packets import encode_message


class Echo(Recorder):
    """A session that answers each message at once."""

    __slots__ = ()

    def message_received(self, text):
        self.transport.send(encode_message(text[1:]))


@pytest.fixture
def engine():
    return make_server(Echo)


def test_messages_of_one_read_are_answered_in_one_write(engine):
    """Three messages in one read cost one write, before the read returns."""
    session, tcp = open_websocket(engine[0])

    session.transport.data_received(b"".join(client_frame(TEXT, f"4{number}") for number in range(3)))

    assert ["40", "41", "42"] == texts(tcp.sent)
    assert 1 == len(tcp.writes)


def test_a_lone_message_after_a_silent_batch_is_answered_at_once(engine):
    """A read of several messages that are not answered leaves the next answer undelayed."""
    server, loop = engine
    session, tcp = open_websocket(server)
    session.transport.data_received(client_frame(TEXT, "3") + client_frame(TEXT, "3"))

    session.transport.data_received(client_frame(TEXT, "4hello"))

    assert ["4hello"] == texts(tcp.sent)
    loop.turn()
    assert ["4hello"] == texts(tcp.sent)


def test_a_batch_that_breaks_the_protocol_is_answered_up_to_there(engine):
    """What came before the fault is answered before the close frame."""
    session, tcp = open_websocket(engine[0])

    session.transport.data_received(client_frame(TEXT, "4first") + client_frame(TEXT, "9"))

    assert ["4first"] == texts(tcp.sent)
    assert tcp.sent.index(b"4first") < tcp.sent.index(b"\x88")
    assert session.closed
