"""
Operations on streams: appending, reading, acking and pruning the log.

The only module that gives out a seq.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tocsin.adapters.sql.connection import snapshot
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import Foreseen, Reader, Transaction
from tocsin.domain.identifier import new_id
from tocsin.domain.stream import KEPT_EVENTS, KEPT_S, SLICE_BYTES, Head, Slice, StreamEvent, StreamKey, ground_of
from tocsin.domain.user_id import UserId

_NEVER_WRITTEN = Head(0, 0, 0)
# What a database hands over at once: of big events all but the first would be for nothing.
_READ_TOGETHER = 100


def take_seq(transaction: Transaction, key: StreamKey) -> int:
    """Return the stream's next seq; its event must follow in this transaction."""
    return count(transaction, key, None)[0]


def count(transaction: Transaction, key: StreamKey, unread: int | None) -> tuple[int, int | None]:
    """
    Return the stream's next seq and how many are unread as of it; its event must follow in this transaction.

    ``unread`` is by how much the event changes that number; None: the stream counts nothing.
    """
    return transaction.count(key, unread)


def stamped(transaction: Transaction, key: StreamKey, seq: int, event: str, payload: bytes) -> StreamEvent:
    """Return the event of a seq just taken, to be put in this transaction."""
    return StreamEvent(*key, seq, new_id(), event, payload, transaction.now)


def put_events(transaction: Transaction, events: Sequence[StreamEvent]) -> None:
    """Write events whose seqs were taken in this order."""
    transaction.execute_many(SQL.insert_event, events)
    transaction.events += events


def append(transaction: Transaction, key: StreamKey, event: str, payload: bytes) -> StreamEvent:
    """Append one event to one stream."""
    appended = stamped(transaction, key, take_seq(transaction, key), event, payload)
    put_events(transaction, [appended])
    return appended


def append_to_all(
    transaction: Transaction, user_ids: Iterable[UserId], namespace: str, event: str, payload: bytes
) -> list[StreamEvent]:
    """
    Append one event to each user's stream.

    In ascending id: two writers that take the same counters in different
    orders would wait for each other on a database that locks rows.
    """
    keys = [StreamKey(user_id, namespace) for user_id in sorted(set(user_ids))]
    transaction.foresee(Foreseen(keys))
    events = [stamped(transaction, key, take_seq(transaction, key), event, payload) for key in keys]
    put_events(transaction, events)
    return events


def events_to_json(events: list[StreamEvent]) -> dict[str, Any]:
    """Return what ``events_from_json`` reads; what one event to many users has in common is said once."""
    one = events[0]
    return {
        "namespace": one.namespace,
        "event": one.event,
        "payload": one.payload.decode(),
        "created_at": one.created_at,
        "each": [(event.user_id, event.seq, event.event_id) for event in events],
    }


def events_from_json(saved: dict[str, Any]) -> list[StreamEvent]:
    """Return the events of a saved result."""
    payload = saved["payload"].encode()
    return [
        StreamEvent(user_id, saved["namespace"], seq, event_id, saved["event"], payload, saved["created_at"])
        for user_id, seq, event_id in saved["each"]
    ]


def heads(connection: Reader, keys: Sequence[StreamKey]) -> list[Head]:
    """Return the heads of one instant, in the order asked."""
    with snapshot(connection):
        return [head(connection, key) for key in keys]


def head(connection: Reader, key: StreamKey) -> Head:
    """Return one head; of a stream that was never written where it begins, mostly all zeros."""
    row = connection.execute(SQL.head, key._asdict()).fetchone()
    if row is None:
        row = connection.execute(SQL.head, ground_of(key)._asdict()).fetchone()
    return _head(row)


def _head(row: Sequence[int] | None) -> Head:
    return _NEVER_WRITTEN if row is None else Head(*row)


def read(connection: Reader, key: StreamKey, after: int, limit: int) -> Slice:
    """Return the events after a seq, as many as one part holds, with the head of the same instant."""
    events: list[StreamEvent] = []
    size = 0
    with snapshot(connection):
        while len(events) < limit and size < SLICE_BYTES:
            together = min(limit - len(events), _READ_TOGETHER)
            last = events[-1].seq if events else after
            rows = connection.execute(SQL.events_after, {**key._asdict(), "after": last, "limit": together}).fetchall()
            for row in rows:
                events.append(StreamEvent(*row))
                size += len(events[-1].payload)
                if size >= SLICE_BYTES:
                    break
            if len(rows) < together:
                break
        return Slice(events, head(connection, key))


def save_acks(transaction: Transaction, acks: Mapping[StreamKey, int]) -> None:
    """Raise acked seqs, never above the head and never back."""
    transaction.execute_many(SQL.raise_acked, [{**key._asdict(), "acked": seq} for key, seq in acks.items()])


def find_prunable(connection: Reader, now: int, limit: int) -> list[StreamKey]:
    """Return some streams that hold more, or older events, than is kept."""
    found = connection.execute(SQL.long_streams, {"kept": KEPT_EVENTS, "limit": limit}).fetchall()
    found += connection.execute(SQL.old_events, {"cutoff": _cutoff(now), "limit": limit}).fetchall()
    return [StreamKey(*key) for key in dict.fromkeys(found)]


def prune(transaction: Transaction, keys: Sequence[StreamKey], now: int, most: int) -> int:
    """
    Drop the oldest events of some streams, a number at ``most``, and return how many.

    Always a prefix: everything above ``pruned`` stays readable without a gap.
    An event with an old stamp that stands after a younger one (the clock was
    set) stays until that one goes.
    """
    young = {key: {**key._asdict(), "cutoff": _cutoff(now)} for key in keys}
    looks = [(SQL.head, key._asdict()) for key in keys]
    transaction.foresee(Foreseen(looks=[*looks, *((SQL.first_kept_by_age, values) for values in young.values())]))
    dropped, reached = 0, []
    for key in keys:
        state = _head(transaction.row(SQL.head, key._asdict()))
        (kept,) = transaction.row(SQL.first_kept_by_age, young[key])
        too_old = state.seq if kept is None else kept - 1
        pruned = min(max(too_old, state.seq - KEPT_EVENTS), state.pruned + most - dropped)
        if pruned > state.pruned:
            dropped += pruned - state.pruned
            reached.append({**key._asdict(), "pruned": pruned})
    # In ascending order, as everybody takes the locks of several rows.
    reached.sort(key=lambda one: (one["user_id"], one["namespace"]))
    transaction.execute_many(SQL.set_pruned, reached)
    transaction.execute_many(SQL.delete_events, reached)
    return dropped


def _cutoff(now: int) -> int:
    return now - int(KEPT_S * 1000)
