"""What an ack of a client means: its stream is that far, nothing more is pushed, messages were delivered."""

from collections.abc import Iterator, Mapping

from tocsin.adapters.sql import chat, deliveries, streams
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

# Streams of one transaction: what others write waits no longer than for these, and what meets another
# node's is little to do again.
PART = 100


def parts(acks: Mapping[StreamKey, int]) -> Iterator[dict[StreamKey, int]]:
    """Return what is saved in one transaction each."""
    # In one order on every node: two that save those of the same users don't wait for each other.
    ordered = sorted(acks.items())
    for start in range(0, len(ordered), PART):
        yield dict(ordered[start : start + PART])


def streams_told(reader: Reader, acks: Mapping[StreamKey, int]) -> list[StreamKey]:
    """Return the streams that saving them concerns: their own, and of those who wait to hear that they were heard."""
    return [*acks, *chat.undelivered_senders(reader, _of(acks, chat.NAMESPACE))]


def _of(acks: Mapping[StreamKey, int], namespace: str) -> dict[UserId, int]:
    return {key.user_id: seq for key, seq in acks.items() if key.namespace == namespace}


def save(transaction: Transaction, acks: Mapping[StreamKey, int]) -> None:
    """Raise acked seqs, in ascending order, and do what follows from it."""
    streams.save_acks(transaction, acks)
    deliveries.end_acked(transaction, _of(acks, deliveries.NAMESPACE))
    chat.mark_delivered(transaction, _of(acks, chat.NAMESPACE))
