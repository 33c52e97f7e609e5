"""Writes of any kind in one transaction, in the order given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tocsin.adapters.sql import arrivals, chat, streams
from tocsin.adapters.sql.transaction import Foresee, Foreseen, Transaction
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


def foreseen(prepared: Sequence[PreparedWrite]) -> Foreseen:
    """Return what all of them will ask for."""
    each = [one.foresee() for one in prepared]
    return Foreseen([key for one in each for key in one.streams], [look for one in each for look in one.looks])


def perform(transaction: Transaction, prepared: Sequence[PreparedWrite]) -> list[list[StreamEvent]]:
    """Carry out each in turn and return the events of each."""
    appended = []
    for write in prepared:
        before = len(transaction.events)
        write.perform(transaction)
        appended.append(transaction.events[before:])
    return appended
