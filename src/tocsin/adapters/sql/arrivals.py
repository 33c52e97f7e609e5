"""
A new notification and what it meets: preferences, an older one of its key, a group, a digest.

Every way to create one ends here, in somebody's transaction.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from tocsin.adapters.sql import deliveries, preferences, streams
from tocsin.adapters.sql.inbox_queries import from_row
from tocsin.adapters.sql.inbox_statements import CONTENT, SQL
from tocsin.adapters.sql.transaction import Foreseen, Transaction
from tocsin.adapters.sql.words import words
from tocsin.application.texts import Lang
from tocsin.domain.delivery import Ending
from tocsin.domain.identifier import derived_id, new_id
from tocsin.domain.notification import MAX_ACTORS, Notification, NotificationDraft
from tocsin.domain.preference import NOTHING_SAID, Preferences, Rule
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.user_id import UserId, user_id_json

NAMESPACE = "/notifications"

_DATA = Notification._fields.index("data")
_ACTORS = Notification._fields.index("group_actors")


class Prepared(NamedTuple):
    """A draft with its ``data`` encoded, before the writer's turn; ``lang`` is the server's language."""

    draft: NotificationDraft
    data: bytes
    lang: Lang

    @property
    def size(self) -> int:
        """Return the bytes it holds, about."""
        return 500 + len(self.draft.title) + len(self.draft.message) + len(self.data)


def prepare(draft: NotificationDraft, lang: Lang = "en") -> Prepared:
    """Encode what can be encoded outside the writer thread."""
    return Prepared(draft, orjson.dumps(draft.data), lang)


def foreseen(prepared: Sequence[Prepared]) -> Foreseen:
    """Return what ``create`` will ask for."""
    users = {one.draft.user_id for one in prepared}
    return Foreseen(
        [StreamKey(user_id, NAMESPACE) for user_id in users], [*preferences.foreseen(users), *deliveries.foreseen()]
    )


def create(transaction: Transaction, prepared: Sequence[Prepared]) -> list[Notification]:
    """
    Insert each with the event that tells of it; return them in the order given.

    Counters are taken in ascending user id, see ``streams.append_to_all``.
    """
    order = sorted(range(len(prepared)), key=lambda index: prepared[index].draft.user_id)
    arrivals = Arrivals(transaction)
    created = {index: arrivals.add(prepared[index]) for index in order}
    arrivals.write()
    return [created[index] for index in range(len(prepared))]


def create_unless_stored(transaction: Transaction, prepared: Prepared) -> None:
    """Insert one with its event, except that its user has one of its ``stored_id``."""
    draft = prepared.draft
    if draft.stored_id is not None:
        # Whether it has expired since makes no difference: it was delivered.
        wanted = {"id": draft.stored_id, "user_id": draft.user_id, "now": 0}
        if transaction.row(SQL.own_notification, wanted) is not None:
            return
    create(transaction, [prepared])


class Arrivals:
    """Gathers rows, events and ladders of new notifications, and writes them together."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._rows: list[tuple[Any, ...]] = []
        self._events: list[StreamEvent] = []
        self._to_push: list[Notification] = []
        self._wanted: dict[UserId, Preferences] = {}
        self._claims: dict[str, Sequence[Any]] = {}

    def add(self, prepared: Prepared) -> Notification:
        """Take one in; the row of an older one that it replaces goes at once."""
        transaction, draft = self._transaction, prepared.draft
        wanted = self._wanted.get(draft.user_id)
        if wanted is None:
            wanted = self._wanted[draft.user_id] = preferences.effective(transaction, draft.user_id)
        made = _drafted(draft, transaction.now)
        if draft.collapse_key is not None or draft.group_key is not None:
            self.write()  # the older one may be of this very batch
            card = self._older(draft)
            is_news = draft.group_key is None or self._join(draft, made, card)
            if card is not None and not is_news:
                return self._renew(card, prepared, made, wanted)
            if card is not None:
                remove(transaction, card, {"reason": "replaced", "replaced_by": made["id"]}, "replaced")
        self._word(prepared, made, wanted)
        if wanted is not NOTHING_SAID:
            settle(made, wanted, transaction.now)
        if draft.claim_id is not None:
            made["claimed_by"], made["claimed_at"] = self._claimed(draft.claim_id)
        is_listed = not (made["archived_at"] or made["snoozed_until"])
        key = StreamKey(draft.user_id, NAMESPACE)
        made["seq"], unread = streams.count(transaction, key, int(is_listed))
        notification = Notification(**made)
        event, payload = told(notification, wanted, transaction.now, data=prepared.data)
        self._rows.append(row_of(notification, prepared.data))
        self._events.append(streams.stamped(transaction, key, notification.seq, event, with_unread(payload, unread)))
        if is_listed and notification.claimed_by is None:
            self._to_push.append(notification)
        return notification

    def _claimed(self, claim_id: str) -> Sequence[Any]:
        """Return who has claimed what is sent to many, and when; whoever claims it at this instant meets us there."""
        if claim_id not in self._claims:
            found = self._transaction.row(SQL.touch_claim, {"claim_id": claim_id})
            self._claims[claim_id] = (None, None) if found is None else found
        return self._claims[claim_id]

    def write(self) -> None:
        """Write what was taken in."""
        self._transaction.execute_many(SQL.insert_notification, self._rows)
        streams.put_events(self._transaction, self._events)
        deliveries.add(self._transaction, self._to_push)
        self._rows, self._events, self._to_push = [], [], []

    def _older(self, draft: NotificationDraft) -> Notification | None:
        """Return the card that a draft joins, or whose place it takes."""
        keys = {"user_id": draft.user_id, "now": self._transaction.now}
        if draft.group_key is not None:
            row = self._transaction.row(SQL.find_group, keys | {"group_key": draft.group_key})
        else:
            row = self._transaction.row(SQL.find_collapsed, keys | {"collapse_key": draft.collapse_key})
        return None if row is None else from_row(row)

    def _renew(self, card: Notification, prepared: Prepared, made: dict[str, Any], wanted: Preferences) -> Notification:
        """Let a card say what somebody who is counted in it did again; that is not news, and makes no noise."""
        self._word(prepared, made, wanted)
        made["updated_at"] = self._transaction.now
        renewed = card._replace(**{name: made[name] for name in CONTENT}, group_actors=made["group_actors"])
        content = {name: getattr(renewed, name) for name in CONTENT}
        self._transaction.execute(SQL.set_content, {"id": card.id, **content, "data": prepared.data})
        self._transaction.execute(SQL.set_actors, {"id": card.id, "group_actors": orjson.dumps(renewed.group_actors)})
        deliveries.amend(self._transaction, renewed)
        # As a whole: it is the answer that a sync caller gets.
        tell(self._transaction, card.user_id, "notification_updated", renewed.json())
        return renewed

    def _join(self, draft: NotificationDraft, made: dict[str, Any], card: Notification | None) -> bool:
        """Count the actor of a draft in; return whether that is a new one."""
        group_id = made["group_id"] = new_id() if card is None or card.group_id is None else card.group_id
        actor = made["id"] if draft.actor_id is None else draft.actor_id
        is_new = bool(self._transaction.execute(SQL.insert_member, {"group_id": group_id, "actor_id": actor}).rowcount)
        before: list[dict[str, Any]] = [] if card is None else card.group_actors or []
        made["group_count"] = (0 if card is None else card.group_count or 0) + is_new
        made["group_actors"] = before
        if draft.actor_id is not None:
            named = {"id": user_id_json(draft.actor_id), "name": draft.actor_name}
            others = [one for one in before if one["id"] != named["id"]]
            made["group_actors"] = [named, *others][:MAX_ACTORS]
        return is_new

    def _word(self, prepared: Prepared, made: dict[str, Any], wanted: Preferences) -> None:
        draft = prepared.draft
        if draft.template is None:
            return
        values = dict(draft.params)
        if draft.group_key is not None:
            names = [one["name"] for one in made["group_actors"] if one["name"]]
            count = made["group_count"]
            values |= {"count": count, "others": count - 1, "actors": names, "actor": names[0] if names else None}
        found = words(self._transaction, str(draft.template), values, wanted.locale, prepared.lang)
        if found is not None:
            made["title"], made["message"] = found
        made["title"] = made["title"] or draft.title or draft.type


