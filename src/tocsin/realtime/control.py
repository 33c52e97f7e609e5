"""Client events that every namespace takes: ``ack`` and ``replay`` of its stream, and ``reauth``."""

from typing import Annotated

from pydantic import Field

from tocsin.application.meters import Histogram
from tocsin.application.streams import Streams
from tocsin.application.tracing import Tracing
from tocsin.application.witness import NAMESPACE as WITNESSED
from tocsin.application.witness import Witness
from tocsin.domain.errors import KeyUnknown
from tocsin.domain.events import NAMESPACES
from tocsin.domain.timestamp import iso, now_ms
from tocsin.engine import Socket
from tocsin.realtime.authenticate import Authenticator
from tocsin.realtime.client_events import Arguments, ClientEvents, Result
from tocsin.realtime.live_streams import LiveStream
from tocsin.realtime.resume import MAX_SEQ, Resumer

Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]


class Ack(Arguments):
    """Everything up to ``seq`` has been shown to the user."""

    seq: Seq


class Replay(Arguments):
    """A gap was seen: send the log again after this seq."""

    after: Seq


class Reauth(Arguments):
    """A newer token of the same user."""

    token: str


def register(
    events: ClientEvents,
    streams: Streams,
    resumer: Resumer,
    authenticator: Authenticator,
    *,
    witness: Witness,
    delays: Histogram,
    tracing: Tracing | None = None,
) -> None:
    """
    Let every namespace that has a stream take the control events.

    Args:
        events: Where they are registered.
        streams: Keeps acks.
        resumer: Replays.
        authenticator: Takes newer tokens.
        witness: Remembers acks for the trace.
        delays: Gets the seconds from the transaction of the newest event of a stream to its first ack.
        tracing: Follows events to their acks; None: nothing is followed.
    """

    def ack(socket: Socket, given: Ack) -> Result:
        stream: LiveStream = socket.data
        if resumer.ack_later(socket, stream, given.seq):
            return None
        seq = min(given.seq, stream.head)
        stream.acked = max(stream.acked, seq)
        streams.ack(stream.key, seq)
        if stream.head_at and seq == stream.head:
            delays.observe(max(0, now_ms() - stream.head_at) / 1_000)
            stream.head_at = 0
        if socket.namespace == WITNESSED:
            witness.acked(socket.id, seq)
        if tracing is not None:
            tracing.acked(stream.key, seq)
        return None

    def replay(socket: Socket, given: Replay) -> Result:
        if socket.connected:
            resumer.replay(socket, socket.data, given.after)
        return None

    resumer.on_ack = lambda socket, seq: ack(socket, Ack(seq=seq))
    for namespace in NAMESPACES:
        events.take(namespace, "ack", Ack, ack)
        events.take(namespace, "replay", Replay, replay)
        register_reauth(events, namespace, authenticator)


def register_reauth(events: ClientEvents, namespace: str, authenticator: Authenticator) -> None:
    """Let a namespace, with a stream or without, take a newer token."""

    async def reauth(socket: Socket, given: Reauth) -> Result:
        try:
            identity = authenticator.reauthenticate(socket.connection, given.token)
        except KeyUnknown as unknown:
            await unknown.look()
            identity = authenticator.reauthenticate(socket.connection, given.token)
        return {"expires_at": iso(int(identity.expires_at * 1000))}

    events.take_async(namespace, "reauth", Reauth, reauth)
