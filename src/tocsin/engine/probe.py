"""
How a polling session goes over to a WebSocket (Engine.IO v4, "Upgrade").

One answer to each step of it, whatever carries the WebSocket. The polling
side, which gives the session away, is ``polling.py``.
"""

from typing import TYPE_CHECKING, Protocol

from tocsin.engine import frames
from tocsin.engine.packets import PROBE_PONG
from tocsin.engine.session import PARSE_ERROR, Session, Transport, Upgradable
from tocsin.engine.timer_wheel import Entry

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer


class Probe(Transport, Entry, Protocol):
    """
    A WebSocket that wants to become a session's transport.

    Its entry on the wheel is the deadline of the upgrade.

    Attributes:
        session: Whose transport it wants to become.
    """

    session: Session

    def confirmed(self) -> None:
        """Be no probe any more: the session is about to go on with it."""

    def close_with(self, code: int, reason: str) -> None:
        """Close this WebSocket; the session does not notice."""


def start_probe(server: "EngineServer", probe: Probe) -> None:
    """Give a new WebSocket its time to upgrade; close it when its session takes none."""
    if probe.session.upgrading is not None or probe.session.transport_name == probe.name:
        probe.close_with(frames.POLICY_VIOLATION, "session already upgraded")
    else:
        server.wheel.schedule(probe, server.limits.upgrade_deadline_s)


def take_probe(server: "EngineServer", probe: Probe, packet: str | bytes) -> None:
    """Take one packet of a WebSocket that is not its session's transport yet."""
    session = probe.session
    polling = session.transport
    if session.closed or not isinstance(polling, Upgradable):
        probe.close_with(frames.POLICY_VIOLATION, "session is over")
    elif packet == "2probe" and session.upgrading is None:
        session.upgrading = probe
        probe.send(PROBE_PONG)
        polling.release()
    elif packet == "5" and session.upgrading is probe:
        probe.confirmed()
        session.upgrade(probe)
        for waiting in polling.hand_over():
            probe.defer(waiting)
    else:
        server.count("refused:malformed")
        probe.close_with(frames.PROTOCOL_ERROR, PARSE_ERROR)
