"""
Clients that do anything in any order, beside one that behaves: it notices nothing.

The engine's promises are ``fuzz.stage``'s to check; here Hypothesis writes the
play, and tells the shortest one that breaks a promise.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.stage import play
from fuzz.targets.session import TEXTS
from tests.unit.engine.fakes import client_frame
from tocsin.engine.connection import Connection

WHO = st.integers(0, 3)
TEXT = st.sampled_from(TEXTS) | st.text(max_size=40)
FRAMES = st.one_of(
    TEXT.map(lambda text: client_frame(1, text)),
    st.binary(max_size=200).map(lambda data: client_frame(2, data)),
    st.builds(
        lambda opcode, data, final: client_frame(opcode, data, final=final),
        st.integers(0, 15),
        st.binary(max_size=150),
        st.booleans(),
    ),
)
# To a poller a frame is a bad body, to a WebSocket a body is a bad frame.
READS = st.one_of(
    st.lists(FRAMES, min_size=1, max_size=4).map(b"".join),
    st.lists(TEXT, min_size=1, max_size=4).map("\x1e".join).map(str.encode),
    st.binary(max_size=50),
)
STEPS = st.one_of(
    st.sampled_from([("open",), ("poll",), ("asgi",)]),
    st.tuples(st.just("read"), WHO, READS),
    st.tuples(
        st.sampled_from(
            ["get", "upgrade", "asgi_upgrade", "stall", "flow", "hang", "emit", "call", "whisper", "part", "close"]
        ),
        WHO,
    ),
    st.tuples(st.just("wait"), st.floats(0.01, 60.0)),
)


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=25))
def test_nobody_but_the_offender_notices(steps):
    """Nothing is raised, held without bound, left behind or missed by the one that behaves."""
    play(steps)


@settings(max_examples=60)
@given(
    st.sampled_from([("open",), ("asgi",)]),
    st.lists(
        st.one_of(
            st.tuples(st.just("read"), st.just(0), TEXT.map(lambda text: client_frame(1, text))),
            st.tuples(st.sampled_from(["stall", "flow", "emit", "call", "whisper", "part"]), st.just(0)),
            st.tuples(st.just("wait"), st.floats(0.01, 10.0)),
        ),
        max_size=25,
    ),
)
def test_a_connected_client_says_anything(opening, packets):
    """The same of one that is connected on two namespaces, and goes deeper."""
    play([opening, *(("read", 0, client_frame(1, text)) for text in ("40", "40/chat,")), ("wait", 1.5), *packets])


def test_a_broken_promise_is_noticed(monkeypatch):
    """An engine that lets an exception out is found."""

    def fail(_self, text):
        raise LookupError(text)

    monkeypatch.setattr(Connection, "message_received", fail)
    with pytest.raises(LookupError):
        play([("open",), ("read", 0, client_frame(1, "40"))])