def settle(made: dict[str, Any], wanted: Preferences, now: int) -> None:
    """Say where one goes: into the inbox, to the archive, or to a digest that comes later."""
    rule = wanted.rule(made["category"])
    if rule.inbox is False:
        made["archived_at"] = now
    elif made["priority"] != "urgent" and (due_at := wanted.digest_at(made["category"], now)) is not None:
        made["snoozed_until"] = due_at
        made["digest_id"] = derived_id(due_at, made["user_id"], made["category"] or "")


def _drafted(draft: NotificationDraft, now: int) -> dict[str, Any]:
    return {
        "id": new_id() if draft.id is None else draft.id,
        "user_id": draft.user_id,
        "seq": 0,
        "type": draft.type,
        "title": draft.title,
        "message": draft.message,
        "data": draft.data,
        "category": draft.category,
        "priority": draft.priority,
        "sound": draft.sound,
        "created_at": now,
        "expires_at": draft.expires_at,
        "archived_at": None,
        "snoozed_until": None,
        "collapse_key": draft.collapse_key,
        "group_key": draft.group_key,
        "claim_id": draft.claim_id,
    }


def told(
    notification: Notification, wanted: Preferences, now: int, *, data: bytes | None = None
) -> tuple[str, dict[str, Any]]:
    """
    Return the event that tells of a notification, and its payload: loud only where its user hears it now.

    What goes to the archive, or waits, is told as a change, which makes no noise.
    """
    payload = notification.json()
    if data is not None:
        payload["data"] = orjson.Fragment(data)
    if notification.archived_at is not None or notification.snoozed_until is not None:
        return "notification_updated", payload
    if wanted is NOTHING_SAID:
        return "notification", payload
    rule: Rule = wanted.rule(notification.category)
    is_quiet = notification.priority != "urgent" and wanted.quiet_until_after(now) is not None
    if rule.sound is not None:
        payload["sound"] = rule.sound or None
    if is_quiet or rule.sound is False:
        payload["sound"] = None
        payload["silent"] = True
    if not rule.toast or (wanted.mute_until is not None and wanted.mute_until > now):
        payload["toast"] = False
    return "notification", payload


