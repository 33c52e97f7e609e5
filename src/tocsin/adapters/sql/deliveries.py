"""
The push ladder in the database: added and ended in the transactions of the inbox, worked off by the relay.

``add`` and the ``end`` functions run inside a transaction of somebody else's; ``SqlDeliveries``
is what the relay, the trace and the preferences see.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from tocsin.adapters.failpoint import Failpoints, from_environment
from tocsin.adapters.sql import web_push
from tocsin.adapters.sql.delivery_statements import ADD_FIELDS, SQL
from tocsin.adapters.sql.due import load
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.schema import delivery_attempt
from tocsin.adapters.sql.transaction import Look, Transaction
from tocsin.application.deliveries import Due, Settlement
from tocsin.domain.delivery import Attempt, Delivery, Ending
from tocsin.domain.identifier import new_id
from tocsin.domain.notification import Notification
from tocsin.domain.user_id import UserId

T = TypeVar("T")

_ATTEMPT = delivery_attempt.c.keys()
NAMESPACE = "/notifications"
_add_row = attrgetter(*ADD_FIELDS)
_attempt_values = attrgetter(*_ATTEMPT[1:])


def add(transaction: Transaction, notifications: Sequence[Notification]) -> None:
    """Begin the ladder of each whose user has anything that may be sent to; due at once, to be planned."""
    # Looked up once for all that share the transaction: where nobody uses push, it costs next to nothing.
    if "anybody" not in transaction.known:
        transaction.known["anybody"] = bool(transaction.row(SQL.anybody, {})[0])
    if not transaction.known["anybody"]:
        return
    transaction.execute_many(SQL.add_delivery, [_add_row(one) for one in notifications])


def foreseen() -> list[Look]:
    """Return what ``add`` will look for."""
    return [(SQL.anybody, {})]


def end(transaction: Transaction, user_id: UserId, notification_id: str, reason: Ending) -> None:
    """Let nothing more be sent of one, and what was sent be taken back."""
    values = {"user_id": user_id, "id": notification_id, "reason": reason, "now": transaction.now}
    transaction.execute(SQL.end_delivery, values)


def end_all(transaction: Transaction, user_id: UserId, category: str | None, reason: Ending = "read") -> None:
    """Do so for all of a user's, or of one category."""
    values = {"user_id": user_id, "category": category, "reason": reason, "now": transaction.now}
    transaction.execute(SQL.end_all if category is None else SQL.end_category, values)


def amend(transaction: Transaction, changed: Notification) -> None:
    """Let what is still to be sent go by the category, the priority and the end that it has now."""
    values = {"category": changed.category, "priority": changed.priority, "expires_at": changed.expires_at}
    transaction.execute(SQL.amend_delivery, {"id": changed.id, "now": transaction.now, **values})


def begin_late(transaction: Transaction, changed: Notification) -> None:
    """Begin the ladder, from now on, of an unread one whose priority had none before: nothing of it was ever tried."""
    if changed.is_unread and changed.claimed_at is None and not transaction.row(SQL.has_begun, {"id": changed.id})[0]:
        add(transaction, [changed._replace(created_at=transaction.now)])


def end_acked(transaction: Transaction, acked: Mapping[UserId, int]) -> None:
    """Do so for all that the acks of users cover."""
    why = {"reason": "acked", "now": transaction.now}
    transaction.execute_many(
        SQL.end_acked, [{"user_id": user_id, "acked": seq, **why} for user_id, seq in acked.items()]
    )


def prune(transaction: Transaction, cutoff: int, most: int) -> int:
    """Drop steps of traces of before an instant, a number at ``most``; return how many."""
    return transaction.execute(SQL.delete_old_attempts, {"cutoff": cutoff, "limit": most}).rowcount


def drop(transaction: Transaction, most: int) -> int:
    """Forget ladders, a number at ``most``, whatever they have sent; return how many."""
    return transaction.execute(SQL.drop_deliveries, {"limit": most}).rowcount


