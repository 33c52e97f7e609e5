"""
Every bound of the engine in one place, and the two limiters that enforce rates.

What crosses a bound is refused or closes the connection that did it, never
another one. Bounds of users (connections a user, REST rates) are not the
engine's: it knows no users.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Bounds of one server; each is per connection unless it says otherwise.

    Attributes:
        max_payload: Bytes of one message or polling body; announced as ``maxPayload``.
        max_header: Bytes of one request head, start line included.
        head_deadline_s: Seconds until a new connection has done its TLS handshake, until it has sent its request
            head, and without one byte of a body that a client owes or of an answer that it takes.
        max_packets_per_post: Engine.IO packets in one polling POST.
        max_namespaces: Namespaces connected at once.
        max_attachments: Binary attachments of one packet (JS clients refuse an 11th).
        max_fragments: Frames of one fragmented WebSocket message.
        frames_per_s: WebSocket frames or polled packets a second, in the long run.
        frames_burst: Frames on top of that at once; more closes the connection.
        events_per_s: Socket.IO events a second, in the long run.
        events_burst: Events on top of that at once; more are acked ``rate_limited``.
        max_refused_events: Events refused for their rate before the connection closes; a pause
            that gives back the whole burst forgives them.
        queue_packets: Packets waiting for a client that does not read.
        queue_bytes: Bytes waiting for it.
        write_deadline_s: Seconds without one byte leaving before the connection is cut.
        close_deadline_s: Seconds that a closing handshake may take before the transport is cut.
        upgrade_deadline_s: Seconds between a WebSocket's probe and the end of its upgrade.
        pending_acks: Server-to-client calls waiting for an answer.
        handlers_in_flight: Async handlers running before reading pauses.
        in_flight_bytes: Bytes of the events that they run for before reading pauses; in Python's
            hands their JSON takes up to twenty times as much.
        connections_per_address: Sessions of one remote address, or of one /64 of IPv6, over the server;
            of its TCP connections that carry no session's WebSocket four times as many. 0 is no bound.
        handshakes_per_s: New sessions a second over the server, in the long run.
        handshakes_burst: New sessions on top of that at once; more are answered 503.
    """

    max_payload: int = 1_000_000
    max_header: int = 16_384
    head_deadline_s: float = 45.0
    max_packets_per_post: int = 16
    max_namespaces: int = 16
    max_attachments: int = 10
    max_fragments: int = 1_024
    frames_per_s: float = 1_000.0
    frames_burst: int = 5_000
    events_per_s: float = 200.0
    events_burst: int = 2_000
    max_refused_events: int = 1_000
    queue_packets: int = 256
    queue_bytes: int = 1_048_576
    write_deadline_s: float = 10.0
    close_deadline_s: float = 5.0
    upgrade_deadline_s: float = 10.0
    pending_acks: int = 256
    handlers_in_flight: int = 64
    in_flight_bytes: int = 2_000_000
    connections_per_address: int = 0
    handshakes_per_s: float = 10_000.0
    handshakes_burst: int = 20_000


class Pace:
    """
    A rate limit whose whole state is one float of its user (GCRA).

    A connection keeps only the float that ``spend`` returned last, so ten
    thousand connections at rest cost ten thousand floats and no bucket.

    Attributes:
        interval_s: Seconds that one unit costs.
        burst_s: Seconds by which the state may be ahead of the clock.
    """

    __slots__ = ("burst_s", "interval_s")

    def __init__(self, per_s: float, burst: int) -> None:
        self.interval_s = 1.0 / per_s
        # A clock of many digits rounds: the last unit of a burst must not depend on that.
        self.burst_s = (burst - 1 + 1e-3) / per_s

    def spend(self, state: float, now: float) -> float:
        """
        Return the new state, or -1.0 when the rate is exceeded (the old state stays valid).

        Args:
            state: What ``spend`` returned last; 0.0 at first.
            now: Monotonic seconds.
        """
        if state <= now:
            return now + self.interval_s
        if state - now > self.burst_s:
            return -1.0
        return state + self.interval_s
