"""What an ack of a client means: its stream is that far, nothing more is pushed, messages were delivered."""

from collections.abc import Mapping

from tocsin.adapters.sql import chat, deliveries, streams
from tocsin.adapters.sql.transaction import Transaction
from tocsin.domain.stream import StreamKey


def save(transaction: Transaction, acks: Mapping[StreamKey, int]) -> None:
    """Raise acked seqs, and do what follows from it, all in one transaction."""
    # In one order on every node: two that save those of the same users don't wait for each other.
    ordered = dict(sorted(acks.items()))
    streams.save_acks(transaction, ordered)
    for key, seq in ordered.items():
        if key.namespace == deliveries.NAMESPACE:
            deliveries.end_acked(transaction, key.user_id, seq)
        elif key.namespace == chat.NAMESPACE:
            chat.mark_delivered(transaction, key.user_id, seq)
