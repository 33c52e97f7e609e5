"""Writes of any kind in one transaction, in the order given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.adapters.sql import arrivals, chat, idempotency, streams
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import Foresee, Foreseen, Transaction
from tocsin.application.once import Once
from tocsin.application.ports import Draft
from tocsin.application.texts import Lang
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.stream import StreamEvent, StreamKey


@dataclass(frozen=True, slots=True)
class PreparedWrite:
    """
    What can be done outside the writer's turn is done.

    Attributes:
        perform: Appends to the transaction's events.
        size: Bytes that it holds, about.
        foresee: Says what it will ask for.
    """

    perform: Callable[[Transaction], object]
    size: int
    foresee: Foresee


def prepare(draft: Draft, lang: Lang = "en") -> PreparedWrite:
    """Return the write of a draft."""
    if isinstance(draft, NotificationDraft):
        notification = arrivals.prepare(draft, lang)
        return PreparedWrite(
            lambda transaction: arrivals.create_unless_stored(transaction, notification),
            notification.size,
            lambda: arrivals.foreseen([notification]),
        )
    if isinstance(draft, MessageDraft):
        return PreparedWrite(
            lambda transaction: chat.send(transaction, draft), len(draft.message), lambda: chat.foreseen(draft)
        )
    namespace, event, user_ids, payload = draft.namespace, draft.event, draft.user_ids, draft.payload
    return PreparedWrite(
        lambda transaction: streams.append_to_all(transaction, user_ids, namespace, event, payload),
        len(payload),
        lambda: Foreseen([StreamKey(user_id, namespace) for user_id in user_ids]),
    )


def foreseen(prepared: Sequence[PreparedWrite], once: Once | None = None) -> Foreseen:
    """Return what all of them will ask for."""
    each = [one.foresee() for one in prepared]
    wanted = Foreseen([key for one in each for key in one.streams], [look for one in each for look in one.looks])
    return wanted if once is None else idempotency.with_key(wanted, once)


def perform(
    transaction: Transaction, prepared: Sequence[PreparedWrite], once: Once | None = None
) -> list[list[StreamEvent]]:
    """Carry out each in turn and return the events of each; of a repeated key those of the first time."""
    return idempotency.perform_once(
        transaction,
        once,
        lambda transaction: _carry_out(transaction, prepared),
        _to_json,
        lambda saved: _from_json(transaction, saved),
    )


def _carry_out(transaction: Transaction, prepared: Sequence[PreparedWrite]) -> list[list[StreamEvent]]:
    appended = []
    for write in prepared:
        before = len(transaction.events)
        write.perform(transaction)
        appended.append(transaction.events[before:])
    return appended


def _to_json(appended: list[list[StreamEvent]]) -> Any:
    """Return where the events of each stand: they are kept in the log, not twice."""
    return [[(event.user_id, event.namespace, event.seq) for event in events] for events in appended]


def _from_json(transaction: Transaction, saved: Any) -> list[list[StreamEvent]]:
    """Return the events of each from the log, as far as it still keeps them."""
    each = [
        [{"user_id": user_id, "namespace": namespace, "seq": seq} for user_id, namespace, seq in one] for one in saved
    ]
    transaction.foresee(Foreseen(looks=[(SQL.event_at, place) for one in each for place in one]))
    return [[StreamEvent(*row) for place in one for row in transaction.rows(SQL.event_at, place)] for one in each]
