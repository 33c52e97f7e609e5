"""Client events that every namespace takes: ``ack``, ``replay`` and ``reauth``."""

from typing import Annotated

from pydantic import Field

from tocsin.application.streams import Streams
from tocsin.domain.events import NAMESPACES
from tocsin.domain.timestamp import iso
from tocsin.engine import Socket, SocketServer
from tocsin.realtime.authenticate import Authenticator
from tocsin.realtime.client_events import Arguments, Result, take
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


def register(server: SocketServer, streams: Streams, resumer: Resumer, authenticator: Authenticator) -> None:
    """Let every namespace take the control events."""

    def ack(socket: Socket, given: Ack) -> Result:
        stream: LiveStream = socket.data
        streams.ack(stream.key, min(given.seq, stream.head))
        return None

    def replay(socket: Socket, given: Replay) -> Result:
        resumer.replay(socket, socket.data, given.after)
        return None

    def reauth(socket: Socket, given: Reauth) -> Result:
        identity = authenticator.reauthenticate(socket.connection, given.token)
        return {"expires_at": iso(int(identity.expires_at * 1000))}

    for namespace in NAMESPACES:
        take(server, namespace, "ack", Ack, ack)
        take(server, namespace, "replay", Replay, replay)
        take(server, namespace, "reauth", Reauth, reauth)
