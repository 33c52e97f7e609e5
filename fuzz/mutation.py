"""Sessions as clients have them, piece by piece, and what a mutation makes of them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.unit.engine.fakes import client_frame

SID = b"$SID"
"""Stands for the id of the session, once the server has told it."""
_ODDITIES = (
    *(b"\x00", b"\xff", b"\x1e", b"\r\n", b"\r\n\r\n", b"42", b"45", b"1-", b'"', b"[[[[[[[[", b"9" * 20, b"\xf0\x9f"),
    *(
        b"\x81\xfe\xff\xff",
        b"\x88\x80\x00\x00\x00\x00",
        b"2probe",
        b"/chat,",
        b"null",
        b'{"_placeholder":true,"num":0}',
    ),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """
    One thing that a client sends.

    Attributes:
        data: Its bytes, without what ``kind`` puts around them.
        kind: ``raw``; ``text`` or ``binary`` for the payload of a frame; ``post`` for the body of a polling POST.
        answers: Whether a client would wait for an answer before it goes on.
    """

    data: bytes
    kind: str = "raw"
    answers: bool = False

    def bytes(self, sid: bytes) -> bytes:
        """Return what goes over the wire."""
        data = self.data.replace(SID, sid)
        if self.kind == "raw":
            return data
        if self.kind == "post":
            head = b"POST /socket.io/?EIO=4&transport=polling&sid=%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
            return head % (sid, len(data)) + data
        frame: bytes = client_frame(1 if self.kind == "text" else 2, data[:60_000])
        return frame


def upgrade(query: bytes = b"") -> bytes:
    """Return the request for a WebSocket."""
    return (
        b"GET /socket.io/?EIO=4&transport=websocket%b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        % query
    )


def get(target: bytes, *fields: bytes) -> bytes:
    """Return a GET."""
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (target, b"".join(field + b"\r\n" for field in (b"Host: x", *fields)))


def originals(token: bytes) -> list[list[Piece]]:
    """Return whole sessions of a user, as good clients have them."""
    auth = b'{"token":"%b"}' % token
    cursor = b'{"token":"%b","epoch":"none","last_seq":3}' % token
    bearer = b"Authorization: Bearer " + token
    opened = get(b"/socket.io/?EIO=4&transport=polling")
    poll = Piece(get(b"/socket.io/?EIO=4&transport=polling&sid=" + SID), answers=True)
    body = b'{"notification_id":"0193b2c4-7d1e-7a2f-9c3b-5e6f708192a3"}'
    return [
        [
            Piece(upgrade(), answers=True),
            Piece(b"40/notifications," + auth, "text", answers=True),
            Piece(b'42/notifications,1["ack",{"seq":1}]', "text", answers=True),
            Piece(b'42/notifications,2["replay",{"after":0}]', "text", answers=True),
            Piece(b'42/notifications,3["mark_read",' + body + b"]", "text"),
            Piece(b"3", "text"),
            Piece(client_frame(9, b"ping")),
            Piece(b"41/notifications,", "text"),
            Piece(client_frame(8, b"\x03\xe8")),
        ],
        [
            Piece(upgrade(), answers=True),
            Piece(b"40/chat," + cursor, "text", answers=True),
            Piece(b'42/chat,1["send_message",{"to_user_id":"offender","message":"hello"}]', "text", answers=True),
            Piece(b'42/chat,["typing",{"to_user_id":"offender","is_typing":true}]', "text"),
            Piece(b'452-/chat,4["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', "text"),
            Piece(b"\x00\x01", "binary"),
            Piece(b"\x02", "binary", answers=True),
            Piece(b"1", "text"),
        ],
        [
            Piece(opened, answers=True),
            Piece(b"40/sns," + auth + b"\x1e40/orders," + auth, "post", answers=True),
            poll,
            Piece(b'42/sns,7["publish_start",{"post_id":"1","platforms":["x"]}]\x1e3\x1ebAQID', "post", answers=True),
            poll,
            Piece(b"1", "post", answers=True),
        ],
        [
            Piece(opened, answers=True),
            Piece(b"40/notifications," + auth, "post", answers=True),
            Piece(b"", answers=True),
            Piece(upgrade(b"&sid=" + SID), answers=True),
            Piece(b"2probe", "text", answers=True),
            Piece(b"5", "text"),
            Piece(b'42/notifications,1["ack",{"seq":1}]', "text", answers=True),
        ],
        [
            Piece(get(b"/api/notifications?limit=3", bearer), answers=True),
            Piece(get(b"/api/stream/notifications?after=0", bearer), answers=True),
            Piece(
                b"PUT /api/preferences HTTP/1.1\r\nHost: x\r\n%b\r\nContent-Type: application/json\r\n"
                b"Content-Length: 30\r\n\r\n" % bearer + b'{"digest_hour":9,"locale":"en"}'[:30],
                answers=True,
            ),
        ],
    ]


def mutated(pieces: Sequence[Piece], others: Sequence[Sequence[Piece]], draw: random.Random) -> list[Piece]:
    """Return a session with one to four things wrong."""
    session = list(pieces)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(session))
        way = draw.randrange(8)
        if way == 0 and len(session) > 1:
            del session[place]
        elif way == 1:
            session.insert(place, draw.choice(session))
        elif way == 2:
            session[place] = replace(session[place], kind=draw.choice(("raw", "text", "binary", "post")))
        elif way == 3:
            session.insert(place, draw.choice(draw.choice(others)))
        elif way == 4:
            session[place] = replace(session[place], answers=not session[place].answers)
        else:
            session[place] = replace(session[place], data=bent(session[place].data, draw))
    return session


def bent(data: bytes, draw: random.Random) -> bytes:
    """Return bytes with something changed, put in, taken out or repeated."""
    at = draw.randint(0, len(data))
    way = draw.randrange(5)
    if way == 0 and data:
        at = draw.randrange(len(data))
        return data[:at] + bytes((data[at] ^ 1 << draw.randrange(8),)) + data[at + 1 :]
    if way == 1:
        return data[:at] + draw.choice(_ODDITIES) + data[at:]
    if way == 2:
        return data[:at] + data[at + draw.randint(1, 8) :]
    if way == 3:
        return data[:at] + data[at : at + 20] * draw.randint(2, 500) + data[at:]
    return data[:at]
