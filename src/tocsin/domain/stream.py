"""
The durable log of one user in one namespace.

``seq`` counts from 1 without gaps, in commit order. A cursor is
``(epoch, last_seq)``: the epoch names the life of the database, so that a
cursor from before a restore is recognised. So is one from before its user was
erased: a new stream begins above those that the erased had, see ``ground_of``.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

import orjson

from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId, user_id_json

MAX_REPLAY = 1_000
# A part of a log has no more than the event that passes this: a thousand of 64 KB each would hold up everybody else.
SLICE_BYTES = 2_000_000
KEPT_EVENTS = 1_000
KEPT_S = 7 * 24 * 3600.0
_GROUNDS = 4_096


class StreamKey(NamedTuple):
    """Which stream: one user in one namespace."""

    user_id: UserId
    namespace: str


def ground_of(key: StreamKey) -> StreamKey:
    """
    Return where it is kept above which seq a stream begins that was never written.

    It is the highest that the streams of erased users had. Each place serves thousands of ids, so that it names
    none; and no user has its id, which is not printable.
    """
    return StreamKey(UserId(f"\n{crc32(key.user_id.encode()) % _GROUNDS}"), key.namespace)


class StreamEvent(NamedTuple):
    """
    One committed event.

    Attributes:
        payload: The event's JSON object, without event_id, seq and epoch.
        created_at: Milliseconds since 1970.
    """

    user_id: UserId
    namespace: str
    seq: int
    event_id: str
    event: str
    payload: bytes
    created_at: int

    @property
    def key(self) -> StreamKey:
        """Return the stream that the event stands in."""
        return StreamKey(self.user_id, self.namespace)

    def wire_payload(self, epoch: str) -> bytes:
        """Return the JSON object that clients see, with event_id, seq and epoch."""
        tail = f'"event_id":"{self.event_id}","seq":{self.seq},"epoch":"{epoch}"}}'.encode()
        return (b"{" if self.payload == b"{}" else self.payload[:-1] + b",") + tail

    def addressed_record(self, epoch: str) -> dict[str, Any]:
        """Return the record with its user and namespace, as publishers get it."""
        return {"user_id": user_id_json(self.user_id), "namespace": self.namespace, **self.record(epoch)}

    def record(self, epoch: str) -> dict[str, Any]:
        """Return the event as ``GET /api/stream`` lists it."""
        return {
            "seq": self.seq,
            "event_id": self.event_id,
            "event": self.event,
            "created_at": iso(self.created_at),
            "data": orjson.loads(self.wire_payload(epoch)),
        }


@dataclass(frozen=True, slots=True)
class EventDraft:
    """One event for the streams of users, its payload encoded: a JSON object without event_id, seq and epoch."""

    namespace: str
    event: str
    user_ids: tuple[UserId, ...]
    payload: bytes


class Head(NamedTuple):
    """
    The state of a stream: last seq given out, highest seq no longer kept, highest seq acked.

    Attributes:
        unread: Of ``/notifications``: how many of the inbox are unread, as of ``seq``; elsewhere None.
    """

    seq: int
    pruned: int
    acked: int
    unread: int | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """
    A run of events read in one snapshot together with the head of their stream.

    It may end before the log and before the number that was asked for: who wants more goes on from its last event.
    """

    events: list[StreamEvent]
    head: Head


def resync_reason(epoch: str | None, last_seq: int, head: Head, current_epoch: str) -> str | None:
    """
    Return why a cursor can't be resumed, or None when it can (delivery contract, 5).

    Returns:
        ``epoch_changed``, ``ahead_of_head``, ``pruned`` or ``too_far_behind``.
    """
    if epoch != current_epoch:
        return "epoch_changed"
    if last_seq > head.seq:
        return "ahead_of_head"
    if last_seq < head.pruned:
        return "pruned"
    if head.seq - last_seq > MAX_REPLAY:
        return "too_far_behind"
    return None
