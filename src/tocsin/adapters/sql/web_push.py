"""Web Push subscriptions of users, and the keys that are pushed with: rows alone, no stream tells of them."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from tocsin.adapters.sql.schema import web_push_subscription as table
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.domain.errors import NotFound
from tocsin.domain.identifier import derived_id
from tocsin.domain.user_id import UserId
from tocsin.domain.web_push import PushKeys, WebPushDraft, WebPushSubscription

_COLUMNS = tuple(table.c.keys())
_SECRETS = frozenset({"endpoint", "p256dh", "auth"})


def save(transaction: Transaction, draft: WebPushDraft, most: int) -> WebPushSubscription:
    """Insert a subscription, or update the user's own of this endpoint; keep at most ``most`` of the user."""
    row = transaction.row(SQL.find_web_push, {"endpoint": draft.endpoint})
    found = None if row is None else from_row(row)
    if found is not None and found.user_id == draft.user_id:
        return _renewed(transaction, found, draft)
    if found is not None:
        # A new row: receipts for pushes to the former user are not this user's.
        transaction.execute(SQL.delete_web_push, {"id": found.id})
    subscription = WebPushSubscription(
        # Whoever signs out and in comes back as the same: it has been pushed to.
        id=derived_id(0, draft.user_id, draft.endpoint),
        user_id=draft.user_id,
        endpoint=draft.endpoint,
        p256dh=draft.p256dh,
        auth=draft.auth,
        user_agent=draft.user_agent,
        created_at=transaction.now,
        last_seen_at=transaction.now,
    )
    transaction.execute(SQL.insert_web_push, asdict(subscription))
    transaction.known["anybody"] = True
    # By its id, not its instant: a clock set back must not drop the one that has just come.
    transaction.execute(
        SQL.delete_oldest_web_push, {"user_id": draft.user_id, "id": subscription.id, "limit": most - 1}
    )
    return subscription


def _renewed(transaction: Transaction, found: WebPushSubscription, draft: WebPushDraft) -> WebPushSubscription:
    subscription = replace(
        found,
        p256dh=draft.p256dh,
        auth=draft.auth,
        user_agent=draft.user_agent,
        last_seen_at=max(found.last_seen_at, transaction.now),
    )
    transaction.execute(SQL.update_web_push, asdict(subscription))
    return subscription


def delete(transaction: Transaction, user_id: UserId, endpoint: str) -> None:
    """Delete one of the user's own."""
    wanted = {"user_id": user_id, "endpoint": endpoint}
    if not transaction.execute(SQL.delete_own_web_push, wanted).rowcount:
        raise NotFound("there is no such subscription")


def drop(transaction: Transaction, gone: WebPushSubscription) -> bool:
    """Delete one that is gone, if it still is the same."""
    wanted = {name: getattr(gone, name) for name in ("id", "user_id", "endpoint", "p256dh", "auth")}
    return transaction.execute(SQL.delete_gone_web_push, wanted).rowcount > 0


def see(transaction: Transaction, subscription_id: str) -> None:
    """Note that a push arrived now."""
    transaction.execute(SQL.touch_web_push, {"id": subscription_id, "seen_at": transaction.now})


def keys(transaction: Transaction, fresh: PushKeys) -> PushKeys:
    """Return the kept keys; keep ``fresh`` where there are none."""
    row = transaction.row(SQL.find_vapid_key, {})
    if row is not None:
        return PushKeys(*row)
    transaction.execute(SQL.insert_vapid_key, {**asdict(fresh), "created_at": transaction.now})
    return fresh


def of_user(connection: Reader, user_id: UserId) -> list[WebPushSubscription]:
    """Return the subscriptions of a user, the one seen last first."""
    return [from_row(row) for row in connection.execute(SQL.list_web_push, {"user_id": user_id})]


def to_json(subscription: WebPushSubscription) -> dict[str, Any]:
    """Return what ``from_json`` reads: without what is secret, which must not outlive its subscription."""
    return {name: value for name, value in asdict(subscription).items() if name not in _SECRETS}


def from_json(saved: dict[str, Any], draft: WebPushDraft) -> WebPushSubscription:
    """Return the subscription of a saved result; the same request has the same secrets."""
    return WebPushSubscription(**saved, **{name: getattr(draft, name) for name in _SECRETS})


def from_row(row: Sequence[Any]) -> WebPushSubscription:
    """Return the one of a row with all columns."""
    return WebPushSubscription(**dict(zip(_COLUMNS, row, strict=True)))
