"""
A user's own log and all that follows it, over one plain GET: server-sent events.

The format is that of the HTML standard (9.2, Server-sent events). What a
client has seen is in the id of each event, which it sends back as
``Last-Event-ID`` when it comes again: from there it misses nothing and gets
nothing twice, as a socket with a cursor.
"""

import asyncio
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Final, NamedTuple

import orjson
from fastapi import Depends
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tocsin.application.tails import Tail
from tocsin.domain.errors import TocsinError
from tocsin.domain.jitter import jitter
from tocsin.domain.principal import Principal
from tocsin.domain.stream import StreamEvent, StreamKey, resync_reason
from tocsin.rest.callers import uses
from tocsin.rest.endpoint import Incoming
from tocsin.rest.problems import Malformed
from tocsin.rest.requests import BEGAN_AT
from tocsin.rest.uses import Uses

MEDIA: Final = "text/event-stream"
READ_EVENTS = 100
# As often as rooms are compared with the log: what no wake-up told comes this late, and so does the end of a token.
LOOK_S = 5.0
# Looks without news until a line tells the way that somebody is there still.
QUIET_LOOKS = 4
RETRY_MS = 3_000

_ID = re.compile(r"([\x21-\x39\x3b-\x7e]{1,64}):([0-9]{1,15})")


class Place(NamedTuple):
    """Up to where a reader knows a stream; without an epoch it takes that of now."""

    epoch: str | None
    seq: int


class Following(NamedTuple):
    """
    How a request wants to follow.

    Attributes:
        last: The id of the last event that it has; None: it says none.
        address: Where it comes from.
        is_allowed: Whether its token counts still.
    """

    last: Place | None
    address: str
    is_allowed: Callable[[], bool]


def following(request: Incoming) -> Following | None:
    """
    Return how to follow, where ``Accept`` names server-sent events.

    Raises:
        Malformed: ``Last-Event-ID`` is none of ours.
    """
    last = _place(request.header(b"last-event-id"))
    if request.method != "GET" or not any(
        name == b"accept" and MEDIA.encode() in value for name, value in request.scope["headers"]
    ):
        return None
    token = (request.header(b"authorization") or "").partition(" ")[2].strip(" ")
    verify = uses(request).tokens.verify

    def is_allowed() -> bool:
        try:
            verify(token)
        except TocsinError:
            return False
        return True

    return Following(last, uses(request).limits.client(request.scope), is_allowed)


def _place(last: str | None) -> Place | None:
    if last is None:
        return None
    found = _ID.fullmatch(last)
    if found is None:
        raise Malformed("Last-Event-ID must be the id of an event of this stream: leave it out to begin anew")
    return Place(found[1], int(found[2]))


class EventStream(Response):
    """
    The answer that goes on: all after a place, then what is committed, in order, until one side ends.

    It reads the log a part at a time and no further than its client takes: a slow one costs no memory. It ends
    when the token does, five seconds late at most, when an operator cuts it, when its user is erased, when the
    server drains, and when uvicorn stops.
    """

    def __init__(self, app: Uses, key: StreamKey, reader: Principal, wanted: Following, after: int) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"}, media_type=MEDIA)
        del self.headers["content-length"]
        self._app = app
        self._key = key
        self._reader = reader
        self._address = wanted.address
        self._place = Place(None, after) if wanted.last is None else wanted.last
        self._is_allowed = wanted.is_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until one side ends."""
        with self._app.tails.follow(self._key, self._reader, self._address) as tail:
            scope[BEGAN_AT] = time.perf_counter()
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await _say(send, f"retry: {RETRY_MS}\n\n".encode())
            both = asyncio.create_task(self._tell(send, tail)), asyncio.create_task(_left(receive))
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
                outcomes = await asyncio.gather(*both, return_exceptions=True)
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]
        if outcomes[0] is None:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, send: Send, tail: Tail) -> None:
        await self._app.bus.heard([self._key.user_id])
        quiet = 0
        while tail.is_open and not _is_uvicorn_stopping() and self._is_allowed():
            # Before the look: what is committed after it rings again.
            tail.bell.clear()
            try:
                text = await self._more()
            except TocsinError:
                return  # the database does not answer: the client comes again from where it is
            if text:
                await _say(send, text)
                quiet = 0
                continue
            quiet += 1
            if quiet % QUIET_LOOKS == 0:
                await _say(send, b":\n\n")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S * jitter(0.75, 1.0)):
                    await tail.bell.wait()

    async def _more(self) -> bytes:
        """Return what follows the place, and move it; nothing at the end of the log."""
        found = await self._app.streams.read(self._key, self._place.seq, READ_EVENTS)
        epoch = self._app.store.epoch
        reason = resync_reason(self._place.epoch or epoch, self._place.seq, found.head, epoch)
        if reason is not None and reason != "too_far_behind":
            self._place = Place(epoch, found.head.seq)
            told = orjson.dumps({"reason": reason, "epoch": epoch, "seq": found.head.seq})
            return _message(self._place, "resync", told)
        if found.events:
            self._place = Place(epoch, found.events[-1].seq)
        else:
            self._place = Place(epoch, self._place.seq)
        return b"".join(_event(event, epoch) for event in found.events)


def _event(event: StreamEvent, epoch: str) -> bytes:
    return _message(Place(epoch, event.seq), event.event, orjson.dumps(event.record(epoch)))


def _message(place: Place, event: str, data: bytes) -> bytes:
    # JSON has no line break outside of its escapes, and the names of events have none.
    return f"id: {place.epoch}:{place.seq}\nevent: {event}\ndata: ".encode() + data + b"\n\n"


async def _say(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})


def _is_uvicorn_stopping() -> bool:
    # One that is not ours waits for every answer before it tells the lifespan that it stops: for this one, for ever.
    return bool(getattr(getattr(signal.getsignal(signal.SIGTERM), "__self__", None), "should_exit", False))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


Follows = Annotated[Following | None, Depends(following)]