def prove(transaction: Transaction, subscription_id: str, notification_id: str | None, event: str) -> None:
    """Note that a browser is there and has shown a push, or that its user has dealt with it; once is enough."""
    web_push.see(transaction, subscription_id)
    if notification_id is None:
        return
    values = {
        "id": new_id(),
        "notification_id": notification_id,
        "at": transaction.now,
        "channel": "webpush",
        "target": subscription_id,
        "label": None,
        "outcome": "arrived",
        "reason": event,
        "provider_id": None,
        "retry_at": None,
    }
    transaction.execute(SQL.insert_proof, values)
    if event != "shown" and (owner := transaction.row(SQL.owner_of_subscription, {"id": subscription_id})) is not None:
        # Whoever has clicked or closed it has seen it: it goes from the other devices, and by no other channel.
        end(transaction, UserId(owner[0]), notification_id, "acked")


class SqlDeliveries:
    """Implements ``DeliveryStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store
        self._failpoints: Failpoints = from_environment()

    async def next_due(self) -> int | None:
        """Return the earliest instant at which something is due."""
        return await self._store.read(lambda reader: reader.execute(SQL.next_due, {}).fetchone()[0])

    async def claim(self, limit: int, hold_ms: int) -> list[Due]:
        """Hold what is due, and return it with all that a decision needs."""
        held, now = await self._store.write(lambda transaction: (_hold(transaction, limit, hold_ms), transaction.now))
        if not held:
            return []
        self._failpoints.reach("after_claim_before_send")
        return await self._store.read(lambda reader: load(reader, held, now))

    async def renew(self, held: Sequence[Delivery], hold_ms: int) -> None:
        """Hold what was claimed for longer."""

        def renew(transaction: Transaction) -> None:
            for one in held:
                values = {"id": one.notification_id, "lease": one.lease + 1, "until": transaction.now + hold_ms}
                transaction.execute(SQL.renew_delivery, values)

        await self._store.write(renew)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Record attempts and say when each is due again, or that it is over."""
        if any(attempt.outcome == "sent" for one in settlements for attempt in one.attempts):
            self._failpoints.reach("after_send_before_record")
        await self._store.write(lambda transaction: _settle(transaction, settlements))


def _hold(transaction: Transaction, limit: int, hold_ms: int) -> list[Delivery]:
    rows = transaction.rows(SQL.due_deliveries, {"now": transaction.now, "limit": limit})
    found = [delivery_from_row(row) for row in rows]
    until = transaction.now + hold_ms
    transaction.execute_many(SQL.hold_delivery, [(until, until, one.notification_id, one.lease) for one in found])
    return found


def _settle(transaction: Transaction, settlements: Sequence[Settlement]) -> None:
    now = transaction.now
    attempts = [_attempt_row(attempt, now) for settlement in settlements for attempt in settlement.attempts]
    transaction.execute_many(SQL.insert_attempt, attempts)
    over = [
        (one, transaction.execute(SQL.delete_delivery, _as_held(one.delivery)))
        for one in settlements
        if one.due_at is None
    ]
    released = [(one, one.due_at) for one in settlements if one.due_at is not None]
    # One that has ended meanwhile: what was just sent is to be taken back.
    released += [(one, now) for one, outcome in over if not outcome.rowcount]
    transaction.execute_many(SQL.release_delivery, [_release_row(one, due_at, now) for one, due_at in released])


def _as_held(held: Delivery) -> dict[str, Any]:
    # The claim has raised the lease by one.
    return {"id": held.notification_id, "lease": held.lease + 1, "ended": held.ended}


def _release_row(settlement: Settlement, due_at: int, now: int) -> tuple[Any, ...]:
    its = _as_held(settlement.delivery)
    return (settlement.rung, settlement.tries, its["ended"], now, due_at, its["id"], its["lease"])


def _attempt_row(attempt: Attempt, now: int) -> tuple[Any, ...]:
    notification_id, user_id, at, *rest = _attempt_values(attempt)
    return (new_id(), notification_id, user_id, at or now, *rest)


_FIELDS = tuple(Delivery.__dataclass_fields__)


def delivery_from_row(row: Sequence[Any]) -> Delivery:
    """Return the delivery of a row of the relay's queries."""
    return Delivery(**dict(zip(_FIELDS, row, strict=True)))