def with_unread(payload: dict[str, Any], unread: int | None) -> bytes:
    """Return a payload encoded, with the badge as of its event."""
    encoded = orjson.dumps(payload)
    return encoded if unread is None else with_badge(encoded, unread)


def with_badge(payload: bytes, unread: int) -> bytes:
    """Return an encoded payload with the badge as of its event."""
    return payload[:-1] + b',"unread_count":%d}' % unread


def row_of(notification: Notification, data: bytes) -> tuple[Any, ...]:
    """Return the row of a notification, in the order of the columns."""
    values: list[Any] = list(notification)
    values[_DATA] = data
    if notification.group_actors is not None:
        values[_ACTORS] = orjson.dumps(notification.group_actors)
    return tuple(values)


def remove(transaction: Transaction, old: Notification, why: dict[str, Any], ended: Ending) -> None:
    """Take one out everywhere: its row, its place on every device, and what was pushed of it."""
    transaction.execute(SQL.delete_notification, {"id": old.id})
    tell(transaction, old.user_id, "notification_deleted", {"id": old.id, **why}, -int(old.is_unread))
    deliveries.end(transaction, old.user_id, old.id, ended)


def tell(transaction: Transaction, user_id: UserId, event: str, payload: dict[str, Any], unread: int = 0) -> int:
    """Append an event that changes the badge by a number; return its seq."""
    key = StreamKey(user_id, NAMESPACE)
    seq, total = streams.count(transaction, key, unread)
    streams.put_events(transaction, [streams.stamped(transaction, key, seq, event, with_unread(payload, total))])
    return seq
